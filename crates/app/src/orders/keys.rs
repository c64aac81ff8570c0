//! Idempotency keys of orders: the same key is the same request, or it is refused.
//!
//! An order's id begins with the hash of its person and key, so every order that was ever granted under a key is found
//! by a range of ids. Most keys are new, and the filter says so at once. Orders whose rows are not written yet, and
//! requests under way, are in a map; a key leaves it when its row is there.

use std::sync::Arc;

use firstcome_core::ids::{KeyHash, OrderId};
use firstcome_core::ports::{HoldArchive, PortError};
use parking_lot::Mutex;
use std::collections::HashMap;

use super::archive::OrderArchive;

const SHARDS: usize = 64;

struct Entry {
    order: OrderId,
    /// Requests under way.
    requests: u32,
    /// No order that is written down has the key, or it is this one.
    checked: bool,
    /// The order exists and its row is not written yet.
    granted: bool,
    /// Its row is written. The filter does not tell: it knows a key before the row is there.
    written: bool,
}

/// What a key stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Claim {
    /// Nothing yet, or this very request.
    Ours,
    /// Perhaps another request that is written down: [`Keys::check`] tells.
    Unchecked,
    /// Another request.
    Reused,
}

/// Every key that matters now.
pub(super) struct Keys {
    shards: Vec<Mutex<HashMap<KeyHash, Entry>>>,
    archive: Arc<OrderArchive>,
}

impl Keys {
    pub(super) fn new(archive: Arc<OrderArchive>) -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), archive }
    }

    fn shard(&self, key: KeyHash) -> &Mutex<HashMap<KeyHash, Entry>> {
        &self.shards[key.0 as usize % SHARDS]
    }

    /// Begins a request. Unless it is [`Claim::Reused`], [`Keys::finish`] must follow.
    pub(super) fn begin(&self, order: OrderId) -> Claim {
        let key = order.key_hash();
        let mut shard = self.shard(key).lock();
        let checked = match shard.get_mut(&key) {
            Some(entry) if entry.order != order => return Claim::Reused,
            Some(entry) => {
                entry.requests += 1;
                entry.checked
            }
            None => {
                let checked = !self.archive.may_contain(key);
                shard.insert(key, Entry { order, requests: 1, checked, granted: false, written: false });
                checked
            }
        };
        if checked { Claim::Ours } else { Claim::Unchecked }
    }

    /// Looks among the orders that are written down. A twin that joined before the first had looked must look too.
    pub(super) async fn check(&self, order: OrderId) -> Result<Claim, PortError> {
        let key = order.key_hash();
        let found = self.archive.find_key(key).await?;
        if found.is_some_and(|found| found != order) {
            return Ok(Claim::Reused);
        }
        if let Some(entry) = self.shard(key).lock().get_mut(&key).filter(|entry| entry.order == order) {
            entry.checked = true;
            entry.written |= found.is_some();
        }
        Ok(Claim::Ours)
    }

    /// Ends a request. `granted` when the order exists now.
    pub(super) fn finish(&self, order: OrderId, granted: bool) {
        let key = order.key_hash();
        let mut shard = self.shard(key).lock();
        let Some(entry) = shard.get_mut(&key).filter(|entry| entry.order == order) else { return };
        entry.requests = entry.requests.saturating_sub(1);
        // The row may have been written before we got here: then it is found, and the map need not know the key.
        entry.granted = (entry.granted || granted) && !entry.written;
        if entry.requests == 0 && !entry.granted {
            shard.remove(&key);
        }
    }

    /// The order's row is written and its key is in the filter.
    pub(super) fn archived(&self, order: OrderId) {
        let key = order.key_hash();
        let mut shard = self.shard(key).lock();
        if let Some(entry) = shard.get_mut(&key) {
            entry.granted = false;
            entry.written = true;
            if entry.requests == 0 {
                shard.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use firstcome_core::events::topics;
    use firstcome_core::ids::{OfferNumber, UserId};
    use firstcome_core::testkit::MemoryRecords;

    use super::*;

    /// The filter learns a key when its row is about to be written; until the row is there only the map knows the order.
    #[tokio::test]
    async fn a_key_is_known_while_its_row_is_being_written() {
        let records = Arc::new(MemoryRecords::new(topics::ORDERS, crate::orders::TABLES));
        let archive = OrderArchive::open(records).await.expect("in memory");
        let keys = Keys::new(archive.clone());
        let [order, other] = [1, 2].map(|body| OrderId::of_request(UserId([1; 16]), "key", body << 40, OfferNumber(1)));
        assert_eq!(keys.begin(order), Claim::Ours);
        archive.add(order);
        keys.finish(order, true);
        assert_eq!(keys.begin(other), Claim::Reused);
        keys.archived(order);
        assert_eq!(keys.begin(other), Claim::Unchecked, "now the row tells");
        keys.finish(other, false);
        assert!(keys.shard(order.key_hash()).lock().is_empty(), "nothing is remembered for longer than it must be");
    }

    #[tokio::test]
    async fn a_row_that_is_written_before_its_request_ends_leaves_nothing_behind() {
        let records = Arc::new(MemoryRecords::new(topics::ORDERS, crate::orders::TABLES));
        let archive = OrderArchive::open(records).await.expect("in memory");
        let keys = Keys::new(archive.clone());
        let order = OrderId::of_request(UserId([1; 16]), "key", 0, OfferNumber(1));
        assert_eq!(keys.begin(order), Claim::Ours);
        archive.add(order);
        keys.archived(order);
        keys.finish(order, true);
        assert!(keys.shard(order.key_hash()).lock().is_empty());
    }
}
