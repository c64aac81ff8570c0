//! Firstcome.
