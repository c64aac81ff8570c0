//! Idempotency keys of orders: the same key is the same request, or it is refused.
//!
//! An order's id begins with the hash of its person and key, so every order that was ever granted under a key is found
//! by a range of ids. Most keys are new, and the filter says so at once. Orders whose rows are not written yet, and
//! requests under way, are in a map; a key leaves it when its row is there.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use firstcome_core::ids::{KeyHash, OrderId, PaymentId};
use firstcome_core::ledger::Command;
use firstcome_core::ports::{HoldArchive, PortError, StockLedger};
use parking_lot::Mutex;

use crate::role::Worker;

const SHARDS: usize = 64;
/// Requests of which nobody knows how they ended. When there are so many, no more are begun until it is known of some:
/// what is remembered must have an end, also while a disk is full.
const UNKNOWN: usize = 65_536;
/// How often it is found out.
const FIND_OUT_EVERY: Duration = Duration::from_secs(1);

struct Entry {
    order: OrderId,
    /// Requests under way.
    requests: u32,
    /// No order that is written down has the key, or it is this one.
    checked: bool,
    known: Known,
}

/// What is known of the order of a key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Known {
    /// That it was not granted.
    Nothing,
    /// That it was asked for, and nobody waited for the answer.
    Asked,
    /// That it was granted.
    Granted,
    /// That its row is written: a look-up finds it, and the map need not know it. The filter does not tell: it errs, and
    /// knows a key a moment before the row is there.
    Written,
}

impl Entry {
    /// Whether nobody needs it any more.
    fn is_over(&self) -> bool {
        self.requests == 0 && matches!(self.known, Known::Nothing | Known::Written)
    }
}

/// What a key stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Claim {
    /// Nothing yet, or this very request.
    Ours,
    /// Perhaps another request that is written down: [`Keys::check`] tells.
    Unchecked,
    /// Another request has the key at the moment, but does not know yet whether the key is its own: unless this one
    /// [is written down](Keys::is_written), the other came first. Nothing is begun.
    Contested,
    /// Another request.
    Reused,
}

/// How a request ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    /// The order exists.
    Granted,
    /// It does not.
    Refused,
    /// Nobody waited for the ledger's answer, or there was none: [`Keys::find_out`] asks again.
    Unknown,
}

/// Every key that matters now.
pub(super) struct Keys {
    shards: Vec<Mutex<HashMap<KeyHash, Entry>>>,
    unknown: Mutex<Vec<OrderId>>,
    archive: Arc<dyn HoldArchive>,
}

