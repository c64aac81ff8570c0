//! The checkout page: what a buyer sees of the provider. No script; every button is a form.

pub(super) mod decide;
pub(super) mod deposit;
pub(super) mod page;
pub(super) mod return_url;
mod words;
