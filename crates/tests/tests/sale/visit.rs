//! What one buyer does about one order.

use std::sync::atomic::Ordering;
use std::time::Duration;

use firstcome_tests::Random;
use serde_json::{Value, json};

use super::Sale;
use super::history::{Kind, Payment, Placed, Terms, Told, Use, Wish, cancel_key};
use super::insist::Step;

/// What is taken off a gift card at once.
const SPENT: i64 = 1_000;

impl Sale {
    pub(super) async fn visit(&self, random: &mut Random) {
        let number = self.visits.fetch_add(1, Ordering::Relaxed);
        let terms = random.pick(&self.offers).clone();
        let mut wish = Wish {
            buyer: random.below(self.buyers.len() as u64) as usize,
            offer: terms.offer.clone(),
            quantity: if random.chance(20) { 2 } else { 1 },
            key: format!("wish-{number}"),
            ..Wish::default()
        };
        self.place(&mut wish, random).await;
        if let Told::Ok(placed) = wish.order.clone() {
            self.go_on(&mut wish, &placed, &terms, random).await;
        }
        if !matches!(wish.order, Told::No(_)) {
            self.history().wishes.push(wish);
        }
    }

    /// Orders, sometimes twice at the same moment.
    async fn place(&self, wish: &mut Wish, random: &mut Random) {
        let stubborn = random.chance(85);
        wish.order = if random.chance(10) {
            let (one, other) = tokio::join!(self.ask(wish, stubborn), self.ask(wish, stubborn));
            if let (Told::Ok(one), Told::Ok(other)) = (&one, &other)
                && one.id != other.id
            {
                self.surprise(format!("twins with the key {} became {one:?} and {other:?}", wish.key));
            }
            match (one, other) {
                (Told::Ok(placed), _) | (_, Told::Ok(placed)) => Told::Ok(placed),
                (Told::Unknown, _) | (_, Told::Unknown) => Told::Unknown,
                (no, Told::No(_)) => no,
            }
        } else {
            self.ask(wish, stubborn).await
        };
        if let Told::Ok(placed) = &wish.order {
            self.must_be_readable(wish.buyer, &placed.id).await;
        }
    }

    pub(super) async fn ask(&self, wish: &Wish, stubborn: bool) -> Told<Placed> {
        let buyer = &self.buyers[wish.buyer];
        let request = || buyer.order(&wish.key, &wish.offer, wish.quantity);
        let told = self.insist(stubborn, request, |answer| match (answer.status, answer.code()) {
            (201, _) => placed(&answer.json).map_or(Step::Surprise, Step::Done),
            (409, "sold_out" | "over_limit") => Step::No,
            _ => Step::Surprise,
        });
        let told = told.await;
        self.granted.fetch_add(u64::from(matches!(told, Told::Ok(_))), Ordering::SeqCst);
        told
    }

    /// What was answered is there at once.
    async fn must_be_readable(&self, buyer: usize, order: &str) {
        if let Ok(answer) = self.buyers[buyer].order_of(order).await
            && !matches!(answer.status, 200 | 429 | 503)
        {
            self.surprise(format!("{order} was answered and cannot be read: {answer}"));
        }
    }

    async fn go_on(&self, wish: &mut Wish, placed: &Placed, terms: &Terms, random: &mut Random) {
        if terms.price > 0 {
            if terms.short_hold && random.chance(5) {
                // Comes back too late: the units are taken again if there are any, else the money is not.
                tokio::time::sleep(Duration::from_millis(7_000 + random.below(3_000))).await;
            }
            match random.below(100) {
                0..12 => return,
                12..22 => {
                    wish.cancel = Some(self.cancel(wish.buyer, placed, random).await);
                    return;
                }
                22..30 => self.pay_twice_at_once(wish, placed, random).await,
                _ => self.pay(wish, placed, random).await,
            }
            if wish.payments.iter().all(|payment| payment.told.ok().is_none()) {
                return;
            }
        }
        let cancels = random.chance(15);
        if random.chance(20) && matches!(terms.kind, Kind::GiftCard { .. } | Kind::Ticket) {
            let mut branch = random.branch();
            let (canceled, uses) = tokio::join!(
                async { if cancels { Some(self.cancel(wish.buyer, placed, &mut branch).await) } else { None } },
                self.use_up(wish.buyer, placed, terms.kind, random)
            );
            (wish.cancel, wish.uses) = (canceled, uses);
        } else if cancels {
            wish.cancel = Some(self.cancel(wish.buyer, placed, random).await);
        }
    }

