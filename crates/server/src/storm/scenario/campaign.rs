//! Free coupons, one per person, first come first served. The clock stops when the last voucher can be read.
//!
//! Everyone takes one coupon of the first campaign, then everyone one of the next: so that a short rush of many people lasts long enough to
//! be measured.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use super::orders::keys;
use super::{HOLD, Round};
use crate::storm::StormError;
use crate::storm::client::json::Call;
use crate::storm::client::{ClientError, Connection, number_after, request, text_after};
use crate::storm::drive::{Plan, Work, drive};
use crate::storm::meter::Meter;
use crate::storm::progress::Progress;
use crate::storm::report::Check;
use crate::storm::shop::{Offering, Shop};
use crate::storm::tally::Tally;

/// People who come to each campaign, and campaigns: more coupons than any run can give.
const PEOPLE: u64 = 10_000;
const CAMPAIGNS: usize = 32;
/// How long after the last order its voucher may take.
const DELIVERED_WITHIN: Duration = Duration::from_secs(120);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A campaign under way.
struct Campaign {
    offer: String,
    body: Vec<u8>,
    /// Its last order so far by its place in the journal, and whose that is. Vouchers are issued in that order.
    last: RefCell<Option<(u64, String, usize)>>,
}

struct Campaigns {
    people: Rc<[String]>,
    campaigns: Vec<Campaign>,
    keys: u128,
    granted: Cell<u64>,
}

impl Work for Rc<Campaigns> {
    async fn once(&self, connection: &mut Connection, number: u64, tally: &RefCell<Tally>) -> Result<(), ClientError> {
        let people = self.people.len() as u64;
        let (person, campaign) = ((number % people) as usize, &self.campaigns[(number / people) as usize]);
        let host = connection.address();
        let key = format!("{:024x}", self.keys + u128::from(number));
        let token = Some(self.people[person].as_str());
        request::with_body(connection.request(), ("POST", "/api/v1/orders"), host, token, Some(&key), &campaign.body);
        let response = connection.send().await?;
        let order = text_after(response.body, r#""order_id":""#).zip(number_after(response.body, r#""seq":"#));
        match order.filter(|_| response.status == 201) {
            Some((order, seq)) => {
                let mut last = campaign.last.borrow_mut();
                if last.as_ref().is_none_or(|last| last.0 < seq) {
                    *last = Some((seq, order.to_owned(), person));
                }
                self.granted.set(self.granted.get() + 1);
                tally.borrow_mut().ok += 1;
            }
            None => tally.borrow_mut().refuse(response),
        }
        Ok(())
    }
}

impl Campaigns {
    async fn open(shop: &Shop) -> Result<Self, StormError> {
        let people = shop.crowd(PEOPLE).await?;
        let discount = json!({ "amount": 1000, "currency": "KRW" });
        let product = shop.product(&json!({ "kind": "coupon", "name": "Storm coupon", "discount": discount })).await?;
        let offering =
            Offering { stock: people.len() as u64, limit_per_person: Some(1), hold_for_seconds: HOLD, opens_in: None };
        let mut campaigns = Vec::with_capacity(CAMPAIGNS);
        for _ in 0..CAMPAIGNS {
            let offer = shop.offer(&product, 0, offering).await?;
            let body = json!({ "offer_id": offer, "quantity": 1 }).to_string().into_bytes();
            campaigns.push(Campaign { offer, body, last: RefCell::default() });
        }
        Ok(Self { people, campaigns, keys: keys(), granted: Cell::default() })
    }

    /// Waits until the last voucher of each campaign can be read.
    async fn delivered(&self, shop: &Shop) -> Result<Instant, StormError> {
        let since = Instant::now();
        let mut connection = Connection::new(shop.address);
        for campaign in &self.campaigns {
            let Some((_, order, person)) = campaign.last.borrow().clone() else { continue };
            while !reads_voucher(&mut connection, &self.people[person], &order).await? {
                if since.elapsed() > DELIVERED_WITHIN {
                    let seconds = DELIVERED_WITHIN.as_secs();
                    return Err(StormError::Shop(format!("order {order} has no voucher after {seconds} s")));
                }
                sleep(LOOK_AGAIN).await;
            }
        }
        Ok(Instant::now())
    }

    /// Whether the shop has given as many as people have got.
    async fn check(&self, shop: &Shop, errors: u64) -> Result<Check, StormError> {
        let mut sold = 0;
        for campaign in self.campaigns.iter().filter(|campaign| campaign.last.borrow().is_some()) {
            sold += shop.look_at(&campaign.offer).await?["sold"].as_u64().unwrap_or(0);
        }
        let granted = self.granted.get();
        Ok(Check {
            what: "every coupon that was given away is somebody's".to_owned(),
            // Whose answer was lost may have one too.
            holds: (granted..=granted + errors).contains(&sold),
            detail: format!("{sold} given away, {granted} answered with 201, {errors} errors"),
        })
    }
}

/// Whether this voucher can be read by whose it is.
async fn reads_voucher(connection: &mut Connection, token: &str, order: &str) -> Result<bool, StormError> {
    let answer = Call::get("/api/v1/me/vouchers?limit=100").by(token).send(connection).await?;
    let items = answer.body["items"].as_array().ok_or_else(|| StormError::answer("reading vouchers", &answer))?;
    Ok(items.iter().any(|voucher| voucher["order_id"] == order))
}

/// Measures one round on campaigns of its own.
pub(super) async fn round(shop: &Shop, plan: Plan, progress: &Progress) -> Result<Round, StormError> {
    let campaigns = Rc::new(Campaigns::open(shop).await?);
    let people = campaigns.people.len() as u64;
    let limit = plan.limit.min(people * CAMPAIGNS as u64);
    let (meter, start) = (Meter::start(shop.pid()), Instant::now());
    let mut run = drive(Rc::clone(&campaigns), shop.address, Plan { limit, ..plan }, progress).await;
    let answered = Instant::now();
    let delivered = campaigns.delivered(shop).await?;
    run.elapsed = delivered - start;
    let cost = meter.stop();
    let behind = delivered.duration_since(answered).as_secs_f64();
    let note = format!("{people} people; the last voucher could be read {behind:.2} s after the last answer");
    let checks = vec![campaigns.check(shop, run.tally.errors).await?];
    Ok(Round { note: Some(note), checks, ..Round::new(run, cost) })
}
