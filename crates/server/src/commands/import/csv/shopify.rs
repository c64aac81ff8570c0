//! The product CSV that Shopify exports, with the columns' names of now and of before
//! (<https://help.shopify.com/manual/products/import-export/using-csv>). Rows with one handle are variants of one product: each
//! becomes a product with an offer. Currencies are not in the file.

use std::collections::HashMap;

use firstcome_core::money::Currency;

use super::foreign::{Foreign, Item, plain};
use super::{Catalogue, Dialect, Row};
use crate::commands::CommandError;

const HANDLE: &[&str] = &["URL handle", "Handle"];
const TITLE: &str = "Title";
const STATUS: &str = "Status";
const BODY: &[&str] = &["Description", "Body (HTML)"];
/// The taxonomy that every shop there shares, and the shop's own.
const CATEGORY: &[&str] = &["Product category", "Product Category"];
const TYPE: &str = "Type";
const PICTURE: &[&str] = &["Product image URL", "Image Src"];
const VARIANT_PICTURE: &[&str] = &["Variant image URL", "Variant Image"];
const SKU: &[&str] = &["SKU", "Variant SKU"];
const PRICE: &[&str] = &["Price", "Variant Price"];
const STOCK: &[&str] = &["Inventory quantity", "Variant Inventory Qty"];
const TAXED: &[&str] = &["Charge tax", "Variant Taxable"];
const GIFT_CARD: &[&str] = &["Gift card", "Gift Card"];
const PUBLISHED: &[&str] = &["Published on online store", "Published"];
const OPTIONS: [&[&str]; 3] =
    [&["Option1 value", "Option1 Value"], &["Option2 value", "Option2 Value"], &["Option3 value", "Option3 Value"]];
/// What stands for no choice.
const ONLY: &str = "Default Title";

/// Every column that is read; what others say is named.
const TAKEN: &[&[&str]] = &[
    HANDLE,
    &[TITLE, STATUS],
    BODY,
    CATEGORY,
    &[TYPE],
    PICTURE,
    VARIANT_PICTURE,
    SKU,
    PRICE,
    STOCK,
    TAXED,
    GIFT_CARD,
    PUBLISHED,
    OPTIONS[0],
    OPTIONS[1],
    OPTIONS[2],
];

/// Whether these are its columns.
pub(super) fn is(headers: &csv::StringRecord) -> bool {
    let has = |column: &str| headers.iter().any(|header| header == column);
    has(TITLE) && HANDLE.iter().any(|column| has(column))
}

/// Takes its rows.
pub(super) struct Shopify {
    shared: Foreign,
    /// What the first row of each handle says for all of its variants.
    products: HashMap<String, Item>,
}

impl Shopify {
    pub(super) fn new(currency: Currency) -> Self {
        Self { shared: Foreign::new(currency, TAKEN), products: HashMap::new() }
    }
}

impl Dialect for Shopify {
    fn take(&mut self, row: &Row<'_>) -> Result<(), CommandError> {
        self.shared.look(row);
        let handle = row.either(HANDLE).ok_or_else(|| row.bad("Handle: is needed"))?;
        if let Some(title) = row.text(TITLE) {
            if let Some(first) = self.products.get(handle).filter(|first| first.name != title) {
                return Err(row.bad(format!("Handle: {handle} is taken by {}, further up", first.name)));
            }
            let first = Item {
                name: title.to_owned(),
                description: row.either(BODY).map(plain).unwrap_or_default(),
                image_url: row.either(PICTURE).map(str::to_owned),
                is_gift_card: row.is(GIFT_CARD, "true"),
                categories: row.either(CATEGORY).into_iter().chain(row.text(TYPE)).map(str::to_owned).collect(),
                draft: row.is(PUBLISHED, "false")
                    || row.text(STATUS).is_some_and(|status| !status.eq_ignore_ascii_case("active")),
                ..Item::default()
            };
            self.products.entry(handle.to_owned()).or_insert(first);
        }
        let first =
            self.products.get(handle).ok_or_else(|| row.bad("Title: is needed on the first row of a product"))?;
        let choice: Vec<_> =
            OPTIONS.iter().filter_map(|columns| row.either(columns)).filter(|value| *value != ONLY).collect();
        let Some(price) = row.price(PRICE, self.shared.currency)? else {
            // Such rows only add a picture.
            let says = row.either(SKU).is_some() || !choice.is_empty();
            return if says { Err(row.bad("Variant Price: is needed")) } else { Ok(()) };
        };
        let name =
            if choice.is_empty() { first.name.clone() } else { format!("{} ({})", first.name, choice.join(" / ")) };
        let sku = match row.either(SKU) {
            // What keeps spreadsheets from counting with it is no part of it.
            Some(sku) => sku.trim_start_matches('\'').to_owned(),
            None => [&[handle], &choice[..]].concat().join("/"),
        };
        let stock = STOCK.iter().find_map(|column| row.number(column).transpose()).transpose()?;
        let item = Item {
            place: row.place.clone(),
            sku,
            name,
            image_url: row.either(VARIANT_PICTURE).map(str::to_owned).or_else(|| first.image_url.clone()),
            tax_free: row.is(TAXED, "false"),
            price,
            stock,
            ..first.clone()
        };
        self.shared.add(item)
    }

    fn finish(self) -> Result<Catalogue, CommandError> {
        Ok(self.shared.finish())
    }
}
