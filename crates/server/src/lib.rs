//! Firstcome.

pub mod storm;
