//! The role over ports in memory.

mod addresses;
mod cart;
mod coupons;
mod forget;
mod gift_cards;
mod refunds;
mod returns;
mod several;
mod sheet;
mod shop;
mod steps;
mod terms;
