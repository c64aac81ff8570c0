//! Books as CSV: what `firstcome export` writes of all days, and what each role sends of some days under `/admin/books`.

mod days;
mod download;
mod offers;
mod pages;
mod table;
mod words;

pub(crate) use days::{AskedDays, Days};
pub(crate) use download::{Rows, download};
pub(crate) use offers::OfferIds;
pub(crate) use pages::Pages;
pub use table::{Table, maybe};
pub use words::{guarded, unguarded};
