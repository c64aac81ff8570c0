//! The holds of one offer in memory, found by their order: a table of positions over a slab, so that no id is kept twice
//! and growing does not move what is there.

use hashbrown::HashTable;

use super::hold::Hold;
use crate::ids::OrderId;

/// Holds per chunk of the slab: 128 KiB at a time, so that a small offer stays small.
const CHUNK: usize = 1024;

/// Holds by order.
#[derive(Clone, Default)]
pub(super) struct Holds {
    positions: HashTable<u32>,
    chunks: Vec<Vec<Option<Hold>>>,
    free: Vec<u32>,
}

/// Order ids begin with a cryptographic hash, so their own bits spread well; the last eight bytes carry the offer.
fn spread(order: OrderId) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&order.0[..8]);
    u64::from_be_bytes(bytes).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Holds {
    /// The hold at a place.
    pub(super) fn at(&self, position: u32) -> Option<&Hold> {
        self.chunks.get(position as usize / CHUNK)?.get(position as usize % CHUNK)?.as_ref()
    }

    /// Where the hold of an order is, until it is removed.
    pub(super) fn position(&self, order: OrderId) -> Option<u32> {
        let same = |position: &u32| self.at(*position).is_some_and(|hold| hold.order == order);
        self.positions.find(spread(order), same).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.positions.len()
    }

    pub(super) fn get(&self, order: OrderId) -> Option<&Hold> {
        self.at(self.position(order)?)
    }

    pub(super) fn get_mut(&mut self, order: OrderId) -> Option<&mut Hold> {
        let position = self.position(order)? as usize;
        self.chunks.get_mut(position / CHUNK)?.get_mut(position % CHUNK)?.as_mut()
    }

    /// Adds a hold, or replaces the one of the same order, and says where.
    pub(super) fn insert(&mut self, hold: Hold) -> u32 {
        if let Some(position) = self.position(hold.order) {
            self.chunks[position as usize / CHUNK][position as usize % CHUNK] = Some(hold);
            return position;
        }
        let order = hold.order;
        let position = if let Some(position) = self.free.pop() {
            self.chunks[position as usize / CHUNK][position as usize % CHUNK] = Some(hold);
            position
        } else {
            if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
                let first = self.chunks.is_empty();
                self.chunks.push(if first { Vec::new() } else { Vec::with_capacity(CHUNK) });
            }
            let chunk = self.chunks.len() - 1;
            self.chunks[chunk].push(Some(hold));
            (chunk * CHUNK + self.chunks[chunk].len() - 1) as u32
        };
        let chunks = &self.chunks;
        self.positions.insert_unique(spread(order), position, |position| {
            let position = *position as usize;
            chunks[position / CHUNK][position % CHUNK].as_ref().map_or(0, |hold| spread(hold.order))
        });
        position
    }

    pub(super) fn remove(&mut self, order: OrderId) -> Option<Hold> {
        let position = self.position(order)?;
        if let Ok(entry) = self.positions.find_entry(spread(order), |candidate| *candidate == position) {
            entry.remove();
        }
        self.free.push(position);
        self.chunks[position as usize / CHUNK][position as usize % CHUNK].take()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Hold> {
        self.chunks.iter().flatten().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{OfferNumber, UserId};
    use crate::ledger::{Event, Granted};
    use crate::money::{Currency, Money};
    use crate::time::Time;

    fn hold(number: u64) -> Hold {
        let granted = Granted {
            order: OrderId::of_request(UserId([1; 16]), &number.to_string(), 0, OfferNumber(1)),
            person: UserId([1; 16]),
            quantity: 1,
            unit_price: Money::new(number as i64, Currency::KRW),
            discount: 0,
            digest: 0,
            expires_at: Time(0),
            terms_version: 1,
            facts: None,
        };
        Hold::created_by(&Event::Held(granted), number, Time(0)).expect("a hold")
    }

    #[test]
    fn finds_what_it_holds_and_reuses_what_it_frees() {
        let mut holds = Holds::default();
        for number in 0..5_000 {
            holds.insert(hold(number));
        }
        for number in (0..5_000).step_by(2) {
            assert_eq!(holds.remove(hold(number).order).map(|gone| gone.granted_seq), Some(number));
        }
        for number in 5_000..7_000 {
            holds.insert(hold(number));
        }
        assert_eq!(holds.len(), 4_500);
        assert_eq!(holds.iter().count(), 4_500);
        assert_eq!(holds.chunks.len(), 5);
        assert!(holds.get(hold(4).order).is_none());
        assert!((5_000..7_000).all(|number| holds.get(hold(number).order) == Some(&hold(number))));
    }
}
