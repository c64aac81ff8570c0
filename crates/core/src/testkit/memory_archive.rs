//! An archive in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::ids::{KeyHash, OfferNumber, OrderId};
use crate::ledger::{Event, Hold, Offer, OfferSnapshot, Persons};
use crate::order::OrderState;
use crate::ports::{ArchiveHead, HoldArchive, JournalEntry, ListedOrder, OrderArchive, OrderQuery, PortError};

/// A [`HoldArchive`] that folds the journal's entries and forgets nothing. Clones are the same archive.
#[derive(Clone, Default)]
pub struct MemoryArchive(Arc<Mutex<Books>>);

#[derive(Default)]
struct Books {
    head: ArchiveHead,
    offers: BTreeMap<OfferNumber, Offer>,
    keys: HashMap<KeyHash, Vec<OrderId>>,
}

impl MemoryArchive {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    fn apply(&mut self, entry: &JournalEntry) {
        if entry.position <= self.head.position {
            return;
        }
        self.head = ArchiveHead { position: entry.position, hash: entry.hash };
        for event in &entry.record.events {
            self.offers.entry(entry.record.offer).or_default().evolve(event, entry.record.at);
            let creates =
                matches!(event, Event::Held(_) | Event::Sold(_) | Event::Prepared(_) | Event::OrderAborted { .. });
            if let Some(order) = event.order().filter(|_| creates) {
                self.keys.entry(order.key_hash()).or_default().push(order);
            }
        }
    }
}

impl HoldArchive for MemoryArchive {
    fn head(&self) -> Result<ArchiveHead, PortError> {
        Ok(self.books().head)
    }

    fn apply(&self, entries: &[JournalEntry]) -> Result<(), PortError> {
        let mut books = self.books();
        for entry in entries {
            books.apply(entry);
        }
        Ok(())
    }

    fn clear(&self) -> Result<(), PortError> {
        *self.books() = Books::default();
        Ok(())
    }

    fn offers(&self) -> Result<Vec<OfferSnapshot>, PortError> {
        Ok(self.books().offers.values().filter_map(Offer::snapshot).collect())
    }

    fn open_holds(&self, offer: OfferNumber) -> Result<Vec<Hold>, PortError> {
        let books = self.books();
        let holds = books.offers.get(&offer).into_iter().flat_map(Offer::holds);
        Ok(holds.filter(|hold| hold.state.is_open()).cloned().collect())
    }

    fn persons(&self) -> Result<hashbrown::HashMap<OfferNumber, Persons>, PortError> {
        Ok(self.books().offers.iter().map(|(number, offer)| (*number, offer.persons().collect())).collect())
    }

    fn may_contain(&self, key: KeyHash) -> bool {
        self.books().keys.contains_key(&key)
    }

    fn hold(&self, offer: OfferNumber, order: OrderId) -> Result<Option<Hold>, PortError> {
        Ok(self.books().offers.get(&offer).and_then(|offer| offer.hold(order)).cloned())
    }

    fn order_of_key(&self, key: KeyHash) -> Result<Option<OrderId>, PortError> {
        let books = self.books();
        let granted = |order: &&OrderId| {
            let home = books.offers.get(&order.home());
            home.and_then(|offer| offer.hold(**order)).is_some_and(|hold| !hold.is_aborted())
        };
        Ok(books.keys.get(&key).into_iter().flatten().find(granted).copied())
    }
}

impl OrderArchive for MemoryArchive {
    fn list(&self, query: &OrderQuery) -> Result<Vec<ListedOrder>, PortError> {
        let books = self.books();
        let mut holds: Vec<&Hold> = books
            .offers
            .iter()
            .flat_map(|(number, offer)| offer.holds().filter(|hold| hold.order.home() == *number))
            .filter(|hold| !hold.is_aborted() && query.person.is_none_or(|person| person == hold.person))
            .collect();
        holds.sort_by_key(|hold| (hold.created_at, hold.order));
        let places = holds.into_iter().zip(1_i64..).map(|(hold, place)| ListedOrder { place, hold: hold.clone() });
        let selected = places.filter(|ListedOrder { place, hold }| {
            query.offer.is_none_or(|offer| hold.quantity_on(offer) > 0)
                && query.state.is_none_or(|state| state == OrderState::of(hold))
                && query.granted_from.is_none_or(|time| hold.created_at >= time)
                && query.granted_before.is_none_or(|time| hold.created_at < time)
                && query.after.is_none_or(|after| *place < after)
        });
        let mut selected: Vec<_> = selected.collect();
        selected.reverse();
        selected.truncate(query.limit);
        Ok(selected)
    }
}
