//! Full books: what a shop has sold in its life before the storm, and how long the program takes to start on them.
//!
//! The journal is filled through the ledger itself ([`fill`]): every record, hash and witness is what a sale would have left, without the
//! visitors. The program then starts on it twice: with nothing but the journal, as after the loss of its other books, and with
//! everything in its place.
//!
//! Half of the orders were held and canceled, half were granted for nothing, as goods. So every order is settled and the books agree in
//! units, money and deliveries, without ten million payments and vouchers that a measurement of orders is not about. The buyers of the
//! storm are among those who placed them, so that they have orders of their own to look at, from all times.

mod fill;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use tokio::time::Instant;

use super::StormError;
use super::machine::{self, Memory};
use super::progress::Progress;
use super::report::Row;
use super::shop::{Offering, PRICE, Shop};

use fill::{Kind, Shelf};

/// Offers of each kind.
const OFFERS: usize = 4;
const STOCK: u64 = 1_000_000_000;
/// Units per person: more than anyone takes; there is a limit, so that the ledger counts for every person.
const LIMIT: u32 = 1_000_000;
/// Seconds that the holds would last if nobody canceled: longer than the filling.
const HOLD: u32 = 86_400;
/// How long a start may take with empty books, and how much longer for each order in them.
const START: Duration = Duration::from_secs(60);
const START_EACH: Duration = Duration::from_micros(500);

/// Books that were filled, and the program's starts on them.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Books {
    /// Orders in them.
    pub(crate) orders: u64,
    /// Persons who placed them.
    pub(crate) persons: u64,
    /// Offers that they are for.
    pub(crate) offers: usize,
    /// Orders that were held and canceled; the others were granted for nothing.
    pub(crate) canceled: u64,
    /// Events in the journal.
    pub(crate) events: u64,
    /// Bytes of the journal.
    pub(crate) journal_bytes: u64,
    /// Seconds that filling them took.
    pub(crate) fill_seconds: f64,
    /// The first start: everything but the journal is behind.
    pub(crate) catching_up: Option<Start>,
    /// The second: everything is in its place.
    pub(crate) again: Option<Start>,
    /// Each scenario with these books, set against the same with empty ones.
    pub(crate) ratios: Vec<Ratio>,
}

/// One start of the program.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Start {
    /// Until it was ready for requests.
    pub(crate) ready_seconds: f64,
    /// From then on until it had nothing more to do for itself; none when it still had at the end of all patience.
    pub(crate) quiet_seconds: Option<f64>,
    /// Its memory then.
    pub(crate) memory: Option<Memory>,
}

/// A scenario on full books against the same on empty ones.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Ratio {
    pub(crate) scenario: &'static str,
    /// Of what is done in a second.
    pub(crate) per_second: f64,
    /// Of the ratios to the floor: what the machine itself did differently is taken out.
    pub(crate) to_floor: f64,
}

impl Books {
    /// Puts offers on sale and fills the books with orders for them. The shop is closed afterwards.
    pub(crate) async fn fill(shop: &mut Shop, orders: u64, progress: &Progress) -> Result<Self, StormError> {
        progress.begin("putting offers on sale for the books");
        let mut shelves = Vec::new();
        for kind in [Kind::Canceled, Kind::Granted] {
            for _ in 0..OFFERS {
                shelves.push(shelf(shop, kind).await?);
            }
        }
        let buyers = shop.buyer_ids().await?;
        shop.close().await?;
        let Some(folder) = shop.data().map(ToOwned::to_owned) else {
            return Err(StormError::Usage(
                "--books fills the books of a shop of its own; leave out --target".to_owned(),
            ));
        };
        progress.begin("filling the books");
        fill::fill(&folder, &shelves, &buyers, orders, progress).await
    }

    /// Starts the shop twice on these books and leaves it running.
    pub(crate) async fn start(&mut self, shop: &mut Shop, progress: &Progress) -> Result<(), StormError> {
        let patience = START + START_EACH * u32::try_from(self.orders).unwrap_or(u32::MAX);
        progress.begin("the first start on these books, catching up");
        self.catching_up = Some(start(shop, patience).await?);
        shop.close().await?;
        progress.begin("the second start on these books");
        self.again = Some(start(shop, patience).await?);
        shop.greet(&shop.buyers).await
    }
}

async fn start(shop: &mut Shop, patience: Duration) -> Result<Start, StormError> {
    let ready = shop.start_again(patience).await?;
    let since = Instant::now();
    let quiet = shop.quiet(patience).await;
    Ok(Start {
        ready_seconds: ready.as_secs_f64(),
        quiet_seconds: quiet.then(|| since.elapsed().as_secs_f64()),
        memory: shop.pid().and_then(machine::memory),
    })
}

async fn shelf(shop: &Shop, kind: Kind) -> Result<Shelf, StormError> {
    let offering = Offering { stock: STOCK, limit_per_person: Some(LIMIT), hold_for_seconds: HOLD, opens_in: None };
    let (product, price) = match kind {
        Kind::Canceled => (
            json!({ "kind": "gift_card", "name": "Old gift card", "face_value": { "amount": PRICE, "currency": "KRW" } }),
            PRICE,
        ),
        Kind::Granted => (json!({ "kind": "goods", "name": "Free sample" }), 0),
    };
    let offer = shop.sell_product(&product, price, offering).await?;
    Shelf::new(&offer, kind)
}

/// What full books leave of each scenario's rate.
pub(crate) fn ratios(rows: &[Row]) -> Vec<Ratio> {
    let floor = |row: &Row| row.floor.as_ref().map_or(0.0, |floor| floor.ratio);
    let of = |part: f64, whole: f64| part / whole.max(f64::MIN_POSITIVE);
    let full = rows.iter().filter(|row| row.books.is_some());
    full.filter_map(|full| {
        let empty = rows.iter().find(|row| row.books.is_none() && row.scenario == full.scenario)?;
        let (per_second, to_floor) = (of(full.per_second, empty.per_second), of(floor(full), floor(empty)));
        Some(Ratio { scenario: full.scenario, per_second, to_floor })
    })
    .collect()
}
