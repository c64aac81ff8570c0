//! Every adapter of every port, one folder per technology.

pub mod sqlite;
