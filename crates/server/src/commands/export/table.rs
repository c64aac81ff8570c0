//! CSV files.

use crate::commands::CommandError;

/// A table that is written.
pub(super) struct Table(csv::Writer<Vec<u8>>);

impl Table {
    pub(super) fn new(columns: &[&str]) -> Result<Self, CommandError> {
        let mut table = Self(csv::Writer::from_writer(Vec::new()));
        table.row(columns)?;
        Ok(table)
    }

    pub(super) fn row<T: AsRef<[u8]>>(&mut self, fields: &[T]) -> Result<(), CommandError> {
        self.0.write_record(fields).map_err(|error| CommandError::Broken(error.to_string()))
    }

    pub(super) fn finish(self) -> Result<Vec<u8>, CommandError> {
        self.0.into_inner().map_err(|error| CommandError::Broken(error.to_string()))
    }
}

/// What may be missing.
pub(super) fn maybe(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}
