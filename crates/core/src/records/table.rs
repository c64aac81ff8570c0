//! Tables, rows and values.

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// 64 bits, signed.
    Integer,
    /// UTF-8, compared byte by byte.
    Text,
    /// Bytes.
    Blob,
}

/// One column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it may be empty.
    pub nullable: bool,
}

impl Column {
    /// Whether a value is of the kind that the column holds.
    pub fn takes(&self, value: &Value) -> bool {
        match value {
            Value::Null => self.nullable,
            Value::Integer(_) => self.kind == Kind::Integer,
            Value::Text(_) => self.kind == Kind::Text,
            Value::Blob(_) => self.kind == Kind::Blob,
        }
    }
}

/// An index over columns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Index {
    /// Its name, unique in the database.
    pub name: &'static str,
    /// Its columns, most significant first.
    pub columns: &'static [&'static str],
    /// Whether two rows may not agree in all of them. Rows with an empty value agree with none.
    pub unique: bool,
}

/// A table. The first column is the primary key. Adapters add a column `version`, an integer.
#[derive(PartialEq, Eq, Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its columns.
    pub columns: &'static [Column],
    /// Its indexes beside the primary key.
    pub indexes: &'static [Index],
    /// Whether its rows stay as they were inserted: every adapter refuses to change and to delete one.
    pub append_only: bool,
}

impl Table {
    /// The primary key.
    pub fn key(&self) -> &'static Column {
        &self.columns[0]
    }

    /// The position of a column.
    pub fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|candidate| candidate.name == column)
    }
}

/// One value.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Value {
    /// Empty.
    Null,
    /// See [`Kind::Integer`].
    Integer(i64),
    /// See [`Kind::Text`].
    Text(String),
    /// See [`Kind::Blob`].
    Blob(Vec<u8>),
}

/// One row: its values in the order of the table's columns, and its version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// One value per column.
    pub values: Vec<Value>,
    /// 1 when inserted, one more with every update; a projection sets its own.
    pub version: i64,
}
