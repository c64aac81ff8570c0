//! Idempotency keys of orders: the same key is the same request, or it is refused.
//!
//! An order's id begins with the hash of its person and key, so every order that was ever granted under a key is found
//! by a range of ids. Most keys are new, and the filter says so at once. Orders whose rows are not written yet, and
//! requests under way, are in a map; a key leaves it when its row is there.

use std::sync::Arc;

use firstcome_core::ids::{KeyHash, OrderId};
use firstcome_core::ports::{OrderArchive, PortError};
use parking_lot::Mutex;
use std::collections::HashMap;

const SHARDS: usize = 64;

struct Entry {
    order: OrderId,
    /// Requests under way.
    requests: u32,
    /// No order that is written down has the key, or it is this one.
    checked: bool,
    /// The order exists and its row is not written yet.
    granted: bool,
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
    archive: Arc<dyn OrderArchive>,
}

impl Keys {
    pub(super) fn new(archive: Arc<dyn OrderArchive>) -> Self {
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
                shard.insert(key, Entry { order, requests: 1, checked, granted: false });
                checked
            }
        };
        if checked { Claim::Ours } else { Claim::Unchecked }
    }

    /// Looks among the orders that are written down. A twin that joined before the first had looked must look too.
    pub(super) fn check(&self, order: OrderId) -> Result<Claim, PortError> {
        let key = order.key_hash();
        let found = self.archive.order_of_key(key)?;
        if found.is_some_and(|found| found != order) {
            return Ok(Claim::Reused);
        }
        if let Some(entry) = self.shard(key).lock().get_mut(&key).filter(|entry| entry.order == order) {
            entry.checked = true;
        }
        Ok(Claim::Ours)
    }

    /// Ends a request. `granted` when the order exists now.
    pub(super) fn finish(&self, order: OrderId, granted: bool) {
        let key = order.key_hash();
        let mut shard = self.shard(key).lock();
        let Some(entry) = shard.get_mut(&key).filter(|entry| entry.order == order) else { return };
        entry.requests = entry.requests.saturating_sub(1);
        // The row may have been written before we got here: then the filter knows the key, and the map need not.
        entry.granted = (entry.granted || granted) && !self.archive.may_contain(key);
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
            if entry.requests == 0 {
                shard.remove(&key);
            }
        }
    }
}
