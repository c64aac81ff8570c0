//! One visitor of the rehearsal: what they do, and what they were told.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::pool::Pool;
use crate::storm::client::ClientError;
use crate::storm::client::json::{Answer, Call};
use crate::storm::progress::Progress;
use crate::storm::shop::PRICE;
use crate::storm::tally::Tally;

/// How often someone who came before the opening, or at a moment of overload, asks again.
const PATIENCE: u32 = 50;
const ASK_AGAIN: Duration = Duration::from_millis(100);
/// How often someone whose card was declined tries another.
const CARDS: u32 = 3;

/// What a visitor is like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Habit {
    Pays,
    PaysLate,
    PaysAndCancels,
    WalksAway,
}

/// What the shop said to something that was asked of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) enum Told {
    /// It was never asked.
    #[default]
    NotAsked,
    /// It is done.
    Yes,
    /// It was refused, with this code.
    No(String),
    /// No answer, or one that leaves it open.
    Unknown,
}

/// A visit as it is remembered for the reading back.
#[derive(Clone, Debug, Default)]
pub(super) struct Visit {
    /// Which buyer.
    pub(super) buyer: usize,
    /// The idempotency key of the order.
    pub(super) key: String,
    /// Whether there is an order.
    pub(super) ordered: Told,
    /// Its id.
    pub(super) order: Option<String>,
    /// Whether the same key ever gave another order, or none after it gave one.
    pub(super) twins_differ: bool,
    /// Whether the payment was confirmed.
    pub(super) paid: Told,
    /// Whether the order was canceled.
    pub(super) canceled: Told,
}

/// What all visitors share.
pub(super) struct Sale {
    pub(super) pool: Pool,
    pub(super) buyers: Rc<[String]>,
    pub(super) body: Value,
    pub(super) hold: Duration,
    pub(super) tally: RefCell<Tally>,
    pub(super) visits: RefCell<Vec<Visit>>,
    pub(super) progress: Progress,
    /// Tells this sale's keys from those of others.
    pub(super) run: String,
}

impl Sale {
    /// One visit from the arrival, which was due at `due`, to its end.
    pub(super) async fn visit(self: Rc<Self>, number: u64, due: Instant) {
        let chance = scramble(number);
        let buyer = (chance % self.buyers.len() as u64) as usize;
        let mut visit = Visit { buyer, key: format!("{}-{number}", self.run), ..Visit::default() };
        let first = self.order(&visit);
        // One in five presses the button twice.
        let (first, second) = if (chance >> 32).is_multiple_of(5) {
            tokio::join!(first, async { Some(self.order(&visit).await) })
        } else {
            (first.await, None)
        };
        self.count(&first, due);
        self.progress.one();
        note_order(&mut visit, &first);
        if let Some(second) = second {
            self.note_second(&mut visit, &second).await;
        }
        if let Some(order) = visit.order.clone() {
            self.after_ordering(habit(chance), &order, &mut visit).await;
        }
        self.visits.borrow_mut().push(visit);
    }

    /// Of two presses at the same time one may be refused and the other granted: a unit may come back in between, and a refusal
    /// promises nothing about the next try. But from the grant on the key means the order: asked once more, the shop must say so.
    async fn note_second(&self, visit: &mut Visit, second: &Result<Answer, ClientError>) {
        let first = visit.ordered.clone();
        note_order(visit, second);
        let differ = matches!((first, told(second)), (Told::Yes, Told::No(_)) | (Told::No(_), Told::Yes));
        if differ {
            let third = self.order(visit).await;
            visit.twins_differ |= matches!(told(&third), Told::No(_));
            note_order(visit, &third);
        }
    }

    async fn after_ordering(&self, habit: Habit, order: &str, visit: &mut Visit) {
        match habit {
            Habit::WalksAway => return,
            Habit::PaysLate => sleep(self.hold + Duration::from_millis(1500)).await,
            Habit::Pays | Habit::PaysAndCancels => {}
        }
        visit.paid = self.pay(order, visit.buyer).await;
        if habit == Habit::PaysAndCancels && visit.paid == Told::Yes {
            let path = format!("/api/v1/orders/{order}/cancel");
            let body = json!({ "reason": "changed my mind" });
            let key = format!("{}-cancel", visit.key);
            let call = Call::post(&path, &body).by(&self.buyers[visit.buyer]).keyed(&key);
            visit.canceled = told(&self.pool.call(call).await);
        }
    }