    /// Pays; with another card if the first is declined.
    async fn pay(&self, wish: &mut Wish, placed: &Placed, random: &mut Random) {
        for attempt in 0..2 {
            let payment = self.pay_with(wish, placed, attempt, random.chance(85)).await;
            let declined = payment.as_ref().is_some_and(|payment| payment.told == Told::No("payment_failed".into()));
            wish.payments.extend(payment);
            if !declined {
                return;
            }
        }
    }

    /// Two tabs, two cards, one moment: one of them may pay.
    async fn pay_twice_at_once(&self, wish: &mut Wish, placed: &Placed, random: &mut Random) {
        let stubborn = random.chance(85);
        let (one, other) =
            tokio::join!(self.pay_with(wish, placed, 0, stubborn), self.pay_with(wish, placed, 1, stubborn));
        wish.payments.extend(one.into_iter().chain(other));
    }

    async fn pay_with(&self, wish: &Wish, placed: &Placed, attempt: u32, stubborn: bool) -> Option<Payment> {
        let buyer = &self.buyers[wish.buyer];
        let created = self.insist(
            true,
            || buyer.pay_at_sandbox(&placed.id, placed.amount),
            |answer| {
                let key = answer.json["paymentKey"].as_str().filter(|_| matches!(answer.status, 200 | 201));
                key.map_or(Step::Surprise, |key| Step::Done(key.to_owned()))
            },
        );
        let card = created.await.ok()?.clone();
        let mut payment = Payment { card, key: format!("{}-pay-{attempt}", wish.key), ..Payment::default() };
        payment.told = self.confirm(wish.buyer, placed, &payment, stubborn).await;
        Some(payment)
    }

    pub(super) async fn confirm(
        &self,
        buyer: usize,
        placed: &Placed,
        payment: &Payment,
        stubborn: bool,
    ) -> Told<String> {
        let amount = json!({"amount": placed.amount, "currency": "KRW"});
        let request = || self.buyers[buyer].confirm(&payment.key, &placed.id, &payment.card, &amount);
        let told = self.insist(stubborn, request, |answer| match (answer.status, answer.code()) {
            (200, _) => answer.json["payment_id"].as_str().map_or(Step::Surprise, |id| Step::Done(id.to_owned())),
            (202, _) | (409, "payment_in_progress") => Step::Wait,
            (402, "payment_failed") | (409, "hold_expired" | "already_paid" | "wrong_state") => Step::No,
            _ => Step::Surprise,
        });
        told.await
    }

    async fn cancel(&self, buyer: usize, placed: &Placed, random: &mut Random) -> Told<()> {
        let key = cancel_key(&placed.id);
        let request = || self.buyers[buyer].cancel(&key, &placed.id);
        let told = self.insist(random.chance(85), request, |answer| match (answer.status, answer.code()) {
            (200, _) => Step::Done(()),
            (409, _) => Step::No,
            _ => Step::Surprise,
        });
        told.await
    }

    /// Uses a voucher of this order twice; the second time is fine for a gift card and refused for a ticket.
    async fn use_up(&self, buyer: usize, placed: &Placed, kind: Kind, random: &mut Random) -> Vec<Use> {
        let Some(code) = self.voucher_of(buyer, &placed.id).await else { return Vec::new() };
        let amount = matches!(kind, Kind::GiftCard { .. }).then_some(SPENT);
        let mut uses = Vec::new();
        for number in 0..2 {
            let mut usage =
                Use { code: code.clone(), key: format!("use-{code}-{number}"), amount, told: Told::Unknown };
            usage.told = self.redeem(&usage, random.chance(85)).await;
            uses.push(usage);
        }
        uses
    }

    pub(super) async fn redeem(&self, usage: &Use, stubborn: bool) -> Told<()> {
        let request = || async { self.staff().merchant.redeem(&usage.key, &usage.code, usage.amount).await };
        let told = self.insist(stubborn, request, |answer| match (answer.status, answer.code()) {
            (200, _) => Step::Done(()),
            (409, "insufficient_balance" | "already_used" | "expired" | "voided") => Step::No,
            _ => Step::Surprise,
        });
        told.await
    }

    /// The code of a voucher of this order, once it is delivered.
    async fn voucher_of(&self, buyer: usize, order: &str) -> Option<String> {
        for _ in 0..50 {
            if let Ok(vouchers) = self.buyers[buyer].vouchers().await
                && let Some(voucher) = vouchers.iter().find(|voucher| voucher["order_id"] == order)
            {
                return voucher["code"].as_str().map(str::to_owned);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        None
    }
}

/// The order in an answer.
fn placed(order: &Value) -> Option<Placed> {
    Some(Placed {
        id: order["order_id"].as_str()?.to_owned(),
        amount: order["amount"]["amount"].as_i64()?,
        seq: order["lines"][0]["seq"].as_u64()?,
    })
}
