//! Catalogues in CSV: one offer a row, with its product.

use firstcome_app::catalog::{NewOffer, NewProduct};
use firstcome_core::ids::ProductId;
use firstcome_core::time::Time;
use serde_json::{Map, Value, json};

use super::{Catalogue, OfferRow, ProductRow, bad, times};
use crate::commands::CommandError;

const PRODUCT_TEXTS: [&str; 6] = ["sku", "kind", "name", "description", "image_url", "visit_date"];
const OFFER_NUMBERS: [&str; 4] = ["stock", "limit_per_person", "max_per_order", "hold_for_seconds"];
const OTHERS: [&str; 9] = [
    "face_value",
    "valid_for_days",
    "discount_percent",
    "discount_amount",
    "price",
    "currency",
    "opens_at",
    "closes_at",
    "refund_policy",
];
const DEFAULT_CURRENCY: &str = "KRW";

/// Reads a catalogue.
pub(super) fn read(text: &str, name: &str, now: Time) -> Result<Catalogue, CommandError> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|error| bad(&format!("{name}:1"), error))?.clone();
    let known =
        |column: &str| [&PRODUCT_TEXTS[..], &OFFER_NUMBERS, &OTHERS].iter().any(|group| group.contains(&column));
    if let Some(unknown) = headers.iter().find(|column| !known(column)) {
        return Err(bad(&format!("{name}:1"), format!("there is no column {unknown}; see firstcome import --help")));
    }
    let mut catalogue = Catalogue::default();
    for record in reader.records() {
        let record = record.map_err(|error| bad(name, error))?;
        let line = record.position().map_or(0, csv::Position::line);
        let row = Row { place: format!("{name}:{line}"), headers: &headers, record: &record };
        catalogue.products.push(ProductRow { place: row.place.clone(), product: row.product()? });
        catalogue.offers.push(row.offer(now)?);
    }
    Ok(catalogue)
}

struct Row<'a> {
    place: String,
    headers: &'a csv::StringRecord,
    record: &'a csv::StringRecord,
}

impl Row<'_> {
    fn text(&self, column: &str) -> Option<&str> {
        let place = self.headers.iter().position(|header| header == column)?;
        self.record.get(place).filter(|text| !text.is_empty())
    }

    fn number(&self, column: &str) -> Result<Option<i64>, CommandError> {
        let wrong = || bad(&self.place, format!("{column}: must be a whole number"));
        self.text(column).map(|text| text.parse().map_err(|_| wrong())).transpose()
    }

    fn money(&self, column: &str) -> Result<Option<Value>, CommandError> {
        let currency = self.text("currency").unwrap_or(DEFAULT_CURRENCY);
        Ok(self.number(column)?.map(|amount| json!({ "amount": amount, "currency": currency })))
    }

    fn product(&self) -> Result<NewProduct, CommandError> {
        let mut fields = Map::new();
        for column in PRODUCT_TEXTS {
            fields.extend(self.text(column).map(|text| (column.to_owned(), json!(text))));
        }
        fields.extend(self.money("face_value")?.map(|money| ("face_value".to_owned(), money)));
        fields.extend(self.number("valid_for_days")?.map(|days| ("valid_for_days".to_owned(), json!(days))));
        let percent = self.number("discount_percent")?;
        let discount = match percent {
            Some(percent) => Some(json!({ "percent": percent, "max_amount": null })),
            None => self.money("discount_amount")?,
        };
        fields.extend(discount.map(|discount| ("discount".to_owned(), discount)));
        serde_json::from_value(Value::Object(fields)).map_err(|error| bad(&self.place, error))
    }

    fn offer(&self, now: Time) -> Result<OfferRow, CommandError> {
        let sku = self.text("sku").ok_or_else(|| bad(&self.place, "sku: is needed, so that twice is once"))?.to_owned();
        let mut fields = Map::new();
        fields.insert("sku".to_owned(), json!(sku));
        fields.insert("product_id".to_owned(), json!(ProductId::NIL));
        fields.extend(self.money("price")?.map(|money| ("price".to_owned(), money)));
        for column in OFFER_NUMBERS {
            fields.extend(self.number(column)?.map(|number| (column.to_owned(), json!(number))));
        }
        for column in ["opens_at", "closes_at"] {
            if let Some(text) = self.text(column) {
                let time = times::parse(text, now).map_err(|error| bad(&self.place, format!("{column}: {error}")))?;
                fields.insert(column.to_owned(), json!(time));
            }
        }
        fields.extend(self.text("refund_policy").map(|policy| ("refund_policy".to_owned(), json!(policy))));
        let offer: NewOffer = serde_json::from_value(Value::Object(fields)).map_err(|error| bad(&self.place, error))?;
        Ok(OfferRow { place: self.place.clone(), product_sku: sku, offer })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_rows_and_names_the_bad_one() {
        let text = "sku,kind,name,price,stock,face_value\na,gift_card,\"Card, 10k\",9000,5,10000\n";
        let catalogue = read(text, "f.csv", Time(0)).expect("readable");
        assert_eq!(catalogue.offers[0].offer.stock, 5);
        assert_eq!(catalogue.products[0].product.name, "Card, 10k");
        let text = "sku,kind,name,price,stock\na,goods,A,9000,5\nb,goods,B,many,5\n";
        let message = read(text, "f.csv", Time(0)).err().expect("refused").to_string();
        assert!(message.starts_with("f.csv:3: price: must be a whole number"), "{message}");
    }
}
