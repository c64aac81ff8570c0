//! The orders' rows as the ledger's archive.

use std::sync::Arc;

use firstcome_core::ids::{KeyHash, OfferNumber, OrderId, UserId};
use firstcome_core::ledger::{Hold, OfferSnapshot};
use firstcome_core::ports::{HoldArchive, PortError, Records};
use firstcome_core::records::{Comparison, Direction, Query, Record, RecordsExt, Value};
use tokio::runtime::Handle;

use super::filter::KeyFilter;
use super::projection::{CONSUMER, HoldRow, OfferRow, hold_key};

/// Rows read at a time.
const PAGE: u32 = 10_000;

/// See [`HoldArchive`]. Its blocking methods must not be called from an async task.
pub struct OrderArchive {
    records: Arc<dyn Records>,
    filter: KeyFilter,
    runtime: Handle,
}

impl OrderArchive {
    /// The archive over the role's database. Reads every order's key into the filter.
    pub async fn open(records: Arc<dyn Records>) -> Result<Arc<Self>, PortError> {
        let archive = Self { records, filter: KeyFilter::new(), runtime: Handle::current() };
        let mut after = None;
        loop {
            let query = Query::all(HoldRow::TABLE, PAGE).after(after.take());
            let rows = archive.records.select(query).await?;
            for row in &rows {
                if let Some(Value::Blob(key)) = row.values.first() {
                    archive.add(order_of(key)?);
                }
            }
            let Some(last) = rows.last().filter(|_| rows.len() == PAGE as usize) else { break };
            after = Some((last.values[0].clone(), last.values[0].clone()));
        }
        Ok(Arc::new(archive))
    }

    pub(super) fn add(&self, order: OrderId) {
        self.filter.add(order.key_hash());
    }

    /// The order that was granted under a key.
    pub(super) async fn find_key(&self, key: KeyHash) -> Result<Option<OrderId>, PortError> {
        let (low, high) = OrderId::range_of_key(key);
        let query = Query::all(HoldRow::TABLE, 1)
            .filter("key", Comparison::AtLeast(Value::Blob(hold_key(low, OfferNumber(0)))))
            .filter("key", Comparison::AtMost(Value::Blob(hold_key(high, OfferNumber(u32::MAX)))));
        let rows = self.records.list::<HoldRow>(query).await?;
        rows.first().map(|row| order_of(&row.record.key)).transpose()
    }

    async fn every<R: Record>(&self, query: Query) -> Result<Vec<R>, PortError> {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let page = Query { limit: PAGE, ..query.clone() }.after(after.take());
            let order = page.order.0;
            let rows = self.records.list::<R>(page).await?;
            let last = rows.len() == PAGE as usize;
            if let Some(row) = rows.last().filter(|_| last) {
                let position = R::TABLE.position(order).unwrap_or(0);
                after = Some((row.record.to_values().swap_remove(position), row.record.key()));
            }
            all.extend(rows.into_iter().map(|row| row.record));
            if after.is_none() {
                return Ok(all);
            }
        }
    }
}

fn order_of(key: &[u8]) -> Result<OrderId, PortError> {
    let bytes = key.get(..16).and_then(|bytes| bytes.try_into().ok());
    bytes.map(OrderId).ok_or_else(|| PortError::Corrupt("a row's key is not an order".to_owned()))
}

impl HoldArchive for OrderArchive {
    fn position(&self) -> Result<i64, PortError> {
        self.runtime.block_on(self.records.position(CONSUMER))
    }

    fn offers(&self) -> Result<Vec<OfferSnapshot>, PortError> {
        let rows: Vec<OfferRow> = self.runtime.block_on(self.every(Query::all(OfferRow::TABLE, PAGE)))?;
        rows.iter().map(OfferRow::snapshot).collect()
    }

    fn open_holds(&self, offer: OfferNumber) -> Result<Vec<Hold>, PortError> {
        let query = Query::all(HoldRow::TABLE, PAGE).is("open_on", offer).order_by("created_at", Direction::Ascending);
        let rows: Vec<HoldRow> = self.runtime.block_on(self.every(query))?;
        rows.iter().map(HoldRow::hold).collect()
    }

    fn persons(&self, offer: OfferNumber) -> Result<Vec<(UserId, u32)>, PortError> {
        let query =
            Query::all(HoldRow::TABLE, PAGE).is("offer", offer).filter("units", Comparison::Greater(Value::Integer(0)));
        let rows: Vec<HoldRow> = self.runtime.block_on(self.every(query))?;
        let mut persons = std::collections::HashMap::new();
        for row in rows {
            *persons.entry(row.person).or_insert(0u32) += row.units;
        }
        Ok(persons.into_iter().collect())
    }

    fn may_contain(&self, key: KeyHash) -> bool {
        self.filter.may_contain(key)
    }

    fn hold(&self, offer: OfferNumber, order: OrderId) -> Result<Option<Hold>, PortError> {
        let stored = self.runtime.block_on(self.records.load::<HoldRow>(hold_key(order, offer)))?;
        stored.map(|stored| stored.record.hold()).transpose()
    }

    fn order_of_key(&self, key: KeyHash) -> Result<Option<OrderId>, PortError> {
        self.runtime.block_on(self.find_key(key))
    }
}
