//! The role over ports in memory.

mod several;
mod shop;
