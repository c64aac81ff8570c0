//! The role over ports in memory.

mod coupons;
mod several;
mod shop;
