//! Gift cards at tills: taken off in parts, from many cards or from one that all tills use at once.

use std::cell::RefCell;
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use super::orders::{Orders, keys};
use super::{HOLD, Round};
use crate::storm::StormError;
use crate::storm::client::json::Call;
use crate::storm::client::request::Prepared;
use crate::storm::client::{ClientError, Connection};
use crate::storm::drive::{Plan, Work, drive};
use crate::storm::meter::Meter;
use crate::storm::progress::Progress;
use crate::storm::report::Check;
use crate::storm::shop::{Offering, Shop};
use crate::storm::tally::Tally;

/// What is put on a card, in won: more than any run takes off one.
const FACE: i64 = 1_000_000_000;
/// How long cards may take to be delivered.
const DELIVERED_WITHIN: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Which cards are used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Cards {
    /// One of each buyer, in turn.
    Many,
    /// Always the same.
    One,
}

/// Takes one won off one card after the other.
struct Tills {
    prepared: Vec<Prepared>,
    keys: u128,
}

impl Work for Tills {
    async fn once(&self, connection: &mut Connection, number: u64, tally: &RefCell<Tally>) -> Result<(), ClientError> {
        let card = number as usize % self.prepared.len();
        self.prepared[card].write(connection.request(), self.keys + u128::from(number));
        let response = connection.send().await?;
        let mut tally = tally.borrow_mut();
        if response.status == 200 {
            tally.ok += 1;
        } else {
            tally.refuse(response);
        }
        Ok(())
    }
}

/// Measures one round with cards of its own.
pub(super) async fn round(cards: Cards, shop: &Shop, plan: Plan, progress: &Progress) -> Result<Round, StormError> {
    let merchants = shop.merchants().await?;
    let buyers = if cards == Cards::One { &shop.buyers[..1] } else { &shop.buyers[..] };
    let codes = codes(shop, buyers).await?;
    let body = json!({ "amount": { "amount": 1, "currency": "KRW" } }).to_string();
    let tills = merchants.iter().cycle();
    // One card has every merchant in turn.
    let uses = codes.iter().cycle().take(codes.len().max(merchants.len())).zip(tills);
    let prepare = |(code, till): (&String, &String)| {
        Prepared::post(shop.address, &format!("/api/v1/vouchers/{code}/redeem"), Some(till), body.as_bytes())
    };
    let work = Tills { prepared: uses.map(prepare).collect(), keys: keys() };
    let meter = Meter::start(shop.pid());
    let run = drive(work, shop.address, plan, progress).await;
    let cost = meter.stop();
    let note = format!("{} cards, {} merchants", codes.len(), merchants.len());
    let checks = vec![balanced(shop, &merchants[0], &codes, &run.tally).await?];
    Ok(Round { note: Some(note), checks, ..Round::new(run, cost) })
}

/// Gives each of these buyers a gift card and reads its code.
async fn codes(shop: &Shop, buyers: &[String]) -> Result<Vec<String>, StormError> {
    let face = json!({ "amount": FACE, "currency": "KRW" });
    let product = json!({ "kind": "gift_card", "name": "Storm gift card for tills", "face_value": face });
    let offering =
        Offering { stock: buyers.len() as u64, limit_per_person: Some(1), hold_for_seconds: HOLD, opens_in: None };
    let offer = shop.sell_product(&product, 0, offering).await?;
    let (orders, tally) = (Orders::by(shop.address, buyers, &offer), RefCell::new(Tally::default()));
    let mut connection = Connection::new(shop.address);
    for number in 0..buyers.len() {
        orders.once(&mut connection, number as u64, &tally).await?;
    }
    let tally = tally.into_inner();
    if tally.ok != buyers.len() as u64 {
        return Err(StormError::Shop(format!("{} of {} cards were given away: {tally:?}", tally.ok, buyers.len())));
    }
    let since = Instant::now();
    let mut codes = Vec::with_capacity(buyers.len());
    for token in buyers {
        codes.push(code(&mut connection, token, since).await?);
    }
    Ok(codes)
}

/// The code of a buyer's newest voucher that nobody has used; waits for it.
async fn code(connection: &mut Connection, token: &str, since: Instant) -> Result<String, StormError> {
    loop {
        let answer = Call::get("/api/v1/me/vouchers?limit=1").by(token).send(connection).await?;
        let card = &answer.body["items"][0];
        match card["code"].as_str() {
            Some(code) if card["balance"]["amount"] == FACE => return Ok(code.to_owned()),
            _ if since.elapsed() < DELIVERED_WITHIN => sleep(LOOK_AGAIN).await,
            _ => return Err(StormError::answer("waiting for a gift card", &answer)),
        }
    }
}

/// Whether the cards have lost what the tills have taken.
async fn balanced(shop: &Shop, till: &str, codes: &[String], tally: &Tally) -> Result<Check, StormError> {
    let mut connection = Connection::new(shop.address);
    let mut lost = 0;
    for code in codes {
        let answer = Call::get(&format!("/api/v1/vouchers/{code}")).by(till).send(&mut connection).await?;
        let left = answer.body["balance"]["amount"].as_i64();
        lost += FACE - left.ok_or_else(|| StormError::answer("reading a gift card", &answer))?;
    }
    let (ok, errors) = (tally.ok as i64, tally.errors as i64);
    Ok(Check {
        what: format!("{} lost what tills took", if codes.len() == 1 { "one card has" } else { "cards have" }),
        // Whose answer was lost may have taken something too.
        holds: (ok..=ok + errors).contains(&lost),
        detail: format!("{lost} won are gone, {ok} answered with 200, {errors} errors"),
    })
}
