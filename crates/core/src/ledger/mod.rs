//! The ledger: the only place that decides who gets a unit.
//!
//! One state machine per offer, pure and deterministic. [`Offer::decide`] looks at a [`Command`] and says what happens,
//! as an [`Outcome`] and the [`Event`]s that record it; [`Offer::evolve`] applies an event. State is the fold of the
//! events and of nothing else, so a journal of them rebuilds everything.

mod command;
mod deadlines;
mod decide;
mod event;
mod evolve;
mod hold;
mod holds;
mod offer;
mod outcome;
mod record;
mod terms;
mod undo;

pub use command::{Command, HoldRequest};
pub use decide::Now;
pub use event::{Event, Granted, ReleaseReason};
pub use hold::{CardPart, Facts, Hold, HoldState, Line, Return, TaxFacts};
pub use offer::{EXPIRE_AT_MOST, Offer, OfferSnapshot, Persons, Stock};
pub use outcome::{Outcome, Refusal};
pub use record::{Digest, Record, RecordError};
pub use terms::{InvalidTerms, MAX_ACCOUNT, MAX_STOCK, Terms};
pub use undo::Undo;
