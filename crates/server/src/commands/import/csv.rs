//! Catalogues in CSV: our own columns, and those of other shops' exports.

mod foreign;
mod lines;
mod ours;
mod shopify;
#[cfg(test)]
mod tests;
mod woocommerce;

use firstcome_core::money::Currency;
use firstcome_core::time::Time;

use self::lines::Lines;
use super::{Catalogue, bad};
use crate::commands::CommandError;

pub(in crate::commands) use ours::COLUMNS;

const DEFAULT_CURRENCY: &str = "KRW";

/// A row of a file.
struct Row<'a> {
    place: String,
    line: usize,
    headers: &'a csv::StringRecord,
    record: &'a csv::StringRecord,
}

impl Row<'_> {
    /// What stands in a column, exactly.
    fn exact(&self, column: &str) -> Option<&str> {
        let place = self.headers.iter().position(|header| header == column)?;
        self.record.get(place).filter(|text| !text.is_empty())
    }

    /// What stands in a column, without blanks around it.
    fn text(&self, column: &str) -> Option<&str> {
        self.exact(column).map(str::trim).filter(|text| !text.is_empty())
    }

    fn number(&self, column: &str) -> Result<Option<i64>, CommandError> {
        let wrong = || self.bad(format!("{column}: must be a whole number"));
        self.text(column).map(|text| text.parse().map_err(|_| wrong())).transpose()
    }

    fn bad(&self, message: impl std::fmt::Display) -> CommandError {
        bad(&self.place, message)
    }
}

/// Takes rows in the order of a file.
trait Dialect {
    fn take(&mut self, row: &Row<'_>) -> Result<(), CommandError>;
    /// What they say together.
    fn finish(self) -> Result<Catalogue, CommandError>;
}

/// Reads a catalogue.
/// `currency` is what prices of other shops are in: their files do not say.
pub(super) fn read(text: &str, name: &str, now: Time, currency: Currency) -> Result<Catalogue, CommandError> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|error| bad(&format!("{name}:1"), error))?.clone();
    if shopify::is(&headers) {
        return every(text, name, reader, &headers, shopify::Shopify::new(currency));
    }
    if woocommerce::is(&headers) {
        return every(text, name, reader, &headers, woocommerce::WooCommerce::new(currency));
    }
    ours::check(&headers).map_err(|why| bad(&format!("{name}:1"), why))?;
    every(text, name, reader, &headers, ours::Ours::new(now))
}

fn every(
    text: &str,
    name: &str,
    mut reader: csv::Reader<&[u8]>,
    headers: &csv::StringRecord,
    mut dialect: impl Dialect,
) -> Result<Catalogue, CommandError> {
    let mut lines = Lines::of(text);
    for record in reader.records() {
        let record = record.map_err(|error| {
            let line = error.position().map_or(0, |position| lines.line_of(position));
            bad(&format!("{name}:{line}"), reason(&error))
        })?;
        let line = record.position().map_or(0, |position| lines.line_of(position));
        dialect.take(&Row { place: format!("{name}:{line}"), line, headers, record: &record })?;
    }
    dialect.finish()
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
