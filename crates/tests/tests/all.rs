//! Tests of the whole program. One binary: a new file is a new module here.

mod browser;
mod cart;
mod catalog;
mod checker;
#[cfg(feature = "cluster")]
mod cluster;
mod console;
mod coupons;
mod crash;
mod faults;
mod hostile;
mod idempotency;
mod matrix;
mod powercut;
mod protocol;
mod recovery;
mod sale;
mod several;
mod simulation;
mod socket;
mod storm;
mod tamper;
