//! The catalogue as `firstcome import` reads it.

use std::collections::HashMap;

use firstcome_app::catalog::ExportedCatalogue;
use firstcome_app::sheet::{Table, guarded};
use serde_json::{Map, Value, json};

use crate::commands::CommandError;
use crate::commands::import::{COLUMNS, categories};

type Fields = Map<String, Value>;

pub(super) fn json(exported: &ExportedCatalogue) -> Result<Vec<u8>, CommandError> {
    let mut text = serde_json::to_vec_pretty(exported).map_err(std::io::Error::from)?;
    text.push(b'\n');
    Ok(text)
}

/// One offer a row with its product; a product without an offer has a row of its own.
pub(super) fn csv(exported: &ExportedCatalogue) -> Result<Vec<u8>, CommandError> {
    let mut offers: HashMap<&str, Vec<&Fields>> = HashMap::new();
    for offer in &exported.offers {
        offers.entry(text(offer, "product_sku")).or_default().push(offer);
    }
    let mut table = Table::new(&COLUMNS)?;
    for product in &exported.products {
        let cells = of_product(product)?;
        match offers.get(text(product, "sku")) {
            None => table.row(&in_columns(&cells))?,
            Some(offers) => {
                for offer in offers {
                    let mut cells = cells.clone();
                    cells.extend(of_offer(offer)?);
                    table.row(&in_columns(&cells))?;
                }
            }
        }
    }
    Ok(table.finish()?)
}

fn text<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn in_columns(cells: &HashMap<String, String>) -> Vec<String> {
    COLUMNS.iter().map(|column| cells.get(*column).cloned().unwrap_or_default()).collect()
}

fn of_product(product: &Fields) -> Result<HashMap<String, String>, CommandError> {
    let mut cells = HashMap::new();
    for (name, value) in product {
        match (name.as_str(), value) {
            ("categories", names) => {
                let names = names.as_array().into_iter().flatten().filter_map(Value::as_str);
                cells.insert("categories".to_owned(), guarded(&categories::cell(names)));
            }
            ("face_value", money) => put_money(&mut cells, "face_value", "value_currency", money),
            ("discount", discount) if discount.get("percent").is_some() => {
                put(&mut cells, "discount_percent", &discount["percent"])?;
                put(&mut cells, "discount_max_amount", discount.get("max_amount").unwrap_or(&Value::Null))?;
            }
            ("discount", money) => put_money(&mut cells, "discount_amount", "value_currency", money),
            (name, value) => put(&mut cells, name, value)?,
        }
    }
    Ok(cells)
}

fn of_offer(offer: &Fields) -> Result<HashMap<String, String>, CommandError> {
    let mut cells = HashMap::new();
    for (name, value) in offer {
        match name.as_str() {
            "sku" => put(&mut cells, "offer_sku", value)?,
            "product_sku" => {}
            "price" => put_money(&mut cells, "price", "currency", value),
            "conditions" => drop(cells.insert("conditions".to_owned(), value.to_string())),
            name => put(&mut cells, name, value)?,
        }
    }
    Ok(cells)
}

/// An amount, and its currency in a column of its own.
fn put_money(cells: &mut HashMap<String, String>, amount: &str, currency: &str, money: &Value) {
    cells.insert(amount.to_owned(), money["amount"].to_string());
    cells.insert(currency.to_owned(), money["currency"].as_str().unwrap_or_default().to_owned());
}

/// A value that stands in a column. What has no column is not lost in silence.
fn put(cells: &mut HashMap<String, String>, column: &str, value: &Value) -> Result<(), CommandError> {
    let cell = match value {
        Value::Null => return Ok(()),
        Value::String(text) => guarded(text),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(_) | Value::Object(_) => {
            return Err(CommandError::Input(format!(
                "{column} cannot be said in CSV: {}; export to .json",
                json!(value)
            )));
        }
    };
    if !COLUMNS.contains(&column) {
        return Err(CommandError::Input(format!("CSV has no column {column}; export to .json")));
    }
    cells.insert(column.to_owned(), cell);
    Ok(())
}
