//! What a visitor does with an order: pays, cancels, uses what was delivered.

use firstcome_core::money::{Currency, Money};
use firstcome_core::ports::Clock as _;
use firstcome_core::product::ProductKind;
use serde_json::{Value, json};

use super::story::{Placed, Told, Try};
use super::visit::{PATIENCE, PERSISTENCE, Visitor};

impl Visitor {
    fn card(&self, name: &str, placed: &Placed, declined: Option<&'static str>) -> String {
        let card = format!("{name}-{}", self.now().number);
        if placed.amount > 0 {
            let total = Money::new(placed.amount, Currency::KRW);
            self.books.lock().pay(&card, &placed.id, total, declined, self.clock.now());
        }
        card
    }

    pub(super) async fn pay(&self, name: &str, declined: Option<&'static str>) {
        let wish = self.now();
        let Some(placed) = wish.order.ok().filter(|placed| placed.amount > 0) else { return };
        let key = format!("{}-{name}", wish.key);
        if wish.tries.get(&key).is_some_and(|known| !known.told.is_unknown()) {
            return;
        }
        let card = self.card(name, placed, declined);
        self.wish.lock().tries.insert(key.clone(), Try { card: card.clone(), told: Told::Unknown });
        let amount = Money::new(placed.amount, Currency::KRW);
        let body = json!({"order_id": placed.id, "payment_key": card, "amount": amount});
        let mut patience = PATIENCE;
        for _ in 0..PERSISTENCE {
            let answers = self.send("/api/v1/payments/confirm", &key, body.clone()).await;
            let done = answers.iter().find(|answer| answer.status == 200);
            // Of two at the same moment one may be under way still.
            let undecided = answers.iter().any(|answer| answer.status == 202);
            match done.or(answers.first().filter(|_| !undecided)) {
                None if answers.is_empty() => {}
                None if patience == 0 => return,
                None => patience -= 1,
                Some(answer) => {
                    let state = answer.body["state"].as_str().unwrap_or_default().to_owned();
                    let told = if answer.status == 200 { Told::Ok(state) } else { Told::No(answer.code()) };
                    self.wish.lock().tries.insert(key, Try { card, told });
                    return;
                }
            }
            self.pause(4_000).await;
        }
    }

    /// The card that the money came by.
    pub(super) fn deposit(&self, placed: &Placed) -> String {
        let card = self.card("deposit", placed, None);
        self.books.lock().deposit(&card);
        card
    }

    pub(super) async fn cancel_in_console(&self, placed: &Placed) {
        let wish = self.now();
        if let Some(paid) = wish.tries.values().find(|attempt| attempt.told.ok().is_some()) {
            self.send_back(&paid.card, placed).await;
        }
    }

    /// The seller sends money back in the provider's console.
    pub(super) async fn send_back(&self, card: &str, placed: &Placed) {
        self.pause(30_000).await;
        if !self.now().console {
            self.books.lock().cancel(card, placed.amount, None);
            self.wish.lock().console = true;
        }
    }

    pub(super) async fn cancel(&self) {
        let wish = self.now();
        let Some(placed) = wish.order.ok().filter(|_| wish.cancel.is_unknown()) else { return };
        let path = format!("/api/v1/orders/{}/cancel", placed.id);
        let mut patience = PATIENCE;
        for _ in 0..PERSISTENCE {
            let answers = self.send(&path, &format!("{}-cancel", wish.key), json!({})).await;
            let done = answers.iter().find(|answer| answer.status == 200);
            match done.or(answers.first()) {
                None => {}
                // Perhaps it is being paid at this moment.
                Some(answer) if answer.status == 409 && patience > 0 => patience -= 1,
                Some(answer) => {
                    let state = answer.body["refund"]["state"].as_str().unwrap_or("nothing").to_owned();
                    let told = if answer.status == 200 { Told::Ok(state) } else { Told::No(answer.code()) };
                    return self.wish.lock().cancel = told;
                }
            }
            self.pause(4_000).await;
        }
    }

    /// Spends a part of every gift card of the order, or its tickets.
    pub(super) async fn make_use(&self) {
        let wish = self.now();
        let Some(placed) = wish.order.ok() else { return };
        let gift = self.offers[wish.offer].kind == ProductKind::GiftCard;
        let body = if gift { json!({"amount": Money::new(3_000, Currency::KRW)}) } else { json!({}) };
        let Some(mine) = self.client.get("/api/v1/me/vouchers?limit=100", wish.buyer).await else { return };
        let of_order = |voucher: &&Value| voucher["order_id"] == json!(placed.id);
        let codes = mine.body["items"].as_array().into_iter().flatten().filter(of_order);
        for code in codes.filter_map(|voucher| voucher["code"].as_str()) {
            self.wish.lock().uses.entry(code.to_owned()).or_default();
            let path = format!("/api/v1/vouchers/{code}/redeem");
            for _ in 0..PERSISTENCE {
                let answers = self.send(&path, &format!("{}-use-{code}", wish.key), body.clone()).await;
                let done = answers.iter().find(|answer| answer.status == 200);
                if let Some(answer) = done.or(answers.first()) {
                    let told = if answer.status == 200 { Told::Ok(()) } else { Told::No(answer.code()) };
                    self.wish.lock().uses.insert(code.to_owned(), told);
                    break;
                }
                self.pause(2_000).await;
            }
        }
    }
}
