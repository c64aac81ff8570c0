//! Taking records of the journal: from events to rows.

use std::collections::BTreeMap;

use firstcome_core::ids::{OfferNumber, OrderId};
use firstcome_core::ledger::{Event, Hold, Offer, OfferSnapshot, Persons};
use firstcome_core::ports::JournalEntry;
use rusqlite::{Connection, Result};

use super::table::{self, ArchivedRow};
use super::units::{self, Change};
use super::{Indexes, key_of, person_of, run};

/// The one who writes.
pub(super) struct Writer {
    pub(super) connection: Connection,
    /// Every offer as of the last commit.
    pub(super) offers: BTreeMap<OfferNumber, OfferSnapshot>,
    /// The highest number of a row.
    pub(super) last_row: i64,
}

/// What a batch of records does, before it is committed.
pub(super) struct Taken {
    offers: Vec<OfferSnapshot>,
    last_row: i64,
    keys: Vec<run::Entry>,
    persons: Vec<run::Entry>,
}

/// Records on their way to rows.
#[derive(Default)]
struct Batch {
    offers: BTreeMap<OfferNumber, Offer>,
    /// Holds that have a row, as of before the batch.
    known: BTreeMap<(OfferNumber, OrderId), Known>,
    /// Holds that have none, in the order of the journal: so that is the order of rows, however records are batched.
    made: Vec<(OfferNumber, OrderId)>,
}

/// A row as of before the batch.
struct Known {
    row: i64,
    units: u32,
}

/// Why a batch cannot be taken.
pub(super) enum ApplyError {
    Sql(rusqlite::Error),
    /// The records do not fit what is there.
    Misfit(String),
}

impl From<rusqlite::Error> for ApplyError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl Writer {
    /// Writes the rows that these records make or change, in one transaction that the caller ends.
    pub(super) fn write(&self, indexes: &Indexes, entries: &[JournalEntry]) -> std::result::Result<Taken, ApplyError> {
        let mut batch = Batch::default();
        for entry in entries {
            let number = entry.record.offer;
            let mut offer = batch.offers.remove(&number).unwrap_or_else(|| self.begin(number));
            for (seq, event) in entry.record.numbered() {
                if seq != offer.seq() + 1 {
                    let reason = format!("offer {number} goes from {} to {seq}", offer.seq());
                    return Err(ApplyError::Misfit(reason));
                }
                self.prepare(indexes, &mut batch, number, &mut offer, event)?;
                offer.evolve(event, entry.record.at);
            }
            batch.offers.insert(number, offer);
        }
        Ok(self.write_rows(&batch)?)
    }

    fn begin(&self, number: OfferNumber) -> Offer {
        let known = self.offers.get(&number).cloned();
        known.map_or_else(Offer::default, |offer| Offer::restore(offer, [], Persons::new()))
    }

    /// Notes the hold that an event makes; brings the one that it changes into the batch, unless it is there.
    fn prepare(
        &self,
        indexes: &Indexes,
        batch: &mut Batch,
        number: OfferNumber,
        offer: &mut Offer,
        event: &Event,
    ) -> std::result::Result<(), ApplyError> {
        let Some(order) = event.order().filter(|order| offer.hold(*order).is_none()) else { return Ok(()) };
        if matches!(event, Event::Held(_) | Event::Prepared(_) | Event::Sold(_)) {
            batch.made.push((number, order));
            return Ok(());
        }
        match indexes.row_of(&self.connection, number, order)? {
            Some(ArchivedRow { row, hold, .. }) => {
                batch.known.insert((number, order), Known { row, units: hold.units() });
                offer.recall(hold);
            }
            None if matches!(event, Event::OrderAborted { .. }) => batch.made.push((number, order)),
            None => {
                return Err(ApplyError::Misfit(format!("{order} changes on offer {number}, but was never granted")));
            }
        }
        Ok(())
    }

    fn write_rows(&self, batch: &Batch) -> Result<Taken> {
        let mut taken = Taken { offers: vec![], last_row: self.last_row, keys: vec![], persons: vec![] };
        let mut changes: Vec<Change> = Vec::new();
        let hold_of = |number: &OfferNumber, order| batch.offers.get(number).and_then(|offer| offer.hold(order));
        for ((number, order), Known { row, units }) in &batch.known {
            let Some(hold) = hold_of(number, *order) else { continue };
            table::write_hold(&self.connection, *row, false, *number, hold)?;
            changes.push((*number, hold.person, hold.units() as i32 - *units as i32));
        }
        for (number, order) in &batch.made {
            let Some(hold) = hold_of(number, *order) else { continue };
            table::write_hold(&self.connection, taken.number(hold), true, *number, hold)?;
            changes.push((*number, hold.person, hold.units() as i32));
        }
        changes.retain(|change| change.2 != 0);
        for snapshot in batch.offers.values().filter_map(Offer::snapshot) {
            table::write_offer(&self.connection, &snapshot)?;
            taken.offers.push(snapshot);
        }
        if !changes.is_empty() {
            units::append(&self.connection, changes)?;
        }
        Ok(taken)
    }

    /// Goes on from what was committed.
    pub(super) fn committed(&mut self, indexes: &Indexes, taken: Taken) {
        self.last_row = taken.last_row;
        for offer in taken.offers {
            self.offers.insert(offer.terms.offer.number(), offer);
        }
        indexes.keys.add(taken.keys);
        indexes.persons.add(taken.persons);
    }
}

impl Taken {
    /// The number of a new row.
    fn number(&mut self, hold: &Hold) -> i64 {
        self.last_row += 1;
        let row = self.last_row as u64;
        self.keys.push((key_of(hold.order), row));
        self.persons.push((person_of(hold.person), row));
        self.last_row
    }
}
