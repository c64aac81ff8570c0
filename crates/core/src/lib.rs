//! The heart of Firstcome: what the program promises, as pure functions and types.
//!
//! Nothing here does I/O. Time and chance are arguments. The adapters that keep these promises on real engines
//! live in `firstcome-store`; the roles that use them in `firstcome-app`.

pub mod codes;
pub mod discount;
pub mod events;
pub mod ids;
pub mod lag;
pub mod ledger;
pub mod money;
pub mod order;
pub mod payment;
pub mod ports;
pub mod product;
pub mod records;
pub mod step;
pub mod tax;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;
pub mod time;
pub mod voucher;
