//! Books as CSV: what `firstcome export` writes of all days, and what each role sends of some days under `/admin/books`.

mod days;
mod download;
mod offers;
mod pages;
mod records;
mod table;
mod words;

pub(crate) use days::{AskedDays, Days};
pub(crate) use download::{Rows, download};
pub(crate) use offers::OfferIds;
pub(crate) use pages::Pages;
pub(crate) use records::RecordRows;
pub use table::{Table, maybe};
pub use words::{guarded, unguarded};
