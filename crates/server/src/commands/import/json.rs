//! Catalogues in JSON.

use std::collections::BTreeSet;

use firstcome_app::catalog::GivenOffer;
use firstcome_core::ids::ProductId;
use firstcome_core::time::Time;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::{Catalogue, CategoryRow, OfferRow, ProductRow, bad, fields, times};
use crate::commands::CommandError;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    categories: Vec<Map<String, Value>>,
    #[serde(default)]
    products: Vec<Map<String, Value>>,
    #[serde(default)]
    offers: Vec<Map<String, Value>>,
}

/// Reads a catalogue.
pub(super) fn read(text: &str, name: &str, now: Time) -> Result<Catalogue, CommandError> {
    let file: File = serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(text))
        .map_err(|error| bad(&format!("{name}:{}", error.inner().line()), fields::words(&error)))?;
    let mut catalogue = Catalogue { categories: categories(file.categories, text, name)?, ..Catalogue::default() };
    for (index, row) in file.products.into_iter().enumerate() {
        let place = place(name, text, "products", index, &row);
        catalogue.products.push(product(row, place)?);
    }
    for (index, row) in file.offers.into_iter().enumerate() {
        let place = place(name, text, "offers", index, &row);
        catalogue.offers.push(offer(row, place, now)?);
    }
    Ok(catalogue)
}

/// Where a row stands: its line if its sku stands there once and for all, and its place in its list.
fn place(name: &str, text: &str, list: &str, index: usize, row: &Map<String, Value>) -> String {
    let sku = row.get("sku").and_then(Value::as_str).map(|sku| format!("\"{sku}\""));
    let section = text.find(&format!("\"{list}\"")).unwrap_or(0);
    let line = sku.and_then(|sku| text[section..].find(&sku)).map(|offset| text[..section + offset].lines().count());
    in_list(name, line, list, index)
}

fn in_list(name: &str, line: Option<usize>, list: &str, index: usize) -> String {
    match line {
        Some(line) => format!("{name}:{line}: {list}[{index}]"),
        None => format!("{name}: {list}[{index}]"),
    }
}

/// What others are in comes before them, wherever it stands.
fn categories(rows: Vec<Map<String, Value>>, text: &str, name: &str) -> Result<Vec<CategoryRow>, CommandError> {
    let mut categories = Vec::with_capacity(rows.len());
    let mut lines = lines_of_categories(text);
    for (index, row) in rows.into_iter().enumerate() {
        let place = in_list(name, lines.next(), "categories", index);
        categories.push(CategoryRow { given: fields::read(row, &place)?, place });
    }
    categories.sort_by_key(|row: &CategoryRow| row.given.parent.is_some());
    Ok(categories)
}

/// The lines on which they begin, in a text that was read.
fn lines_of_categories(text: &str) -> impl Iterator<Item = usize> {
    // Products have lists of this name too, but of names.
    let list = |from: usize| text[from..].trim_start().strip_prefix(':')?.trim_start().strip_prefix('[');
    let mut lists = text.match_indices("\"categories\"").filter_map(|(at, key)| list(at + key.len()));
    let mut rest = lists.find(|rest| rest.trim_start().starts_with('{')).unwrap_or_default();
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches([',', ' ', '\t', '\r', '\n']);
        let line = text[..text.len() - rest.len()].matches('\n').count() + 1;
        let mut rows = serde_json::Deserializer::from_str(rest).into_iter::<IgnoredAny>();
        rows.next()?.ok()?;
        rest = &rest[rows.byte_offset()..];
        Some(line)
    })
}

/// Its categories are called by their names.
fn product(mut row: Map<String, Value>, place: String) -> Result<ProductRow, CommandError> {
    let names = row.remove("categories").filter(|names| !names.is_null());
    let categories = names.map(serde_json::from_value).transpose();
    let categories = categories.map_err(|_| bad(&place, "categories: must be a list of names"))?;
    Ok(ProductRow { product: fields::read(row, &place)?, place, categories })
}

