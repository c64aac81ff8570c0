//! Taking records of the journal: from events to rows.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

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

/// An order's row as of before the batch.
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
        let mut batch: BTreeMap<OfferNumber, Offer> = BTreeMap::new();
        let mut known = BTreeMap::new();
        for entry in entries {
            let number = entry.record.offer;
            let offer = match batch.entry(number) {
                Entry::Occupied(offer) => offer.into_mut(),
                Entry::Vacant(vacant) => vacant.insert(self.begin(number)),
            };
            for (seq, event) in entry.record.numbered() {
                if seq != offer.seq() + 1 {
                    let reason = format!("offer {number} goes from {} to {seq}", offer.seq());
                    return Err(ApplyError::Misfit(reason));
                }
                self.recall(indexes, number, offer, event, &mut known)?;
                offer.evolve(event, entry.record.at);
            }
        }
        Ok(self.write_rows(&batch, &known)?)
    }

    fn begin(&self, number: OfferNumber) -> Offer {
        let known = self.offers.get(&number).cloned();
        known.map_or_else(Offer::default, |offer| Offer::restore(offer, [], Persons::new()))
    }

    /// Brings the hold that an event changes into the batch, unless the batch has it or the event makes it.
    fn recall(
        &self,
        indexes: &Indexes,
        number: OfferNumber,
        offer: &mut Offer,
        event: &Event,
        known: &mut BTreeMap<(OfferNumber, OrderId), Known>,
    ) -> std::result::Result<(), ApplyError> {
        let makes = matches!(event, Event::Held(_) | Event::Prepared(_) | Event::Sold(_));
        let Some(order) = event.order().filter(|order| !makes && offer.hold(*order).is_none()) else { return Ok(()) };
        let Some(ArchivedRow { row, hold, .. }) = indexes.row_of(&self.connection, number, order)? else {
            if matches!(event, Event::OrderAborted { .. }) {
                return Ok(());
            }
            return Err(ApplyError::Misfit(format!("{order} changes on offer {number}, but was never granted")));
        };
        known.insert((number, order), Known { row, units: hold.units() });
        offer.recall(hold);
        Ok(())
    }

    fn write_rows(
        &self,
        batch: &BTreeMap<OfferNumber, Offer>,
        known: &BTreeMap<(OfferNumber, OrderId), Known>,
    ) -> Result<Taken> {
        let mut taken = Taken { offers: vec![], last_row: self.last_row, keys: vec![], persons: vec![] };
        let mut changes: Vec<Change> = Vec::new();
        for (number, offer) in batch {
            for hold in offer.holds() {
                let before = known.get(&(*number, hold.order));
                let row = before.map_or_else(|| taken.number(hold), |known| known.row);
                table::write_hold(&self.connection, row, before.is_none(), *number, hold)?;
                let units = i64::from(hold.units()) - before.map_or(0, |known| i64::from(known.units));
                changes.extend((units != 0).then_some((*number, hold.person, units as i32)));
            }
            if let Some(snapshot) = offer.snapshot() {
                table::write_offer(&self.connection, &snapshot)?;
                taken.offers.push(snapshot);
            }
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
