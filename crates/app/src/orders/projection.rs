//! The journal as rows: one per order and offer, and one per offer. Stock is never counted here for a decision; these
//! tables only mirror what the ledger decided, and say so in their names.
//!
//! A row moves only to a newer sequence number, so a batch that comes twice changes nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use firstcome_core::ids::{EventId, OfferNumber, OrderId, UserId};
use firstcome_core::ledger::{Hold, HoldState, Offer, OfferSnapshot, Stock, Terms};
use firstcome_core::money::Currency;
use firstcome_core::ports::{JournalEntry, PortError};
use firstcome_core::record;
use firstcome_core::records::{Record as _, RecordsExt as _, Unit, Value};
use firstcome_core::time::Time;
use prometheus_client::metrics::gauge::Gauge;

use super::Ports;
use super::keys::Keys;
use super::view::OrderState;
use crate::consumer::{HandleError, Handler};

/// The consumer's name.
pub const CONSUMER: &str = "orders.projection";
/// Journal entries a commit; each may hold hundreds of events.
pub(super) const BATCH: usize = 128;
/// Rows in a commit from which on it is worth while to let more gather: keys are random, so what a row costs is the pages
/// that a commit touches, and a commit of thousands touches few for each.
const MANY: usize = 128;
/// How long.
const GATHERING: Duration = Duration::from_millis(200);

record! {
    /// One order on one offer, as the journal left it. The row on the order's home offer is the order.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct HoldRow in "orders_projection" {
        /// The order's id and the offer's number.
        pub key: Vec<u8>,
        /// Whose order.
        pub person: UserId,
        /// The offer.
        pub offer: OfferNumber,
        /// The state that people see.
        pub state: OrderState,
        /// The offer, while units are set aside and not sold.
        pub open_on: Option<OfferNumber>,
        /// Units held or sold and not returned.
        pub units: u32,
        /// What the whole order costs, in minor units.
        pub amount: i64,
        /// The currency of the amount.
        pub currency: Currency,
        /// When it was granted.
        pub created_at: Time,
        /// The hold itself, in CBOR.
        pub hold: Vec<u8>,
    }
    indexes [
        index "orders_by_person" ("person", "created_at"),
        index "orders_by_time" ("created_at"),
        index "orders_open" ("open_on", "created_at"),
    ]
}

record! {
    /// The units of an offer, as the journal left them.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct OfferRow in "offer_stock_projection" {
        /// The offer.
        pub number: OfferNumber,
        /// Its terms, in CBOR.
        pub terms: Vec<u8>,
        /// All units.
        pub stock: u64,
        /// Units set aside, those in payment among them.
        pub held: u64,
        /// Units in payment.
        pub paying: u64,
        /// Units sold and not returned.
        pub sold: u64,
        /// Units that came back from holds.
        pub released: u64,
        /// Whether granting is stopped.
        pub frozen: bool,
        /// The sequence number of the last event.
        pub seq: u64,
        /// When it happened.
        pub last_at: Time,
        /// Adjustments made, with their sequence numbers, in CBOR.
        pub adjustments: Vec<u8>,
    }
    indexes []
}

/// The key of an order's row on an offer.
pub(super) fn hold_key(order: OrderId, offer: OfferNumber) -> Vec<u8> {
    let mut key = Vec::with_capacity(20);
    key.extend_from_slice(&order.0);
    key.extend_from_slice(&offer.0.to_be_bytes());
    key
}

fn encode<T: minicbor::Encode<()>>(value: &T) -> Vec<u8> {
    // Encoding into memory has no way to fail.
    minicbor::to_vec(value).unwrap_or_default()
}

fn decode<'b, T: minicbor::Decode<'b, ()>>(bytes: &'b [u8], what: &str) -> Result<T, PortError> {
    minicbor::decode(bytes).map_err(|error| PortError::Corrupt(format!("{what} of a projected row: {error}")))
}

impl HoldRow {
    fn new(offer: OfferNumber, hold: &Hold) -> Self {
        let total = hold.total();
        Self {
            key: hold_key(hold.order, offer),
            person: hold.person,
            offer,
            state: OrderState::of(hold),
            open_on: hold.state.is_open().then_some(offer),
            units: hold.units(),
            amount: total.amount,
            currency: total.currency,
            created_at: hold.created_at,
            hold: encode(hold),
        }
    }

    /// The hold that the row keeps.
    pub fn hold(&self) -> Result<Hold, PortError> {
        decode(&self.hold, "the hold")
    }
}

