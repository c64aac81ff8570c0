//! The settlement check: the provider's list of what moved on a day, against our books.
//!
//! A [run](rows::Settlement) checks one day of the shop's time zone, both ways. What the provider lists is looked for among
//! our attempts and refunds ([`compare`]); what we have of that day and the list has not is asked for by its name
//! ([`unlisted`]), because our clock and the provider's need not put it on the same day. What does not agree is a finding, and what is on its way
//! is none ([`check`]).
//!
//! Each night the day before is checked, once however many processes there are: a run is named after its day. Days that
//! passed while nobody ran are made up for. Whoever takes a run up holds it on a lease; of a process that dies the next one
//! finds the lease over and begins again.

mod ask;
mod calendar;
mod check;
mod compare;
mod finding;
mod rows;
mod sheet;
mod show;
mod unlisted;
mod worker;

pub use calendar::Calendar;
#[cfg(test)]
pub(super) use rows::FindingClass;
pub use rows::{Finding, Settlement};

pub(super) use ask::{__path_post, post};
pub(super) use show::{__path_findings, __path_get, __path_list, findings, get, list};
pub(super) use worker::worker;