    /// Orders, and asks again with the same key as long as it is too early or too busy.
    async fn order(&self, visit: &Visit) -> Result<Answer, ClientError> {
        let call = Call::post("/api/v1/orders", &self.body).by(&self.buyers[visit.buyer]).keyed(&visit.key);
        for _ in 1..PATIENCE {
            match self.pool.call(call).await {
                Ok(answer) if answer.code() == "not_open_yet" || answer.status == 503 => sleep(ASK_AGAIN).await,
                result => return result,
            }
        }
        self.pool.call(call).await
    }

    /// Pays in the provider's widget and confirms; with another card when one is declined.
    async fn pay(&self, order: &str, buyer: usize) -> Told {
        let mut last = Told::NotAsked;
        for _ in 0..CARDS {
            let charge = json!({ "orderId": order, "amount": PRICE });
            let Ok(charged) = self.pool.call(Call::post("/sandbox/toss/v1/test/payments", &charge)).await else {
                return last;
            };
            let Some(payment) = charged.text("paymentKey") else { return last };
            let amount = json!({ "amount": PRICE, "currency": "KRW" });
            let body = json!({ "order_id": order, "payment_key": payment, "amount": amount });
            let call = Call::post("/api/v1/payments/confirm", &body).by(&self.buyers[buyer]).keyed(payment);
            let answer = self.pool.call(call).await;
            last = told(&answer);
            if !matches!(&answer, Ok(answer) if answer.status == 402) {
                break;
            }
        }
        last
    }

    fn count(&self, answer: &Result<Answer, ClientError>, due: Instant) {
        let mut tally = self.tally.borrow_mut();
        tally.done(due.elapsed());
        match answer {
            Ok(answer) if answer.status == 201 => tally.ok += 1,
            Ok(answer) if answer.status >= 500 && answer.status != 503 => tally.error(&answer.body.to_string()),
            Ok(answer) => tally.refuse_as(&answer.code()),
            Err(error) => tally.error(&error.to_string()),
        }
    }
}

fn note_order(visit: &mut Visit, answer: &Result<Answer, ClientError>) {
    let told = told(answer);
    let order = answer.as_ref().ok().and_then(|answer| answer.text("order_id"));
    match (&visit.order, order) {
        (Some(known), Some(order)) if known != order => visit.twins_differ = true,
        (None, Some(order)) => visit.order = Some(order.to_owned()),
        _ => {}
    }
    // Of two presses the one that got the order counts, and before a refusal the one of which nobody knows.
    visit.ordered = match (std::mem::take(&mut visit.ordered), told) {
        (Told::Yes, _) | (_, Told::Yes) => Told::Yes,
        (Told::Unknown, Told::No(_)) => Told::Unknown,
        (_, told) => told,
    };
}

/// What an answer says. A server's failure and 202 leave it open.
pub(super) fn told(answer: &Result<Answer, ClientError>) -> Told {
    match answer {
        Ok(answer) if answer.status == 200 || answer.status == 201 => Told::Yes,
        Ok(answer) if (400..500).contains(&answer.status) => Told::No(answer.code()),
        _ => Told::Unknown,
    }
}

/// Of a hundred visitors 50 pay, 12 pay when it is too late, 8 cancel after paying and 30 walk away.
fn habit(chance: u64) -> Habit {
    match (chance >> 16) % 100 {
        0..50 => Habit::Pays,
        50..62 => Habit::PaysLate,
        62..70 => Habit::PaysAndCancels,
        _ => Habit::WalksAway,
    }
}

/// A number that looks like chance and is the same in every run (the finalizer of SplitMix64).
fn scramble(number: u64) -> u64 {
    let mut value = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
