//! The role over ports in memory.

mod coupons;
mod gift_cards;
mod refunds;
mod returns;
mod several;
mod shop;
mod terms;
