//! The whole catalogue as rows that an import takes again. Products and offers stand in the order of their `sku`, so that a
//! shop that took them gives the same file.

use firstcome_core::product::{OfferInfo, Product};
use firstcome_core::records::{Query, Record as _, RecordsExt as _, Stored};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Catalog;
use super::categories::{GivenCategory, Tree};
use super::store::{OfferRow, ProductRow};
use crate::http::Outcome;

/// Rows read at a time.
const PAGE: u32 = 1_000;

/// The catalogue in the format of import files.
#[derive(Debug, Default, Serialize)]
pub struct ExportedCatalogue {
    /// Categories as `POST /admin/categories` takes them, but `parent` is the name of the one that it is in. They stand in
    /// their order.
    pub categories: Vec<Map<String, Value>>,
    /// Products as `POST /admin/products` takes them, each with a `sku`: the product's id where it has no other.
    /// Their categories are called by their names.
    pub products: Vec<Map<String, Value>>,
    /// Offers as `POST /admin/offers` takes them, with a `sku`, and `product_sku` in place of `product_id`.
    pub offers: Vec<Map<String, Value>>,
}

impl Catalog {
    /// Everything that is in the catalogue, drafts and ended offers too, with the stock of now.
    pub async fn export(&self) -> Outcome<ExportedCatalogue> {
        let mut exported = ExportedCatalogue::default();
        let records = &*self.ports.records;
        let tree = self.tree().await?;
        exported.categories = tree.given().iter().map(category).collect();
        for row in records.every::<ProductRow>(Query::all(ProductRow::TABLE, PAGE)).await? {
            exported.products.push(product(&row.record.product.0, &tree));
        }
        for Stored { record: row, .. } in records.every::<OfferRow>(Query::all(OfferRow::TABLE, PAGE)).await? {
            let stock = self.state(row.offer_id).await?.map_or(row.initial_stock, |state| state.offer.stock.stock);
            exported.offers.push(offer(&row.offer.0, stock));
        }
        for rows in [&mut exported.products, &mut exported.offers] {
            rows.sort_by(|one, other| one["sku"].as_str().cmp(&other["sku"].as_str()));
        }
        Ok(exported)
    }
}

fn sku_of(product: &Product) -> String {
    product.sku.clone().unwrap_or_else(|| product.product_id.to_string())
}

/// What is written of a value, without what only this shop knows, and without what is empty: an import takes it so.
fn fields(value: &impl Serialize, own: &[&str]) -> Map<String, Value> {
    let Ok(Value::Object(mut fields)) = serde_json::to_value(value) else { return Map::new() };
    let is_empty = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    fields.retain(|name, value| !own.contains(&name.as_str()) && !is_empty(value));
    fields
}

fn drop_nulls(fields: &mut Map<String, Value>, name: &str) {
    if let Some(Value::Object(value)) = fields.get_mut(name) {
        value.retain(|_, value| !value.is_null());
    }
}

fn category(given: &GivenCategory) -> Map<String, Value> {
    let mut fields = fields(given, &[]);
    drop_nulls(&mut fields, "name");
    fields
}

fn product(product: &Product, tree: &Tree) -> Map<String, Value> {
    let mut fields = fields(product, &["product_id", "categories"]);
    let categories: Vec<_> = product.categories.iter().filter_map(|id| tree.path(*id)).collect();
    if !categories.is_empty() {
        fields.insert("categories".to_owned(), json!(categories));
    }
    drop_nulls(&mut fields, "discount");
    fields.insert("sku".to_owned(), json!(sku_of(product)));
    fields
}

fn offer(info: &OfferInfo, stock: u64) -> Map<String, Value> {
    let mut fields = fields(info, &["offer_id", "product", "version"]);
    let sku = info.sku.clone().unwrap_or_else(|| info.offer_id.to_string());
    fields.insert("sku".to_owned(), json!(sku));
    fields.insert("product_sku".to_owned(), json!(sku_of(&info.product)));
    fields.insert("stock".to_owned(), json!(stock));
    fields
}
