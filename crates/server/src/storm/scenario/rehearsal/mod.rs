//! A rehearsal: an opening second with everything that happens on one. People come before it opens, press twice, pay late, are declined, walk
//! away, cancel; the provider answers slowly, wrongly or not at all. When it is over everything is read back and checked.

mod books;
mod certificate;
mod pool;
mod settle;
mod visitor;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use self::pool::Pool;
use self::visitor::Sale;
use crate::storm::StormError;
use crate::storm::arguments::LoadOptions;
use crate::storm::client::json::Call;
use crate::storm::drive::Run;
use crate::storm::progress::Progress;
use crate::storm::report::Check;
use crate::storm::shop::{Offering, Shop};
use crate::storm::tally::Tally;

/// Visitors per unit.
const CROWD: u64 = 5;
/// Visits per buyer: some want more than they may have.
const VISITS: u64 = 3;
/// Units per person.
const LIMIT: u32 = 2;
/// How long before the opening the first visitors come.
const EARLY: Duration = Duration::from_millis(100);

/// How long things last. Each part of a rehearsal has an end, so it has one as a whole, whatever the shop does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// From the offer's creation to its opening.
    pub(crate) opens_in: Duration,
    /// Seconds that a hold lasts.
    pub(crate) hold_seconds: u32,
    /// How long after the last arrival the last visitor must be gone.
    pub(crate) gone_within: Duration,
    /// How long after the last visit the shop may take to bring everything to its end.
    pub(crate) settled_within: Duration,
    /// How long a reading of the books that began in time may last beyond that.
    pub(crate) read_within: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            opens_in: Duration::from_secs(2),
            hold_seconds: 5,
            gone_within: Duration::from_secs(60),
            settled_within: Duration::from_secs(120),
            read_within: Duration::from_secs(60),
        }
    }
}

/// A sale whose visitors have gone.
pub(crate) struct Sold {
    /// Its orders.
    pub(crate) run: Run,
    sale: Rc<Sale>,
    offer: String,
    timing: Timing,
}

impl Sold {
    /// Brings the sale to its end: the certificate, and in words how that went. There is always one.
    pub(crate) async fn settle(self, shop: &Shop) -> (Vec<Check>, String) {
        settle::settle(&self.sale, shop, &self.offer, self.timing).await
    }
}

/// Opens a sale and lets the visitors come and go. An error means that it could not be opened.
pub(crate) async fn sell(
    shop: &Shop,
    options: &LoadOptions,
    timing: Timing,
    progress: &Progress,
) -> Result<Sold, StormError> {
    let visitors = u64::from(options.stock) * CROWD;
    let rate = options.plan.rate.unwrap_or(visitors as f64);
    let buyers = shop.more_buyers(visitors.div_ceil(VISITS)).await?;
    let opening = Instant::now() + timing.opens_in;
    let offer = shop.sell(offering(options, timing)).await?;
    let last_arrival = opening + Duration::from_secs_f64(visitors as f64 / rate);
    let sale = Rc::new(Sale {
        pool: Pool::new(shop.address, options.plan.connections, last_arrival + timing.gone_within),
        buyers,
        body: json!({ "offer_id": offer, "quantity": 1 }),
        hold: Duration::from_secs(timing.hold_seconds.into()),
        tally: RefCell::new(Tally::default()),
        visits: RefCell::default(),
        progress: progress.clone(),
        run: format!("{offer}-visit"),
    });
    set_faults(&sale.pool, &faults()).await?;
    progress.begin("visitors");
    let elapsed = arrivals(&sale, visitors, opening, rate).await;
    let mut tally = sale.tally.take();
    tally.late = sale.pool.waited();
    Ok(Sold { run: Run { tally, elapsed }, sale, offer, timing })
}

fn offering(options: &LoadOptions, timing: Timing) -> Offering {
    Offering {
        stock: options.stock.into(),
        limit_per_person: Some(LIMIT),
        hold_for_seconds: timing.hold_seconds,
        opens_in: Some(timing.opens_in),
    }
}

/// Lets the visitors come and waits until the last has gone; the time from the first to the last order's answer.
async fn arrivals(sale: &Rc<Sale>, visitors: u64, opening: Instant, rate: f64) -> Duration {
    let start = (opening - EARLY).max(Instant::now());
    let mut visits = JoinSet::new();
    for number in 0..visitors {
        let due = start + Duration::from_secs_f64(number as f64 / rate);
        sleep_until(due).await;
        visits.spawn_local(Rc::clone(sale).visit(number, due));
    }
    let elapsed = start.elapsed();
    while visits.join_next().await.is_some() {}
    elapsed
}

/// What the provider does wrong during the sale.
fn faults() -> serde_json::Value {
    json!([
        { "on": "confirm", "kind": "decline", "probability": 0.08, "code": "REJECT_CARD_PAYMENT" },
        { "on": "confirm", "kind": "answer_lost", "probability": 0.05 },
        { "on": "confirm", "kind": "error_500", "probability": 0.05 },
        { "on": "confirm", "kind": "delay", "probability": 0.05, "delay_ms": 300 },
        { "on": "lookup", "kind": "error_500", "probability": 0.03 },
        { "on": "cancel", "kind": "answer_lost", "probability": 0.2 },
        { "on": "webhook", "kind": "duplicate", "probability": 0.2 },
        { "on": "webhook", "kind": "drop", "probability": 0.2 },
        { "on": "webhook", "kind": "early", "probability": 0.1 },
    ])
}

async fn set_faults(pool: &Pool, rules: &serde_json::Value) -> Result<(), StormError> {
    let body = json!({ "rules": rules });
    let call = Call { method: "PUT", ..Call::post("/sandbox/toss/v1/test/faults", &body) };
    let answer = pool.call(call).await?;
    if answer.status < 300 { Ok(()) } else { Err(StormError::answer("setting the provider's faults", &answer)) }
}
