//! The roles of Firstcome: what each part of the shop does, over the ports of `firstcome-core`.
//!
//! A role is a value: `Role::create`-like functions take options and ports and give a router and workers. Roles never
//! import each other; they share the core, [`http`] and the ways to ask the ledger.

pub mod accounts;
pub mod actions;
pub mod catalog;
#[cfg(test)]
mod conformance;
pub mod consumer;
pub mod gateway;
pub mod guard;
#[cfg(test)]
mod harm;
pub mod heartbeat;
pub mod http;
pub mod letters;
pub mod mails;
pub mod notices;
pub mod orders;
pub mod pages;
pub mod payments;
mod qr;
pub mod role;
pub mod sandbox;
pub mod secrets;
pub mod sheet;
mod stock;
mod tries;
mod voucher_account;
mod voucher_code;
pub mod vouchers;

#[cfg(test)]
mod provider_test;
