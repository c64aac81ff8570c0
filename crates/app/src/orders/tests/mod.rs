//! The role over ports in memory.

mod coupons;
mod refunds;
mod several;
mod shop;
