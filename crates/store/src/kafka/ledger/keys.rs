//! Which order was granted first under an idempotency key, of the last moments: those before are in the archive.
//!
//! The requests for one offer usually meet in one process, which refuses a second body under a key by itself. When they
//! do not, because they are for two offers or that process is gone, the journal tells: it has one order, so the first is
//! the first for everyone. A process that grants the key a second time, because it has not read the first yet, has read it
//! when its own record comes back, and gives the units back before anyone hears of them.

use std::time::{Duration, Instant};

use std::collections::VecDeque;

use firstcome_core::ids::{KeyHash, OrderId};
use firstcome_core::ledger::Event;
use firstcome_core::ports::JournalEntry;
use hashbrown::HashMap;
use parking_lot::Mutex;

/// How long a key is kept although the archive has it: longer than a request that did not find it there may wait for its
/// record.
const KEPT_FOR: Duration = Duration::from_secs(10);

/// The keys of accepted orders of the last moments, and as many as the archive is behind.
#[derive(Default)]
pub(super) struct RecentKeys(Mutex<Keys>);

#[derive(Default)]
struct Keys {
    first: HashMap<KeyHash, OrderId>,
    /// The position of the record that granted each, and when it was read.
    granted: VecDeque<(i64, Instant, KeyHash)>,
}

impl RecentKeys {
    /// Notes the orders that an accepted record grants.
    pub(super) fn take(&self, entry: &JournalEntry) {
        let (mut keys, now) = (self.0.lock(), Instant::now());
        for event in &entry.record.events {
            // A prepared line is not an order yet; its home offer decides.
            let (Event::Held(granted) | Event::Sold(granted)) = event else { continue };
            let key = granted.order.key_hash();
            keys.first.entry(key).or_insert(granted.order);
            keys.granted.push_back((entry.position, now, key));
        }
    }

    /// Whether another order was granted under the key of this one.
    pub(super) fn belongs_to_another(&self, order: OrderId) -> bool {
        self.0.lock().first.get(&order.key_hash()).is_some_and(|first| *first != order)
    }

    /// Forgets what the archive has had for long enough.
    pub(super) fn forget(&self, archived: i64) {
        self.forget_at(archived, Instant::now());
    }

    fn forget_at(&self, archived: i64, now: Instant) {
        let mut keys = self.0.lock();
        let is_old = |read: Instant| now.saturating_duration_since(read) >= KEPT_FOR;
        while keys.granted.front().is_some_and(|(position, read, _)| *position <= archived && is_old(*read)) {
            if let Some((_, _, key)) = keys.granted.pop_front() {
                keys.first.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use firstcome_core::ids::{EventId, OfferNumber, UserId};
    use firstcome_core::ledger::{Granted, Record};
    use firstcome_core::money::{Currency, Money};
    use firstcome_core::time::Time;

    use super::*;

    fn order(key: &str, body: u64) -> OrderId {
        OrderId::of_request(UserId::NIL, key, body << 40, OfferNumber(1))
    }

    fn held(position: i64, order: OrderId) -> JournalEntry {
        let granted = Granted {
            order,
            person: UserId::NIL,
            quantity: 1,
            unit_price: Money::new(1, Currency::KRW),
            discount: 0,
            digest: 0,
            expires_at: Time(1),
            terms_version: 1,
            facts: None,
        };
        let (offer, events) = (order.home(), vec![Event::Held(granted)]);
        let record = Record { offer, id: EventId::NIL, prev: [0; 32], first_seq: 1, at: Time(0), events };
        JournalEntry { position, record: Arc::new(record), hash: [0; 32] }
    }

    #[test]
    fn the_first_order_of_a_key_has_it() {
        let keys = RecentKeys::default();
        keys.take(&held(3, order("k", 1)));
        keys.take(&held(5, order("k", 2)));
        assert!(!keys.belongs_to_another(order("k", 1)));
        assert!(keys.belongs_to_another(order("k", 2)));
        assert!(!keys.belongs_to_another(order("other", 2)));
        let later = Instant::now() + KEPT_FOR;
        keys.forget_at(2, later);
        keys.forget(5);
        assert!(keys.belongs_to_another(order("k", 2)));
        keys.forget_at(5, later);
        assert!(!keys.belongs_to_another(order("k", 2)), "the archive knows it now");
    }
}
