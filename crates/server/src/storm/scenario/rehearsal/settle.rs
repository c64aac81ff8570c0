//! The end of a rehearsal: the sale is closed, everything is brought to its end, and the books are read back.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use super::books::Books;
use super::certificate::{self, Certificate};
use super::visitor::{Sale, Told, Visit, told};
use super::{Timing, set_faults};
use crate::storm::StormError;
use crate::storm::client::json::Call;
use crate::storm::report::Check;
use crate::storm::shop::Shop;

const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Closes the sale and gives its certificate, and in words how it came to its end. Ends in the time that `timing` gives it, and gives
/// what it knows also when the shop does not answer any more.
pub(super) async fn settle(sale: &Sale, shop: &Shop, offer: &str, timing: Timing) -> (Vec<Check>, String) {
    let begun = Instant::now();
    let end = begun + timing.settled_within;
    sale.pool.until(end + timing.read_within);
    let closed = close(sale, shop, offer).await;
    ask_the_unknown(sale).await;
    let visits = sale.visits.take();
    let (mut checks, why) = read_until_settled(sale, shop, &visits, offer, end).await;
    let took = begun.elapsed().as_secs_f64();
    let note = match &why {
        None => format!("{took:.1} s after the last visitor everything had come to its end"),
        Some(why) => format!("{took:.1} s after the last visitor it was given up: {why}"),
    };
    if let Err(error) = closed {
        checks.push(Check { what: "the sale could be closed".to_owned(), holds: false, detail: error.to_string() });
    }
    (checks, note)
}

async fn close(sale: &Sale, shop: &Shop, offer: &str) -> Result<(), StormError> {
    set_faults(&sale.pool, &json!([])).await?;
    shop.close_offer(offer).await
}

/// Asks again, with the same key, for every order that got no answer: the offer is closed, so only what exists can be the answer.
async fn ask_the_unknown(sale: &Sale) {
    let unknown = |visit: &&Visit| visit.ordered == Told::Unknown;
    let asked: Vec<Visit> = sale.visits.borrow().iter().filter(unknown).cloned().collect();
    for visit in asked {
        let call = Call::post("/api/v1/orders", &sale.body).by(&sale.buyers[visit.buyer]).keyed(&visit.key);
        let answer = sale.pool.call(call).await;
        let order = answer.as_ref().ok().and_then(|answer| answer.text("order_id")).map(ToOwned::to_owned);
        if let Some(known) = sale.visits.borrow_mut().iter_mut().find(|known| known.key == visit.key) {
            known.ordered = told(&answer);
            known.order = order;
        }
    }
}

/// Reads the books back until nothing is left to wait for, or until `end` or the end of the shop; then also says why it was given up.
/// What no time changes is not waited for.
async fn read_until_settled(
    sale: &Sale,
    shop: &Shop,
    visits: &[Visit],
    offer: &str,
    end: Instant,
) -> (Vec<Check>, Option<String>) {
    let mut last = Vec::new();
    loop {
        let why = match Books::read(&sale.pool, &sale.buyers, offer).await {
            Ok(books) => {
                let Certificate { checks, waits_for } = certificate::certify(visits, &books);
                last = checks;
                waits_for
            }
            Err(error) => Some(format!("the books could not be read back: {error}")),
        };
        let Some(why) = why else { return (last, None) };
        if Instant::now() >= end || shop.is_gone() {
            let what = "everything came to its end in time".to_owned();
            last.push(Check { what, holds: false, detail: why.clone() });
            return (last, Some(why));
        }
        sale.progress.begin(&format!("waiting: {why}"));
        sleep(LOOK_AGAIN).await;
    }
}
