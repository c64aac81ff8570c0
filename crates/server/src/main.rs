//! Firstcome.
fn main() {}