impl Keys {
    pub(super) fn new(archive: Arc<dyn HoldArchive>) -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), unknown: Mutex::default(), archive }
    }

    fn shard(&self, key: KeyHash) -> &Mutex<HashMap<KeyHash, Entry>> {
        &self.shards[key.0 as usize % SHARDS]
    }

    /// Begins a request. After [`Claim::Ours`] and [`Claim::Unchecked`], [`Keys::finish`] must follow.
    pub(super) fn begin(&self, order: OrderId) -> Claim {
        let key = order.key_hash();
        let mut shard = self.shard(key).lock();
        let checked = match shard.get_mut(&key) {
            Some(entry) if entry.order != order && (entry.checked || entry.known > Known::Nothing) => {
                return Claim::Reused;
            }
            Some(entry) if entry.order != order => return Claim::Contested,
            Some(entry) => {
                entry.requests += 1;
                entry.checked
            }
            None => {
                let checked = !self.archive.may_contain(key);
                shard.insert(key, Entry { order, requests: 1, checked, known: Known::Nothing });
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
            if found.is_some() {
                entry.known = Known::Written;
            }
        }
        Ok(Claim::Ours)
    }

    /// The order that a key is claimed for now, as far as this process knows.
    pub(super) fn holder(&self, order: OrderId) -> Option<OrderId> {
        let key = order.key_hash();
        self.shard(key).lock().get(&key).map(|entry| entry.order)
    }

    /// Whether the key is this order's for good.
    pub(super) fn is_written(&self, order: OrderId) -> Result<bool, PortError> {
        Ok(self.archive.order_of_key(order.key_hash())? == Some(order))
    }

    /// Ends a request.
    pub(super) fn finish(&self, order: OrderId, end: End) {
        let key = order.key_hash();
        let mut shard = self.shard(key).lock();
        let Some(entry) = shard.get_mut(&key).filter(|entry| entry.order == order) else { return };
        entry.requests = entry.requests.saturating_sub(1);
        let before = entry.known;
        entry.known = before.max(match end {
            End::Granted => Known::Granted,
            End::Unknown => Known::Asked,
            End::Refused => Known::Nothing,
        });
        if before < Known::Asked && entry.known == Known::Asked {
            self.unknown.lock().push(order);
        }
        if entry.is_over() {
            shard.remove(&key);
        }
    }

    /// Whether no more requests may be begun at the moment.
    pub(super) fn too_much_is_unknown(&self) -> bool {
        self.unknown.lock().len() >= UNKNOWN
    }

    /// Finds out how requests ended of which it is unknown. Those of which it stays unknown are asked for again.
    async fn find_out(&self, ledger: &dyn StockLedger) {
        let mut unknown = std::mem::take(&mut *self.unknown.lock());
        unknown.sort_unstable_by_key(|order| order.home());
        let mut later = Vec::new();
        for orders in unknown.chunk_by(|one, other| one.home() == other.home()) {
            if let Err(error) = self.find_out_of(ledger, orders).await {
                tracing::debug!(%error, "how requests ended is found out later");
                later.extend_from_slice(orders);
            }
        }
        self.unknown.lock().extend(later);
    }

    async fn find_out_of(&self, ledger: &dyn StockLedger, orders: &[OrderId]) -> Result<(), PortError> {
        let Some(first) = orders.first() else { return Ok(()) };
        // Changes nothing, but is decided behind everything that was waiting before it.
        let behind = Command::EndPayment { order: *first, attempt: PaymentId::NIL };
        ledger.decide(first.home(), behind).await?;
        for order in orders {
            let exists = ledger.find(*order).await?.is_some();
            let mut shard = self.shard(order.key_hash()).lock();
            let entry = shard.get_mut(&order.key_hash()).filter(|entry| entry.order == *order);
            // Whoever came in the meantime knows better.
            if let Some(entry) = entry.filter(|entry| !exists && entry.known == Known::Asked) {
                entry.known = Known::Nothing;
                if entry.is_over() {
                    shard.remove(&order.key_hash());
                }
            }
        }
        Ok(())
    }

    /// The worker that finds out.
    pub(super) fn worker(self: Arc<Self>, ledger: Arc<dyn StockLedger>) -> Worker {
        Worker::new("orders.keys", move |stop| async move {
            while stop.run_until_cancelled(tokio::time::sleep(FIND_OUT_EVERY)).await.is_some() {
                self.find_out(&*ledger).await;
            }
            Ok(())
        })
    }

    /// The order's row is written and its key is in the filter.
    pub(super) fn archived(&self, order: OrderId) {
        let key = order.key_hash();
        let mut shard = self.shard(key).lock();
        if let Some(entry) = shard.get_mut(&key).filter(|entry| entry.order == order) {
            entry.known = Known::Written;
            if entry.is_over() {
                shard.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use firstcome_core::ids::{EventId, OfferNumber, UserId};
    use firstcome_core::ledger::{Event, Granted, Hold, HoldRequest, OfferSnapshot, Outcome, Persons, Record, Terms};
    use firstcome_core::money::{Currency, Money};
    use firstcome_core::ports::{ArchiveHead, JournalEntry};
    use firstcome_core::testkit::{MemoryArchive, MemoryJournal, MemoryLedger, TestClock};
    use firstcome_core::time::Time;
    use hashbrown::HashMap;

    use super::*;

    /// An archive whose filter knows a key before the row is there, or by mistake.
    #[derive(Default)]
    struct Archive {
        rows: MemoryArchive,
        known: Mutex<Vec<KeyHash>>,
    }

    impl Archive {
        fn know(&self, order: OrderId) {
            self.known.lock().push(order.key_hash());
        }
    }

    impl HoldArchive for Archive {
        fn head(&self) -> Result<ArchiveHead, PortError> {
            self.rows.head()
        }
        fn apply(&self, entries: &[JournalEntry]) -> Result<(), PortError> {
            self.rows.apply(entries)
        }
        fn clear(&self) -> Result<(), PortError> {
            self.rows.clear()
        }
        fn offers(&self) -> Result<Vec<OfferSnapshot>, PortError> {
            self.rows.offers()
        }
        fn open_holds(&self, offer: OfferNumber) -> Result<Vec<Hold>, PortError> {
            self.rows.open_holds(offer)
        }
        fn persons(&self) -> Result<HashMap<OfferNumber, Persons>, PortError> {
            self.rows.persons()
        }
        fn may_contain(&self, key: KeyHash) -> bool {
            self.known.lock().contains(&key) || self.rows.may_contain(key)
        }
        fn hold(&self, offer: OfferNumber, order: OrderId) -> Result<Option<Hold>, PortError> {
            self.rows.hold(offer, order)
        }
        fn order_of_key(&self, key: KeyHash) -> Result<Option<OrderId>, PortError> {
            self.rows.order_of_key(key)
        }
    }

    struct Shop {
        archive: Arc<Archive>,
        keys: Keys,
    }

    impl Shop {
        fn new() -> Self {
            let archive = Arc::new(Archive::default());
            Self { keys: Keys::new(archive.clone()), archive }
        }

        /// The projection has written the order's row.
        fn write(&self, order: OrderId) {
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
            let (offer, id, events) = (order.home(), EventId::NIL, vec![Event::Held(granted)]);
            let record = Record { offer, id, prev: [0; 32], first_seq: 1, at: Time(0), events };
            let entry = JournalEntry { position: 1, record: Arc::new(record), hash: [0; 32] };
            self.archive.apply(&[entry]).unwrap();
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

    #[test]
    fn a_repeat_is_not_refused_for_a_wrong_body_under_way() {
        let shop = Shop::new();
        let (right, wrong) = (order(1), order(2));
        assert_eq!(shop.keys.begin(right), Claim::Ours);
        assert_eq!(shop.keys.begin(wrong), Claim::Reused);
        shop.keys.finish(right, End::Granted);
        shop.write(right);
        assert_eq!(shop.entries(), 0);
        // The wrong body comes first after that and has not looked yet.
        assert_eq!(shop.keys.begin(wrong), Claim::Unchecked);
        assert_eq!(shop.keys.begin(right), Claim::Contested);
        assert!(shop.keys.is_written(right).unwrap());
        assert_eq!(shop.keys.begin(order(3)), Claim::Contested);
        assert!(!shop.keys.is_written(order(3)).unwrap());
        assert_eq!(shop.keys.check(wrong).unwrap(), Claim::Reused);
        shop.keys.finish(wrong, End::Refused);
        // And once it is gone the repeat is as before.
        assert_eq!(shop.keys.begin(right), Claim::Unchecked);
        assert_eq!(shop.keys.check(right).unwrap(), Claim::Ours);
        shop.keys.finish(right, End::Granted);
        assert_eq!(shop.entries(), 0);
    }

    #[test]
    fn a_key_is_kept_until_its_row_is_there() {
        let shop = Shop::new();
        let (first, other) = (order(1), order(2));
        // The filter knows the key already, by mistake or because the row is about to be written.
        shop.archive.know(first);
        assert_eq!(shop.keys.begin(first), Claim::Unchecked);
        assert_eq!(shop.keys.check(first).unwrap(), Claim::Ours);
        shop.keys.finish(first, End::Granted);
        assert_eq!(shop.keys.begin(other), Claim::Reused);
        shop.write(first);
        assert_eq!(shop.entries(), 0);
        // The row may also be there before the request has ended.
        let shop = Shop::new();
        assert_eq!(shop.keys.begin(first), Claim::Ours);
        shop.write(first);
        shop.keys.finish(first, End::Granted);
        assert_eq!(shop.entries(), 0);
    }

    #[test]
    fn a_refused_request_leaves_its_key() {
        let shop = Shop::new();
        assert_eq!(shop.keys.begin(order(1)), Claim::Ours);
        shop.keys.finish(order(1), End::Refused);
        assert_eq!(shop.keys.begin(order(2)), Claim::Ours);
    }

    #[tokio::test]
    async fn what_nobody_waited_for_is_found_out() {
        let shop = Shop::new();
        let ledger = MemoryLedger::open(MemoryJournal::default(), TestClock::default());
        let (granted, never) = (order(1), OrderId::of_request(UserId::NIL, "other", 1, OfferNumber(1)));
        for order in [granted, never] {
            assert_eq!(shop.keys.begin(order), Claim::Ours);
            shop.keys.finish(order, End::Unknown);
        }
        // Nobody can tell yet: no such offer, no such ledger.
        let terms = Terms {
            offer: firstcome_core::ids::OfferId::numbered(Time(0), OfferNumber(1), [0; 6]),
            version: 1,
            initial_stock: 1,
            price: Money::new(1, Currency::KRW),
            limit_per_person: None,
            max_per_order: 1,
            opens_at: Time(0),
            closes_at: None,
            hold_for_ms: 1_000,
            usable_until: None,
        };
        ledger.decide(OfferNumber(1), Command::SetTerms(terms)).await.unwrap();
        let request = HoldRequest {
            order: granted,
            person: UserId::NIL,
            quantity: 1,
            unit_price: None,
            digest: 1 << 34,
            discount: 0,
            facts: None,
        };
        let held = ledger.decide(OfferNumber(1), Command::Hold(request)).await.unwrap();
        assert!(matches!(held, Outcome::Held(_)), "{held:?}");
        shop.keys.find_out(&ledger).await;
        assert_eq!(shop.entries(), 1);
        assert_eq!(shop.keys.begin(order(2)), Claim::Reused);
        shop.write(granted);
        assert_eq!(shop.entries(), 0);
    }
}