fn offer(mut row: Map<String, Value>, place: String, now: Time) -> Result<OfferRow, CommandError> {
    if row.contains_key("product_id") {
        return Err(bad(
            &place,
            "product_id: files name the product by product_sku, the sku of the product that is sold",
        ));
    }
    let Some(Value::String(product_sku)) = row.remove("product_sku") else {
        return Err(bad(&place, "product_sku: the sku of the product that is sold"));
    };
    let mut given: BTreeSet<String> = row.keys().cloned().collect();
    row.insert("product_id".to_owned(), Value::String(ProductId::NIL.to_string()));
    for field in ["opens_at", "closes_at"] {
        if let Some(Value::String(text)) = row.get(field) {
            if times::is_relative(text) {
                given.remove(field);
            }
            let time = times::parse(text, now).map_err(|error| bad(&place, format!("{field}: {error}")))?;
            row.insert(field.to_owned(), Value::String(time.to_string()));
        }
    }
    let offer = fields::read(row, &place)?;
    Ok(OfferRow { place, given: GivenOffer { offer, product_sku, given } })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(catalogue: &Catalogue) -> Result<(), CommandError> {
        super::super::check(catalogue, Time::from_millis(1_763_700_000_000), &jiff::tz::TimeZone::UTC)
    }

    #[test]
    fn the_demo_is_a_catalogue() {
        let catalogue = read(super::super::DEMO, "demo", Time::from_millis(1_763_700_000_000)).expect("readable");
        check(&catalogue).expect("acceptable");
        assert_eq!(catalogue.offers.len(), 5);
    }

    #[test]
    fn a_bad_row_is_named_with_its_line() {
        let text = "{\"products\": [\n  {\"sku\": \"a\", \"kind\": \"goods\", \"name\": \"A\", \"colour\": 1}\n]}";
        let message = read(text, "f.json", Time(0)).err().expect("refused").to_string();
        assert!(message.starts_with("f.json:2: products[0]: unknown field `colour`"), "{message}");
    }

    #[test]
    fn categories_are_named_with_their_lines_and_those_that_others_are_in_come_first() {
        let text = |last: &str| {
            format!(
                "{{\"products\": [{{\"sku\": \"a\", \"kind\": \"goods\", \"name\": \"A\", \"categories\": [\"B\"]}}],\n\
                 \"categories\": [{{\"name\": {{\"en\": \"B\"}}, \"parent\": \"C\"}},\n\n  {last}]}}"
            )
        };
        let read = |last: &str| read(&text(last), "f.json", Time(0));
        let found = read("{\"name\": {\"ko\": \"다\", \"en\": \"C\"}, \"position\": 7}").expect("readable").categories;
        let places: Vec<_> = found.iter().map(|row| row.place.as_str()).collect();
        assert_eq!(places, ["f.json:4: categories[1]", "f.json:2: categories[0]"]);
        // Not written so that its line is found, but read.
        let odd = super::read(r#"{"\u0063ategories": [{"name": {"en": "C"}}]}"#, "f.json", Time(0)).expect("readable");
        assert_eq!(odd.categories[0].place, "f.json: categories[0]");
        let said = |last: &str| read(last).err().expect("refused").to_string();
        let unknown = said("{\"name\": {\"en\": \"C\"}, \"colour\": 1}");
        assert!(unknown.starts_with("f.json:4: categories[1]: unknown field `colour`"), "{unknown}");
        let wrong = said("{\"name\": {\"en\": \"C\"}, \"position\": -1}");
        assert!(wrong.starts_with("f.json:4: categories[1]: position: invalid value"), "{wrong}");
        let nameless = said("{\"position\": 1}");
        assert!(nameless.starts_with("f.json:4: categories[1]: missing field `name`"), "{nameless}");
        let beside = check(&read("{\"name\": {\"en\": \"C > D\"}}").expect("readable"));
        let beside = beside.expect_err("refused").to_string();
        assert!(beside.starts_with("f.json:4: categories[1]: ") && beside.contains("must not have >"), "{beside}");
    }

    #[test]
    fn the_wrong_field_is_named() {
        let product = r#""products": [{"sku": "a", "kind": "goods", "name": "A"}]"#;
        let message = |offer: &str| {
            let text = format!("{{{product},\n\"offers\": [{{\"sku\": \"a\", {offer}}}]}}");
            read(&text, "f.json", Time(0)).err().expect("refused").to_string()
        };
        let price = r#""price": {"amount": 1, "currency": "KRW"}"#;
        let said = message(&format!(r#""product_sku": "a", {price}, "stock": -5"#));
        assert!(said.starts_with("f.json:2: offers[0]: stock: invalid value: integer `-5`"), "{said}");
        let said = message(r#""product_sku": "a", "price": {"amount": "much", "currency": "KRW"}, "stock": 5"#);
        assert!(said.starts_with("f.json:2: offers[0]: price.amount: invalid type"), "{said}");
        let said = message(&format!(r#""product_sku": "a", {price}, "stok": 5"#));
        assert!(said.contains("offers[0]: unknown field `stok`") && said.contains("`product_sku`"), "{said}");
        assert!(!said.contains("product_id"), "{said}");
        let said = message(&format!(r#""product_id": "a", {price}, "stock": 5"#));
        assert!(said.starts_with("f.json:2: offers[0]: product_id: files name the product by product_sku"), "{said}");
        let said = read("{\"products\": [1]}", "f.json", Time(0)).err().expect("refused").to_string();
        assert!(said.starts_with("f.json:1: products[0]: invalid type"), "{said}");
    }
}
