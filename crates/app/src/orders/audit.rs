//! The continuous audit: the journal is counted again, independently of the ledger's own counters, and what is sold is
//! compared with what was paid ([`money`]). An offer whose numbers do not agree is frozen at once, and stays so until a
//! person has looked.
//!
//! Counting begins at the rows that the projection had written when the process started; `firstcome audit` counts from
//! the first record.

mod money;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use firstcome_core::ids::{OfferId, OfferNumber, OrderId};
use firstcome_core::ledger::{Command, Event, Record};
use firstcome_core::ports::{Clock, LedgerState, OrderArchive, PortError, StockLedger};
use firstcome_core::time::Time;
use parking_lot::Mutex;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use self::money::MoneyBook;
use super::{Orders, Ports};
use crate::http::{Items, Operator, Outcome};
use crate::role::{Worker, WorkerFailed};

/// How often the books are compared.
const EVERY: Duration = Duration::from_secs(2);
/// Journal entries read at a time.
const BATCH: usize = 256;

/// The last audit of an offer.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct AuditView {
    #[schema(value_type = String)]
    offer_id: OfferId,
    /// The sequence number of the journal up to which was counted.
    seq: u64,
    stock: i64,
    available: i64,
    held: i64,
    sold: i64,
    /// Orders that were sold since the process started and not paid as they should be.
    unpaid: u64,
    /// Whether the journal and the ledger agree, nothing is oversold, and what is sold is paid.
    ok: bool,
    #[schema(value_type = String, format = DateTime)]
    checked_at: Time,
}

/// What the journal alone says of an offer.
#[derive(Default)]
struct Count {
    seq: u64,
    stock: i64,
    held: i64,
    sold: i64,
    /// Units of each order that are set aside.
    open: HashMap<OrderId, i64>,
}

impl Count {
    fn add(&mut self, record: &Record, archive_units: impl Fn(OrderId) -> i64) {
        for event in &record.events {
            match event {
                Event::TermsSet(terms) if self.seq == 0 => self.stock = terms.initial_stock as i64,
                Event::Adjusted { delta, .. } => self.stock += delta,
                Event::Held(granted) | Event::Prepared(granted) => {
                    self.held += i64::from(granted.quantity);
                    self.open.insert(granted.order, i64::from(granted.quantity));
                }
                Event::Sold(granted) => self.sold += i64::from(granted.quantity),
                Event::Committed { order, .. } => {
                    let units = self.open.remove(order).unwrap_or(0);
                    self.held -= units;
                    self.sold += units;
                }
                Event::Released { order, .. } => self.held -= self.open.remove(order).unwrap_or(0),
                Event::Reclaimed { order, .. } => {
                    // A hold that was past its deadline but not released yet has its units still.
                    let units = archive_units(*order);
                    self.held += units - self.open.insert(*order, units).unwrap_or(0);
                }
                Event::Returned { quantity, restock, .. } => {
                    self.sold -= i64::from(*quantity);
                    self.stock -= if *restock { 0 } else { i64::from(*quantity) };
                }
                _ => {}
            }
            self.seq += 1;
        }
    }

    fn agrees(&self, ledger: &LedgerState) -> bool {
        let units = &ledger.offer.stock;
        let same = (self.stock, self.held, self.sold) == (units.stock as i64, units.held as i64, units.sold as i64);
        same && self.held >= 0 && self.sold >= 0 && self.held + self.sold <= self.stock
    }
}

struct Book {
    position: i64,
    counts: HashMap<OfferNumber, Count>,
    unpaid: HashMap<OfferNumber, u64>,
    results: HashMap<OfferNumber, AuditView>,
    money: MoneyBook,
}

/// Counts and results of every offer.
pub(super) struct AuditBook {
    ledger: Arc<dyn StockLedger>,
    clock: Arc<dyn Clock>,
    book: tokio::sync::Mutex<Book>,
    shown: Mutex<Vec<AuditView>>,
}

impl AuditBook {
    /// Begins at the rows that are written now.
    pub(super) async fn create(ports: &Ports) -> Result<Self, PortError> {
        // What this role has handled of the announcements is before whatever is still to be sold.
        let announced = ports.records.position(super::refunds::PAYMENTS_CONSUMER).await?;
        let money = MoneyBook::new(ports.events.clone(), ports.ledger.clone(), announced);
        let archive = ports.archive.clone();
        let begin = tokio::task::spawn_blocking(move || begin(&*archive, money)).await;
        let book = begin.map_err(|error| PortError::Unavailable(error.to_string()))??;
        Ok(Self {
            ledger: ports.ledger.clone(),
            clock: ports.clock.clone(),
            book: tokio::sync::Mutex::new(book),
            shown: Mutex::default(),
        })
    }

