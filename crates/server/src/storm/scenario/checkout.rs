//! Carts with three offers each, ordered whole or not at all. The carts are filled before the clock starts; it stops when the last order's
//! rows are written.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use super::orders::keys;
use super::{HOLD, Round};
use crate::storm::StormError;
use crate::storm::client::request::{self, Prepared};
use crate::storm::client::{ClientError, Connection};
use crate::storm::drive::{Plan, Work, drive};
use crate::storm::meter::Meter;
use crate::storm::progress::Progress;
use crate::storm::report::Check;
use crate::storm::shop::{Offering, Shop};
use crate::storm::tally::Tally;

/// Offers in a cart.
const LINES: usize = 3;
/// Carts of a round: each has three durable writes before its checkout.
const CARTS: u64 = 20_000;
/// How long filling them may take.
const FILL: Duration = Duration::from_secs(120);
const STOCK: u64 = 1_000_000_000;
const LIMIT: u32 = 100_000_000;

/// Fills one person's cart after the other.
struct Fill {
    people: Rc<[String]>,
    paths: Vec<String>,
}

impl Work for Fill {
    async fn once(&self, connection: &mut Connection, number: u64, tally: &RefCell<Tally>) -> Result<(), ClientError> {
        let host = connection.address();
        let token = Some(self.people[number as usize].as_str());
        for path in &self.paths {
            request::with_body(connection.request(), ("PUT", path), host, token, None, br#"{"quantity":1}"#);
            let response = connection.send().await?;
            if response.status != 200 {
                tally.borrow_mut().refuse(response);
                return Ok(());
            }
        }
        tally.borrow_mut().ok += 1;
        Ok(())
    }
}

/// Checks one person's cart out after the other.
struct Checkouts {
    prepared: Vec<Prepared>,
    keys: u128,
}

impl Work for Checkouts {
    async fn once(&self, connection: &mut Connection, number: u64, tally: &RefCell<Tally>) -> Result<(), ClientError> {
        self.prepared[number as usize].write(connection.request(), self.keys + u128::from(number));
        let response = connection.send().await?;
        let mut tally = tally.borrow_mut();
        if response.status == 201 {
            tally.ok += 1;
        } else {
            tally.refuse(response);
        }
        Ok(())
    }
}

/// Measures one round on offers and with people of its own.
pub(super) async fn round(shop: &Shop, plan: Plan, progress: &Progress) -> Result<Round, StormError> {
    let people = shop.crowd(CARTS.min(plan.limit)).await?;
    let mut offers = Vec::with_capacity(LINES);
    for _ in 0..LINES {
        let offering = Offering { stock: STOCK, limit_per_person: Some(LIMIT), hold_for_seconds: HOLD, opens_in: None };
        offers.push(shop.sell(offering).await?);
    }
    fill(shop, &people, &offers, plan, progress).await?;
    let prepare = |token: &String| Prepared::post(shop.address, "/api/v1/me/cart/checkout", Some(token), br"{}");
    let work = Checkouts { prepared: people.iter().map(prepare).collect(), keys: keys() };
    shop.rows_written().await?;
    progress.begin("checkout");
    let plan = Plan { limit: plan.limit.min(people.len() as u64), ..plan };
    let (meter, start) = (Meter::start(shop.pid()), Instant::now());
    let mut run = drive(work, shop.address, plan, progress).await;
    run.elapsed = shop.rows_written().await?.unwrap_or_else(Instant::now) - start;
    let cost = meter.stop();
    let checks = vec![whole(shop, &offers, &run.tally).await?];
    Ok(Round { checks, ..Round::new(run, cost) })
}

async fn fill(
    shop: &Shop,
    people: &Rc<[String]>,
    offers: &[String],
    plan: Plan,
    progress: &Progress,
) -> Result<(), StormError> {
    progress.begin("filling carts");
    let paths = offers.iter().map(|offer| format!("/api/v1/me/cart/items/{offer}")).collect();
    let work = Fill { people: Rc::clone(people), paths };
    let plan = Plan { duration: FILL, limit: people.len() as u64, rate: None, ..plan };
    let tally = drive(work, shop.address, plan, progress).await.tally;
    if tally.ok == people.len() as u64 {
        return Ok(());
    }
    Err(StormError::Shop(format!("{} of {} carts were filled: {tally:?}", tally.ok, people.len())))
}

/// Whether every order holds all of its lines.
async fn whole(shop: &Shop, offers: &[String], tally: &Tally) -> Result<Check, StormError> {
    let mut held = Vec::with_capacity(offers.len());
    for offer in offers {
        held.push(shop.look_at(offer).await?["held"].as_u64().unwrap_or(0));
    }
    let (ok, errors) = (tally.ok, tally.errors);
    Ok(Check {
        what: "every cart was ordered whole or not at all".to_owned(),
        // Whose answer was lost may have an order too.
        holds: held.iter().all(|count| *count == held[0] && (ok..=ok + errors).contains(count)),
        detail: format!("{ok} answered with 201, {errors} errors; units held of each offer: {held:?}"),
    })
}
