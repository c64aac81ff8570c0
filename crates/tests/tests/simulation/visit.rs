//! A visitor: orders, and then does what the plan says, asking again under the same keys until there is an answer. After
//! a crash a visitor goes on from what it remembers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use firstcome_core::testkit::TestClock;
use firstcome_tests::Random;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::charges::Books;
use super::client::{Answer, Client};
use super::story::{Placed, Plan, Shared, Stage, Told, Wish};
use super::world::Sold;

/// How often a request that was not answered is sent again, and one that is answered with "not yet".
pub(super) const PERSISTENCE: usize = 200;
pub(super) const PATIENCE: usize = 8;

/// Someone with a wish.
pub(super) struct Visitor {
    pub(super) client: Client,
    pub(super) wish: Shared,
    pub(super) offers: Arc<Vec<Sold>>,
    pub(super) books: Arc<Mutex<Books>>,
    pub(super) clock: TestClock,
    pub(super) random: Mutex<Random>,
    /// Counts what is sent and heard, by everyone.
    pub(super) count: Arc<AtomicU64>,
}

impl Visitor {
    pub(super) async fn visit(self) {
        let Wish { stage, after, .. } = *self.wish.lock();
        if stage == Stage::Ordering {
            tokio::time::sleep(Duration::from_secs(after)).await;
            self.place().await;
            self.wish.lock().stage = Stage::Acting;
        }
        if stage != Stage::Over {
            self.act().await;
            self.repeat().await;
            self.wish.lock().stage = Stage::Over;
        }
    }

    pub(super) fn now(&self) -> Wish {
        self.wish.lock().clone()
    }

    fn tick(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn chance(&self, percent: u64) -> bool {
        self.random.lock().chance(percent)
    }

    pub(super) async fn pause(&self, at_most: u64) {
        let pause = self.random.lock().below(at_most);
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }

    /// One request, or the same one twice at the same moment.
    pub(super) async fn send(&self, path: &str, key: &str, body: Value) -> Vec<Answer> {
        let wish = self.now();
        let once = || self.client.post(path, wish.buyer, key, body.clone());
        let (first, second) = if wish.impatient { tokio::join!(once(), once()) } else { (once().await, None) };
        first.into_iter().chain(second).filter(|answer| !answer.says_try_again()).collect()
    }

    async fn order(&self, quantity: u32) -> Told<Placed> {
        let wish = self.now();
        let body = json!({"offer_id": self.offers[wish.offer].terms.offer, "quantity": quantity});
        let answers = self.send("/api/v1/orders", &wish.key, body).await;
        // Of two at the same moment one may have come before there was a unit.
        let granted = answers.iter().find(|answer| answer.status == 201);
        match granted.or(answers.first()) {
            None => Told::Unknown,
            Some(answer) if answer.status == 201 => {
                let body = &answer.body;
                Told::Ok(Placed {
                    id: body["order_id"].as_str().unwrap_or_default().to_owned(),
                    seq: body["lines"][0]["seq"].as_u64().unwrap_or_default(),
                    amount: body["amount"]["amount"].as_i64().unwrap_or_default(),
                })
            }
            Some(answer) => Told::No(answer.code()),
        }
    }

    async fn place(&self) {
        let mut second_chance = self.chance(30);
        for _ in 0..PERSISTENCE {
            let sent = self.tick();
            self.wish.lock().sent.get_or_insert(sent);
            let quantity = self.now().quantity;
            let told = self.order(quantity).await;
            let heard = self.tick();
            self.hear(&told, heard);
            match told {
                Told::Ok(_) => return,
                Told::No(_) if !std::mem::take(&mut second_chance) => return,
                _ => self.pause(5_000).await,
            }
        }
    }

    fn hear(&self, told: &Told<Placed>, when: u64) {
        let mut wish = self.wish.lock();
        wish.order = told.clone();
        wish.answered = told.ok().map(|_| when);
    }

    /// The same request once more: the same order.
    async fn repeat(&self) {
        let wish = self.now();
        if wish.order.ok().is_some() {
            let told = self.order(wish.quantity).await;
            self.wish.lock().again.push(told);
        }
    }

    async fn act(&self) {
        let wish = self.now();
        let Told::Ok(placed) = &wish.order else { return };
        let hold_for = u64::from(self.offers[wish.offer].terms.hold_for_ms);
        self.pause(3_000).await;
        match wish.plan {
            Plan::WalkAway => {}
            Plan::Cancel => self.cancel().await,
            Plan::UseThenCancel => {
                self.pay("card", None).await;
                if self.chance(50) {
                    self.make_use().await;
                    self.cancel().await;
                } else {
                    tokio::join!(self.make_use(), self.cancel());
                }
            }
            Plan::ChangeOfMind => {
                let told = self.order(wish.quantity + 1).await;
                self.wish.lock().changed = told;
                self.pay("card", None).await;
            }
            Plan::PayAndCancel => drop(tokio::join!(self.pay("card", None), self.cancel())),
            Plan::PayThenCancel => {
                self.pay("card", None).await;
                self.pause(2_000).await;
                self.cancel().await;
            }
            Plan::Pay => self.pay("card", None).await,
            Plan::PayLate => {
                tokio::time::sleep(Duration::from_millis(hold_for)).await;
                self.pause(20_000).await;
                self.pay("card", None).await;
            }
            Plan::PayTwice => {
                self.pay("bad", Some("REJECT_CARD_PAYMENT")).await;
                self.pay("card", None).await;
            }
            Plan::PayWithTwoCards => drop(tokio::join!(self.pay("card", None), self.pay("other", None))),
            Plan::Deposit => {
                self.pause(2 * hold_for).await;
                let card = self.deposit(placed);
                if self.chance(30) {
                    self.pay("card", None).await;
                }
                if self.chance(30) {
                    self.send_back(&card, placed).await;
                }
            }
            Plan::CancelInConsole => {
                self.pay("card", None).await;
                self.cancel_in_console(placed).await;
            }
            Plan::CancelAndConsole => {
                self.pay("card", None).await;
                tokio::join!(self.cancel(), self.cancel_in_console(placed));
            }
        }
    }
}
