//! The first page of one's own orders, by one buyer after the other.

use std::cell::RefCell;

use super::orders::Orders;
use super::{HOLD, Round};
use crate::storm::StormError;
use crate::storm::client::json::Call;
use crate::storm::client::{ClientError, Connection, request};
use crate::storm::drive::{Plan, Work, drive};
use crate::storm::meter::Meter;
use crate::storm::progress::Progress;
use crate::storm::shop::{Offering, Shop};
use crate::storm::tally::Tally;

/// Orders on a first page.
const PAGE: usize = 20;
const PATH: &str = "/api/v1/orders";
const STOCK: u64 = 1_000_000_000;

/// Reads.
struct Looks {
    requests: Vec<Vec<u8>>,
    /// No page is shorter than this.
    shortest: usize,
}

impl Work for Looks {
    async fn once(&self, connection: &mut Connection, number: u64, tally: &RefCell<Tally>) -> Result<(), ClientError> {
        connection.request().extend_from_slice(&self.requests[number as usize % self.requests.len()]);
        let response = connection.send().await?;
        let mut tally = tally.borrow_mut();
        if response.status != 200 {
            tally.refuse(response);
        } else if response.body.len() < self.shortest {
            tally.error("a page is shorter than before");
        } else {
            tally.ok += 1;
        }
        Ok(())
    }
}

/// Measures one round, after everyone has a page of orders.
pub(super) async fn round(shop: &Shop, plan: Plan, progress: &Progress) -> Result<Round, StormError> {
    order_missing(shop).await?;
    shop.rows_written().await?;
    let mut connection = Connection::new(shop.address);
    let (mut requests, mut sizes) = (Vec::with_capacity(shop.buyers.len()), Vec::with_capacity(shop.buyers.len()));
    for token in &*shop.buyers {
        let mut asks = Vec::new();
        request::get(&mut asks, shop.address, PATH, Some(token));
        connection.request().extend_from_slice(&asks);
        sizes.push(connection.send().await?.body.len());
        requests.push(asks);
    }
    let mean = sizes.iter().sum::<usize>() / sizes.len().max(1);
    let shortest = sizes.into_iter().min().unwrap_or_default();
    let meter = Meter::start(shop.pid());
    let run = drive(Looks { requests, shortest }, shop.address, plan, progress).await;
    let cost = meter.stop();
    let note = format!("{} buyers; a page has {PAGE} orders, {mean} bytes", shop.buyers.len());
    Ok(Round { note: Some(note), ..Round::new(run, cost) })
}

/// Lets everyone who has less than a page of orders place some.
async fn order_missing(shop: &Shop) -> Result<(), StormError> {
    let offering = Offering { stock: STOCK, limit_per_person: None, hold_for_seconds: HOLD, opens_in: None };
    let offer = shop.sell(offering).await?;
    let (orders, tally) = (Orders::of(shop, &offer), RefCell::new(Tally::default()));
    let mut connection = Connection::new(shop.address);
    let (buyers, mut placed) = (shop.buyers.len(), 0);
    for (buyer, token) in shop.buyers.iter().enumerate() {
        let answer = Call::get(PATH).by(token).send(&mut connection).await?;
        let items = answer.body["items"].as_array().ok_or_else(|| StormError::answer("reading own orders", &answer))?;
        for missing in 0..PAGE.saturating_sub(items.len()) {
            orders.once(&mut connection, (missing * buyers + buyer) as u64, &tally).await?;
            placed += 1;
        }
    }
    let tally = tally.into_inner();
    if tally.ok == placed { Ok(()) } else { Err(StormError::Shop(format!("buyers could not order: {tally:?}"))) }
}
