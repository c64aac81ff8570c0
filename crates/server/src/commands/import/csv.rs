//! Catalogues in CSV: one offer a row, with its product.

use std::collections::BTreeSet;

use firstcome_app::catalog::{GivenOffer, NewProduct};
use firstcome_core::ids::ProductId;
use firstcome_core::time::Time;
use serde_json::{Map, Value, json};

use super::{Catalogue, OfferRow, ProductRow, bad, fields, times};
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
    let mut lines = Lines { text, read: 0, line: 1 };
    for record in reader.records() {
        let record = record.map_err(|error| {
            let line = error.position().map_or(0, |position| lines.line_of(position));
            bad(&format!("{name}:{line}"), reason(&error))
        })?;
        let line = record.position().map_or(0, |position| lines.line_of(position));
        let row = Row { place: format!("{name}:{line}"), headers: &headers, record: &record };
        catalogue.products.push(ProductRow { place: row.place.clone(), product: row.product()? });
        catalogue.offers.push(row.offer(now)?);
    }
    Ok(catalogue)
}

/// What is wrong with a record, without the place: the reader counts the two signs at the end of a line as two places.
fn reason(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("there are {len} fields, but {expected_len} columns")
        }
        _ => error.to_string(),
    }
}

/// Counts lines, whether they end as on Unix or as on Windows. Asked for places in the order of the file.
struct Lines<'a> {
    text: &'a str,
    read: usize,
    line: usize,
}

impl Lines<'_> {
    /// The line on which the record at this position begins. The reader stands before what is left of the last line's end.
    fn line_of(&mut self, position: &csv::Position) -> usize {
        let bytes = self.text.as_bytes();
        let mut begin = usize::try_from(position.byte()).unwrap_or(usize::MAX).min(bytes.len());
        while matches!(bytes.get(begin), Some(b'\r' | b'\n')) {
            begin += 1;
        }
        while self.read < begin {
            let lone = bytes[self.read] == b'\r' && bytes.get(self.read + 1) != Some(&b'\n');
            self.line += usize::from(lone || bytes[self.read] == b'\n');
            self.read += 1;
        }
        self.line
    }
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
        fields::read(fields, &self.place)
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
        let mut relative = BTreeSet::new();
        for column in ["opens_at", "closes_at"] {
            if let Some(text) = self.text(column) {
                relative.extend(times::is_relative(text).then_some(column));
                let time = times::parse(text, now).map_err(|error| bad(&self.place, format!("{column}: {error}")))?;
                fields.insert(column.to_owned(), json!(time));
            }
        }
        fields.extend(self.text("refund_policy").map(|policy| ("refund_policy".to_owned(), json!(policy))));
        let given = fields.keys().filter(|field| !relative.contains(field.as_str())).cloned().collect();
        let offer = fields::read(fields, &self.place)?;
        Ok(OfferRow { place: self.place.clone(), given: GivenOffer { offer, product_sku: sku, given } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_rows_and_names_the_bad_one() {
        let text = "sku,kind,name,price,stock,face_value\na,gift_card,\"Card, 10k\",9000,5,10000\n";
        let catalogue = read(text, "f.csv", Time(0)).expect("readable");
        assert_eq!(catalogue.offers[0].given.offer.stock, 5);
        assert_eq!(catalogue.products[0].product.name, "Card, 10k");
        let text = "sku,kind,name,price,stock\na,goods,A,9000,5\nb,goods,B,many,5\n";
        let message = read(text, "f.csv", Time(0)).err().expect("refused").to_string();
        assert!(message.starts_with("f.csv:3: price: must be a whole number"), "{message}");
    }

    #[test]
    fn lines_are_counted_however_they_end() {
        for end in ["\n", "\r\n", "\r"] {
            for (bad, rows) in [
                (2, ["a,goods,A,many,5", "b,goods,B,9000,5"]),
                (3, ["a,goods,A,9000,5", "b,goods,B,9000,-5"]),
                (3, ["a,goods,A,9000,5", "b,goods,B,9000"]),
            ] {
                let text = ["sku,kind,name,price,stock", rows[0], rows[1], ""].join(end);
                let message = read(&text, "f.csv", Time(0)).err().expect("refused").to_string();
                assert!(message.starts_with(&format!("f.csv:{bad}: ")), "{end:?} {message}");
            }
            let text = format!("sku,kind,name,price,stock{end}a,goods,\"A{end}A\",1,5{end}{end}b,goods,B,1,-5{end}");
            let message = read(&text, "f.csv", Time(0)).err().expect("refused").to_string();
            assert!(message.starts_with("f.csv:5: stock: invalid value: integer `-5`"), "{end:?} {message}");
        }
    }
}