impl OfferRow {
    fn new(snapshot: &OfferSnapshot) -> Self {
        Self {
            number: snapshot.terms.offer.number(),
            terms: encode(&snapshot.terms),
            stock: snapshot.stock.stock,
            held: snapshot.stock.held,
            paying: snapshot.stock.paying,
            sold: snapshot.stock.sold,
            released: snapshot.stock.released,
            frozen: snapshot.frozen,
            seq: snapshot.seq,
            last_at: snapshot.last_at,
            adjustments: encode(&snapshot.adjustments),
        }
    }

    /// The snapshot that the row keeps.
    pub fn snapshot(&self) -> Result<OfferSnapshot, PortError> {
        let terms: Terms = decode(&self.terms, "the terms")?;
        let adjustments: Vec<(EventId, u64)> = decode(&self.adjustments, "the adjustments")?;
        let Self { stock, held, paying, sold, released, frozen, seq, last_at, .. } = *self;
        Ok(OfferSnapshot {
            terms,
            stock: Stock { stock, held, paying, sold, released },
            frozen,
            seq,
            last_at,
            adjustments,
        })
    }
}

/// Writes the rows.
pub(super) struct Projection {
    pub(super) ports: Ports,
    pub(super) keys: Arc<Keys>,
    pub(super) lag: Gauge<i64>,
}

impl Projection {
    /// The offers that a batch touches, each with the holds that it touches, as of before the batch.
    async fn load(&self, items: &[JournalEntry]) -> Result<HashMap<OfferNumber, Offer>, PortError> {
        let mut offers: HashMap<OfferNumber, Offer> = HashMap::new();
        let mut known = Vec::new();
        for entry in items {
            let number = entry.record.offer;
            if let std::collections::hash_map::Entry::Vacant(e) = offers.entry(number) {
                let row = self.ports.records.load::<OfferRow>(number).await?;
                let snapshot = row.map(|row| row.record.snapshot()).transpose()?;
                let offer = snapshot.map_or_else(Offer::default, |snapshot| Offer::restore(snapshot, [], []));
                e.insert(offer);
            }
            let orders =
                entry.record.numbered().filter(|(seq, event)| Hold::created_by(event, *seq, Time(0)).is_none());
            known.extend(orders.filter_map(|(_, event)| event.order()).map(|order| hold_key(order, number)));
        }
        known.sort_unstable();
        known.dedup();
        let keys = known.into_iter().map(Value::Blob).collect();
        for row in self.ports.records.get_many(HoldRow::TABLE, keys).await? {
            let row = HoldRow::from_values(row.values).map_err(|error| PortError::Corrupt(error.to_string()))?;
            if let Some(offer) = offers.get_mut(&row.offer) {
                offer.recall(row.hold()?);
            }
        }
        Ok(offers)
    }
}

#[async_trait]
impl Handler<JournalEntry> for Projection {
    fn name(&self) -> &'static str {
        CONSUMER
    }

    async fn handle(&self, items: &[JournalEntry]) -> Result<Unit, HandleError> {
        let mut offers = self.load(items).await?;
        for entry in items {
            let Some(offer) = offers.get_mut(&entry.record.offer) else { continue };
            for (seq, event) in entry.record.numbered() {
                if seq == offer.seq() + 1 {
                    offer.evolve(event, entry.record.at);
                } else if seq > offer.seq() {
                    let gap = format!("offer {} goes from {} to {seq}", entry.record.offer, offer.seq());
                    return Err(PortError::Corrupt(gap).into());
                }
            }
        }
        let mut unit = Unit::new();
        for (number, offer) in &offers {
            for hold in offer.holds() {
                self.ports.archive.add(hold.order);
                unit = unit.advance(&HoldRow::new(*number, hold), hold.seq as i64);
            }
            if let Some(snapshot) = offer.snapshot() {
                unit = unit.advance(&OfferRow::new(&snapshot), snapshot.seq as i64);
            }
        }
        self.lag.set(items.len() as i64);
        Ok(unit)
    }

    fn rest(&self, items: &[JournalEntry]) -> Duration {
        let events: usize = items.iter().map(|entry| entry.record.events.len()).sum();
        if events >= MANY && items.len() < BATCH { GATHERING } else { Duration::ZERO }
    }

    fn committed(&self, items: &[JournalEntry]) {
        let Some(last) = items.last() else { return };
        self.ports.ledger.archived(last.position);
        for entry in items {
            for (seq, event) in entry.record.numbered() {
                if let Some(hold) =
                    Hold::created_by(event, seq, entry.record.at).filter(|hold| hold.state != HoldState::Prepared)
                {
                    self.keys.archived(hold.order);
                }
            }
        }
        if items.len() < BATCH {
            self.lag.set(0);
        }
    }
}