    /// Reads on to the journal's end and compares every offer that changed.
    async fn step(&self) -> Result<(), PortError> {
        let mut book = self.book.lock().await;
        let book = &mut *book;
        let mut snapshots: HashMap<OfferNumber, LedgerState> = HashMap::new();
        loop {
            let entries = self.ledger.entries(book.position, BATCH).await?;
            let Some(last) = entries.last() else { break };
            book.position = last.position;
            for entry in &entries {
                let number = entry.record.offer;
                if !snapshots.contains_key(&number) {
                    snapshots.extend(self.ledger.snapshot(number).await?.map(|snapshot| (number, snapshot)));
                }
                let reclaimed = self.reclaimed_units(&entry.record).await?;
                book.money.take(&entry.record, self.clock.now());
                if entry.record.events.contains(&Event::Unfrozen) {
                    // A person has looked.
                    book.unpaid.remove(&number);
                }
                let count = book.counts.entry(number).or_default();
                count.add(&entry.record, |order| reclaimed.get(&order).copied().unwrap_or(0));
                let due = snapshots.get(&number).filter(|snapshot| snapshot.offer.seq == count.seq);
                if let Some(snapshot) = due {
                    let unpaid = book.unpaid.get(&number).copied().unwrap_or(0);
                    let view = self.compare(count, snapshot, unpaid);
                    self.act_on(number, &view).await?;
                    book.results.insert(number, view);
                }
            }
        }
        for number in book.money.compare(self.clock.now()).await? {
            let unpaid = book.unpaid.entry(number).or_default();
            *unpaid += 1;
            let (Some(count), Some(snapshot)) = (book.counts.get(&number), self.ledger.snapshot(number).await?) else {
                continue;
            };
            let view = self.compare(count, &snapshot, *unpaid);
            self.act_on(number, &view).await?;
            book.results.insert(number, view);
        }
        let offers = book.results.iter().filter(|(number, _)| !number.is_account());
        let mut shown: Vec<_> = offers.map(|(_, view)| view.clone()).collect();
        shown.sort_by_key(|view| view.offer_id);
        *self.shown.lock() = shown;
        Ok(())
    }

    async fn reclaimed_units(&self, record: &Record) -> Result<HashMap<OrderId, i64>, PortError> {
        let mut units = HashMap::new();
        for event in &record.events {
            if let Event::Reclaimed { order, .. } = event {
                let hold = self.ledger.find(*order).await?;
                units.insert(*order, hold.map_or(0, |hold| i64::from(hold.quantity_on(record.offer))));
            }
        }
        Ok(units)
    }

    fn compare(&self, count: &Count, ledger: &LedgerState, unpaid: u64) -> AuditView {
        AuditView {
            offer_id: ledger.offer.terms.offer,
            seq: count.seq,
            stock: count.stock,
            available: count.stock - count.held - count.sold,
            held: count.held,
            sold: count.sold,
            unpaid,
            ok: count.agrees(ledger) && unpaid == 0,
            checked_at: self.clock.now(),
        }
    }

    async fn act_on(&self, number: OfferNumber, view: &AuditView) -> Result<(), PortError> {
        if !view.ok {
            tracing::error!(offer = %view.offer_id, ?view, "the books do not agree; the offer is frozen");
            self.ledger.decide(number, Command::Freeze).await?;
        }
        Ok(())
    }

    async fn run(&self, stop: CancellationToken) -> Result<(), WorkerFailed> {
        let mut interval = tokio::time::interval(EVERY);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = interval.tick() => {}
            }
            match self.step().await {
                Ok(()) => {}
                Err(error) if error.is_retryable() => tracing::warn!(%error, "the audit tries again"),
                Err(error) => return Err(WorkerFailed(error.to_string())),
            }
        }
    }
}

fn begin(archive: &dyn OrderArchive, money: MoneyBook) -> Result<Book, PortError> {
    let (counts, unpaid, results) = Default::default();
    let mut book = Book { position: archive.head()?.position, counts, unpaid, results, money };
    for offer in archive.offers()? {
        let number = offer.terms.offer.number();
        let open = archive.open_holds(number)?;
        book.counts.insert(
            number,
            Count {
                seq: offer.seq,
                stock: offer.stock.stock as i64,
                held: offer.stock.held as i64,
                sold: offer.stock.sold as i64,
                open: open.into_iter().map(|hold| (hold.order, i64::from(hold.quantity))).collect(),
            },
        );
    }
    Ok(book)
}

/// The worker that keeps counting.
pub(super) fn worker(orders: Arc<Orders>) -> Worker {
    Worker::new("orders.audit", move |stop| async move { orders.audit.run(stop).await })
}

/// The last audit of every offer that changed since the process started.
#[utoipa::path(
    get, path = "/api/v1/admin/audit", tag = "admin",
    responses((status = 200, body = Items<AuditView>)),
    security(("bearer" = [])),
)]
pub(super) async fn get(State(orders): State<Arc<Orders>>, _: Operator) -> Outcome<Json<Items<AuditView>>> {
    orders.audit.step().await?;
    let items = orders.audit.shown.lock().clone();
    Ok(Json(Items { items, next_cursor: None }))
}

#[cfg(test)]
mod tests {
    use firstcome_core::ids::EventId;
    use firstcome_core::ledger::{Granted, ReleaseReason};
    use firstcome_core::money::{Currency, Money};

    use super::*;

    #[test]
    fn a_reclaimed_order_is_held_once() {
        let (order, expires_at) = (OrderId([1; 16]), Time(9));
        let granted = Granted {
            order,
            person: firstcome_core::ids::UserId([2; 16]),
            quantity: 3,
            unit_price: Money::new(1_000, Currency::KRW),
            discount: 0,
            digest: 0,
            expires_at: Time(5),
            terms_version: 1,
            facts: None,
        };
        let reclaimed = Event::Reclaimed { order, expires_at };
        let events = [
            (Event::Held(granted), 3),
            // Late, and the clock had not come by yet.
            (reclaimed.clone(), 3),
            (Event::Released { order, reason: ReleaseReason::Expired }, 0),
            (reclaimed, 3),
        ];
        let mut count = Count::default();
        for (index, (event, held)) in events.into_iter().enumerate() {
            let (offer, id, first_seq) = (OfferNumber(1), EventId::NIL, index as u64 + 1);
            let record = Record { offer, id, prev: [0; 32], first_seq, at: Time(5), events: vec![event] };
            count.add(&record, |_| 3);
            assert_eq!(count.held, held, "after event {first_seq}");
        }
    }
}
