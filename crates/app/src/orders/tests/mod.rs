//! The role over ports in memory.

mod cart;
mod coupons;
mod several;
mod shop;
