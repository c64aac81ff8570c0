//! Reading and changing payments.
//!
//! One change of a payment at a time: whoever changes it holds its [`Claim`]. Recent payments are kept in memory; only
//! creating and changing puts them there, so memory is never older than the database.

use std::collections::HashSet;
use std::sync::Arc;

use firstcome_core::ports::{Committed, PortError, Records};
use firstcome_core::records::{Direction, Query, Record as _, RecordsExt as _, Stored, Unit};
use parking_lot::Mutex;
use quick_cache::sync::Cache;

use super::rows::{SandboxPayment, SandboxTransaction};

/// Payments kept in memory: those between their creation and their confirmation.
const CACHED: usize = 8 * 1024;

/// A payment as it was read.
pub(super) type Known = Arc<Stored<SandboxPayment>>;

/// The payments.
pub(super) struct Store {
    records: Arc<dyn Records>,
    recent: Cache<String, Known>,
    claimed: Arc<Mutex<HashSet<String>>>,
}

/// The right to change a payment, until dropped.
pub(super) struct Claim {
    payment_key: String,
    claimed: Arc<Mutex<HashSet<String>>>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claimed.lock().remove(&self.payment_key);
    }
}

impl Store {
    pub(super) fn new(records: Arc<dyn Records>) -> Self {
        Self { records, recent: Cache::new(CACHED), claimed: Arc::default() }
    }

    /// The right to change a payment; none while someone else has it.
    pub(super) fn claim(&self, payment_key: &str) -> Option<Claim> {
        let fresh = self.claimed.lock().insert(payment_key.to_owned());
        fresh.then(|| Claim { payment_key: payment_key.to_owned(), claimed: Arc::clone(&self.claimed) })
    }

    pub(super) async fn find(&self, payment_key: &str) -> Result<Option<Known>, PortError> {
        if let Some(known) = self.recent.get(payment_key) {
            return Ok(Some(known));
        }
        Ok(self.records.load::<SandboxPayment>(payment_key.to_owned()).await?.map(Arc::new))
    }

    /// The latest payment of an order.
    pub(super) async fn find_by_order(&self, order_id: &str) -> Result<Option<Known>, PortError> {
        let query = Query::all(SandboxPayment::TABLE, 1)
            .is("order_id", order_id)
            .order_by("payment_key", Direction::Descending);
        Ok(self.records.list::<SandboxPayment>(query).await?.pop().map(Arc::new))
    }

    /// A page of payments.
    pub(super) async fn list(&self, query: Query) -> Result<Vec<Stored<SandboxPayment>>, PortError> {
        self.records.list(query).await
    }

    /// The movement of this name.
    pub(super) async fn transaction(&self, key: String) -> Result<Option<SandboxTransaction>, PortError> {
        Ok(self.records.load::<SandboxTransaction>(key).await?.map(|stored| stored.record))
    }

    /// A page of movements.
    pub(super) async fn transactions(&self, query: Query) -> Result<Vec<SandboxTransaction>, PortError> {
        let rows = self.records.list::<SandboxTransaction>(query).await?;
        Ok(rows.into_iter().map(|stored| stored.record).collect())
    }

    pub(super) async fn create(&self, payment: SandboxPayment) -> Result<Known, PortError> {
        let unit = Unit::new().insert(&payment);
        self.commit(unit, Stored { record: payment, version: 1 }).await
    }

    /// Replaces a payment whose claim is held.
    pub(super) async fn change(&self, _: &Claim, known: &Known, to: SandboxPayment) -> Result<Known, PortError> {
        let moved = SandboxTransaction::between(&known.record, &to);
        let changed = Stored { record: to, version: known.version };
        let unit = moved.iter().fold(Unit::new().update(&changed), Unit::insert);
        self.commit(unit, Stored { version: known.version + 1, ..changed }).await
    }

    async fn commit(&self, unit: Unit, outcome: Stored<SandboxPayment>) -> Result<Known, PortError> {
        let key = outcome.record.payment_key.clone();
        match self.records.commit(unit).await {
            Ok(Committed::Done) => {
                let known = Arc::new(outcome);
                self.recent.insert(key, Arc::clone(&known));
                Ok(known)
            }
            Ok(Committed::Conflict(_)) => {
                self.recent.remove(&key);
                Err(PortError::Unavailable("the payment was changed by another process".to_owned()))
            }
            Err(error) => {
                self.recent.remove(&key);
                Err(error)
            }
        }
    }
}
