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
    /// The order's row is written.
    written: bool,
}

/// What a key stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Claim {
    /// Nothing yet, or this very request.
    Ours,
    /// Perhaps another request that is written down: [`Keys::check`] tells.
    Unchecked,
    /// Another request has the key for now, but does not know yet whether the key is its own: unless this one
    /// [is written down](Keys::is_written), the other came first. Nothing is begun.
    Contested,
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

    /// Begins a request. After [`Claim::Ours`] and [`Claim::Unchecked`], [`Keys::finish`] must follow.
    pub(super) fn begin(&self, order: OrderId) -> Claim {
        let key = order.key_hash();
        let mut shard = self.shard(key).lock();
        let checked = match shard.get_mut(&key) {
            Some(entry) if entry.order != order && (entry.checked || entry.granted) => return Claim::Reused,
            Some(entry) if entry.order != order => return Claim::Contested,
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

    /// Whether the key is this order's for good.
    pub(super) async fn is_written(&self, order: OrderId) -> Result<bool, PortError> {
        Ok(self.archive.find_key(order.key_hash()).await? == Some(order))
    }

    /// Ends a request. `granted` when the order exists now.
    pub(super) fn finish(&self, order: OrderId, granted: bool) {
        let key = order.key_hash();
        let mut shard = self.shard(key).lock();
        let Some(entry) = shard.get_mut(&key).filter(|entry| entry.order == order) else { return };
        entry.requests = entry.requests.saturating_sub(1);
        // The row may have been written before we got here: then a look-up finds it, and the map need not know it. The
        // filter would not do: it errs, and knows a key a moment before the row is there.
        entry.granted = (entry.granted || granted) && !entry.written;
        if entry.requests == 0 && !entry.granted {
            shard.remove(&key);
        }
    }

    /// The order's row is written and its key is in the filter.
    pub(super) fn archived(&self, order: OrderId) {
        let key = order.key_hash();
        let mut shard = self.shard(key).lock();
        if let Some(entry) = shard.get_mut(&key).filter(|entry| entry.order == order) {
            entry.written = true;
            entry.granted = false;
            if entry.requests == 0 {
                shard.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use firstcome_core::ids::{OfferNumber, UserId};
    use firstcome_core::money::Currency;
    use firstcome_core::ports::Records as _;
    use firstcome_core::records::Unit;
    use firstcome_core::testkit::MemoryRecords;
    use firstcome_core::time::Time;

    use super::*;
    use crate::orders::projection::{HoldRow, hold_key};
    use crate::orders::view::OrderState;

    struct Shop {
        records: Arc<MemoryRecords>,
        archive: Arc<OrderArchive>,
        keys: Keys,
    }

    impl Shop {
        async fn new() -> Self {
            let records = Arc::new(MemoryRecords::new("orders", crate::orders::TABLES));
            let archive = OrderArchive::open(records.clone()).await.unwrap();
            Self { records, keys: Keys::new(archive.clone()), archive }
        }

        /// The projection has written the order's row.
        async fn write(&self, order: OrderId) {
            self.archive.add(order);
            let row = HoldRow {
                key: hold_key(order, OfferNumber(1)),
                person: UserId::NIL,
                offer: OfferNumber(1),
                state: OrderState::Pending,
                open_on: None,
                units: 1,
                amount: 0,
                currency: Currency::KRW,
                created_at: Time(0),
                hold: Vec::new(),
            };
            self.records.commit(Unit::new().insert(&row)).await.unwrap();
            self.keys.archived(order);
        }

        fn entries(&self) -> usize {
            self.keys.shards.iter().map(|shard| shard.lock().len()).sum()
        }
    }

    /// An order under the one key of these tests.
    fn order(body: u64) -> OrderId {
        OrderId::of_request(UserId::NIL, "key", body << 34, OfferNumber(1))
    }

    #[tokio::test]
    async fn a_repeat_is_not_refused_for_a_wrong_body_under_way() {
        let shop = Shop::new().await;
        let (right, wrong) = (order(1), order(2));
        assert_eq!(shop.keys.begin(right), Claim::Ours);
        assert_eq!(shop.keys.begin(wrong), Claim::Reused);
        shop.keys.finish(right, true);
        shop.write(right).await;
        assert_eq!(shop.entries(), 0);
        // The wrong body comes first after that and has not looked yet.
        assert_eq!(shop.keys.begin(wrong), Claim::Unchecked);
        assert_eq!(shop.keys.begin(right), Claim::Contested);
        assert!(shop.keys.is_written(right).await.unwrap());
        assert_eq!(shop.keys.begin(order(3)), Claim::Contested);
        assert!(!shop.keys.is_written(order(3)).await.unwrap());
        assert_eq!(shop.keys.check(wrong).await.unwrap(), Claim::Reused);
        shop.keys.finish(wrong, false);
        // And once it is gone the repeat is as before.
        assert_eq!(shop.keys.begin(right), Claim::Unchecked);
        assert_eq!(shop.keys.check(right).await.unwrap(), Claim::Ours);
        shop.keys.finish(right, true);
        assert_eq!(shop.entries(), 0);
    }

    #[tokio::test]
    async fn a_key_is_kept_until_its_row_is_there() {
        let shop = Shop::new().await;
        let (first, other) = (order(1), order(2));
        // The filter knows the key already, by mistake or because the row is about to be written.
        shop.archive.add(first);
        assert_eq!(shop.keys.begin(first), Claim::Unchecked);
        assert_eq!(shop.keys.check(first).await.unwrap(), Claim::Ours);
        shop.keys.finish(first, true);
        assert_eq!(shop.keys.begin(other), Claim::Reused);
        shop.write(first).await;
        assert_eq!(shop.entries(), 0);
        // The row may also be there before the request has ended.
        let shop = Shop::new().await;
        assert_eq!(shop.keys.begin(first), Claim::Ours);
        shop.write(first).await;
        shop.keys.finish(first, true);
        assert_eq!(shop.entries(), 0);
    }

    #[tokio::test]
    async fn a_refused_request_leaves_its_key() {
        let shop = Shop::new().await;
        assert_eq!(shop.keys.begin(order(1)), Claim::Ours);
        shop.keys.finish(order(1), false);
        assert_eq!(shop.keys.begin(order(2)), Claim::Ours);
    }
}
