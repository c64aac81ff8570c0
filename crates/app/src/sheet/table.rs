//! CSV in memory.

use std::io;

/// A table that is written.
pub struct Table(csv::Writer<Vec<u8>>);

impl Table {
    /// One with these columns.
    pub fn new(columns: &[&str]) -> io::Result<Self> {
        let mut table = Self::below();
        table.row(columns)?;
        Ok(table)
    }

    /// One that goes on below another: without a line for its columns.
    pub fn below() -> Self {
        Self(csv::Writer::from_writer(Vec::new()))
    }

    /// Adds a row; it has as many fields as the others.
    pub fn row<T: AsRef<[u8]>>(&mut self, fields: &[T]) -> io::Result<()> {
        Ok(self.0.write_record(fields)?)
    }

    /// What was written.
    pub fn finish(self) -> io::Result<Vec<u8>> {
        self.0.into_inner().map_err(csv::IntoInnerError::into_error)
    }
}

/// What may be missing.
pub fn maybe(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}
