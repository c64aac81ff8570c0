//! Our own columns: one offer a row, with its product.

use std::collections::{BTreeSet, HashMap};

use firstcome_app::catalog::{GivenOffer, NewProduct};
use firstcome_core::ids::ProductId;
use firstcome_core::time::Time;
use serde_json::{Map, Value, json};

use super::{Catalogue, DEFAULT_CURRENCY, Dialect, Row};
use crate::commands::CommandError;
use crate::commands::import::{OfferRow, ProductRow, categories, fields, times};
use crate::commands::words::unguarded;

/// Every column, in the order in which an export writes them.
pub(in crate::commands) const COLUMNS: [&str; 28] = [
    "sku",
    "kind",
    "name",
    "description",
    "image_url",
    "tax_free",
    "face_value",
    "discount_percent",
    "discount_max_amount",
    "discount_amount",
    "minimum_amount",
    "value_currency",
    "valid_for_days",
    "visit_date",
    "categories",
    "offer_sku",
    "price",
    "currency",
    "stock",
    "opens_at",
    "closes_at",
    "limit_per_person",
    "max_per_order",
    "hold_for_seconds",
    "refund_policy",
    "time_zone",
    "conditions",
    "draft",
];
const PRODUCT_TEXTS: [&str; 5] = ["sku", "kind", "name", "image_url", "visit_date"];
const PRODUCT_NUMBERS: [&str; 2] = ["valid_for_days", "minimum_amount"];
const OFFER_NUMBERS: [&str; 4] = ["stock", "limit_per_person", "max_per_order", "hold_for_seconds"];

/// Whether a file with these columns can be read.
pub(super) fn check(headers: &csv::StringRecord) -> Result<(), String> {
    match headers.iter().find(|column| !COLUMNS.contains(column)) {
        Some(unknown) => Err(format!("there is no column {unknown}; see firstcome import --help")),
        None => Ok(()),
    }
}

/// Takes rows of our own columns.
pub(super) struct Ours {
    now: Time,
    catalogue: Catalogue,
    /// What the file says of each product: with `offer_sku` it may say so again.
    products: HashMap<String, Said>,
}

/// What a file says of a product.
struct Said {
    fields: Map<String, Value>,
    categories: Option<Vec<String>>,
    /// Where it says so first.
    line: usize,
}

impl Ours {
    pub(super) fn new(now: Time) -> Self {
        Self { now, catalogue: Catalogue::default(), products: HashMap::new() }
    }
}

impl Dialect for Ours {
    fn take(&mut self, row: &Row<'_>) -> Result<(), CommandError> {
        let sku = row.words("sku").ok_or_else(|| row.bad("sku: is needed, so that twice is once"))?.to_owned();
        let fields = row.product()?;
        let categories = row.words("categories").map(categories::of);
        let several = row.headers.iter().any(|column| column == "offer_sku");
        match self.products.get(&sku) {
            Some(said) if several && said.fields == fields && said.categories == categories => {}
            Some(Said { line, .. }) if several => {
                return Err(row.bad(format!("line {line} says something else of the product {sku}")));
            }
            _ => {
                let said = Said { fields: fields.clone(), categories: categories.clone(), line: row.line };
                self.products.insert(sku.clone(), said);
                let product: NewProduct = fields::read(fields, &row.place)?;
                self.catalogue.products.push(ProductRow { place: row.place.clone(), product, categories });
            }
        }
        let offer_sku = if several { row.words("offer_sku") } else { Some(sku.as_str()) };
        if let Some(offer_sku) = offer_sku {
            let offer = row.offer(offer_sku, sku.clone(), self.now)?;
            self.catalogue.offers.push(offer);
        }
        Ok(())
    }

    fn finish(self) -> Result<Catalogue, CommandError> {
        Ok(self.catalogue)
    }
}

impl Row<'_> {
    fn words(&self, column: &str) -> Option<&str> {
        self.text(column).map(unguarded)
    }

    fn flag(&self, column: &str) -> Result<Option<bool>, CommandError> {
        let wrong = || self.bad(format!("{column}: must be true or false"));
        self.text(column).map(|text| text.to_ascii_lowercase().parse().map_err(|_| wrong())).transpose()
    }

    /// What only JSON can say.
    fn json(&self, column: &str) -> Result<Option<Value>, CommandError> {
        let wrong = |error| self.bad(format!("{column}: must be JSON: {error}"));
        self.text(column).map(|text| serde_json::from_str(text).map_err(wrong)).transpose()
    }

    /// Money in the currency that one of these columns names first.
    fn money(&self, column: &str, currencies: &[&str]) -> Result<Option<Value>, CommandError> {
        let currency = currencies.iter().find_map(|column| self.text(column)).unwrap_or(DEFAULT_CURRENCY);
        Ok(self.number(column)?.map(|amount| json!({ "amount": amount, "currency": currency })))
    }

    fn product(&self) -> Result<Map<String, Value>, CommandError> {
        const CURRENCIES: &[&str] = &["value_currency", "currency"];
        let mut fields = Map::new();
        for column in PRODUCT_TEXTS {
            fields.extend(self.words(column).map(|text| (column.to_owned(), json!(text))));
        }
        let description = self.exact("description").map(unguarded);
        fields.extend(description.map(|text| ("description".to_owned(), json!(text))));
        fields.extend(self.flag("tax_free")?.map(|flag| ("tax_free".to_owned(), json!(flag))));
        fields.extend(self.money("face_value", CURRENCIES)?.map(|money| ("face_value".to_owned(), money)));
        for column in PRODUCT_NUMBERS {
            fields.extend(self.number(column)?.map(|number| (column.to_owned(), json!(number))));
        }
        let most = self.number("discount_max_amount")?;
        let discount = match self.number("discount_percent")? {
            Some(percent) => Some(json!({ "percent": percent, "max_amount": most })),
            None => self.money("discount_amount", CURRENCIES)?,
        };
        fields.extend(discount.map(|discount| ("discount".to_owned(), discount)));
        Ok(fields)
    }

    fn offer(&self, sku: &str, product_sku: String, now: Time) -> Result<OfferRow, CommandError> {
        let mut fields = Map::new();
        fields.insert("sku".to_owned(), json!(sku));
        fields.insert("product_id".to_owned(), json!(ProductId::NIL));
        fields.extend(self.money("price", &["currency"])?.map(|money| ("price".to_owned(), money)));
        for column in OFFER_NUMBERS {
            fields.extend(self.number(column)?.map(|number| (column.to_owned(), json!(number))));
        }
        let mut relative = BTreeSet::new();
        for column in ["opens_at", "closes_at"] {
            if let Some(text) = self.text(column) {
                relative.extend(times::is_relative(text).then_some(column));
                let time = times::parse(text, now).map_err(|error| self.bad(format!("{column}: {error}")))?;
                fields.insert(column.to_owned(), json!(time));
            }
        }
        for column in ["refund_policy", "time_zone"] {
            fields.extend(self.text(column).map(|text| (column.to_owned(), json!(text))));
        }
        fields.extend(self.json("conditions")?.map(|conditions| ("conditions".to_owned(), conditions)));
        fields.extend(self.flag("draft")?.map(|flag| ("draft".to_owned(), json!(flag))));
        let given = fields.keys().filter(|field| !relative.contains(field.as_str())).cloned().collect();
        let offer = fields::read(fields, &self.place)?;
        Ok(OfferRow { place: self.place.clone(), given: GivenOffer { offer, product_sku, given } })
    }
}
