//! Tests of the whole program. One binary: a new file is a new module here.

mod actions;
mod after;
mod browser;
mod cart;
mod catalog;
mod checker;
#[cfg(feature = "cluster")]
mod cluster;
mod console;
mod coupons;
mod crash;
mod export;
mod faults;
mod gift_cards;
mod hostile;
mod idempotency;
mod letters;
mod matrix;
mod powercut;
mod privacy;
mod protocol;
mod races;
mod recovery;
mod sale;
mod settlement;
mod several;
mod shipping_fee;
mod simulation;
mod smtp;
mod socket;
mod steps;
mod storm;
mod tamper;
mod tax;
mod webhooks;
mod wishlist;
