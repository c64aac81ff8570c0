//! Carts over several offers in a cluster, paid with coupons, gift cards and the provider, while the processes that hold,
//! collect and deliver are killed one after the other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use firstcome_tests::{Answer, Api, Call, Cluster, SOON, Storefront as _, gift_card, ticket, until};
use hyper::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

const PEOPLE: usize = 6;
/// Coupons that each person has: every checkout uses one while there are any.
const COUPONS: usize = 40;
/// What is on the gift card that each person has: too little for all checkouts, so that the provider collects the rest.
const FACE: i64 = 30_000;
const PRICES: [i64; 3] = [1_000, 2_500, 700];

struct Person {
    api: Api,
    number: usize,
    coupons: Vec<String>,
    card: String,
}

struct Basket {
    offers: Vec<String>,
    over: AtomicBool,
    placed: AtomicUsize,
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("no {field} in {value}"))
}

fn amount(value: &Value) -> i64 {
    value["amount"].as_i64().unwrap_or_default()
}

fn units_of(line: &Value) -> (&str, i64) {
    (text(line, "offer_id"), line["quantity"].as_i64().expect("units"))
}

/// Asks until the answer is `wanted`: a client that repeats its request, as it may.
async fn ask<'a>(what: &str, call: impl Fn() -> Call<'a>, wanted: impl Fn(&Answer) -> bool) -> Answer {
    let give_up = Instant::now() + SOON;
    loop {
        let answer = call().send().await;
        match answer {
            Ok(answer) if wanted(&answer) => return answer,
            _ => assert!(Instant::now() < give_up, "{what}: {answer:?}"),
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// Asks until there is an answer that decides.
async fn insist<'a>(what: &str, call: impl Fn() -> Call<'a>) -> Answer {
    ask(what, call, |answer| answer.status != 503 && answer.code() != "payment_in_progress").await
}

/// Coupons and a gift card, from sales of their own.
async fn equip(api: Api, number: usize, campaign: &str, cards: &str) -> Person {
    api.order("coupons", campaign, COUPONS as u32).await.expect("an answer").want(201);
    api.buy("card", cards, 1).await;
    let vouchers = until("coupons and a gift card", SOON, async || {
        let all = api.vouchers().await.expect("an answer");
        if all.len() == COUPONS + 1 { Ok(all) } else { Err(all.len()) }
    })
    .await;
    let codes = |kind: &str| -> Vec<String> {
        let of_kind = vouchers.iter().filter(|voucher| voucher["kind"] == kind);
        of_kind.map(|voucher| text(voucher, "code").to_owned()).collect()
    };
    let card = codes("gift_card").pop().expect("a gift card");
    Person { api, number, coupons: codes("coupon"), card }
}

impl Basket {
    /// Buys until it is over; every third order goes back, whole or a unit of it. Returns the units that were kept.
    async fn shop(self: Arc<Self>, person: Person) -> BTreeMap<String, i64> {
        let mut kept = BTreeMap::new();
        for visit in 0.. {
            if self.over.load(Ordering::Relaxed) {
                break;
            }
            let order = self.check_out(&person, visit).await;
            let id = text(&order, "order_id");
            collect(&person, &order).await;
            self.placed.fetch_add(1, Ordering::Relaxed);
            let mut units: Vec<(&str, i64)> = order["lines"].as_array().expect("lines").iter().map(units_of).collect();
            if (visit + person.number).is_multiple_of(3) {
                let body = if visit.is_multiple_of(2) {
                    units[0].1 -= 1;
                    json!({"lines": [{"offer_id": units[0].0, "quantity": 1}]})
                } else {
                    units.clear();
                    json!({})
                };
                let path = format!("/orders/{id}/cancel");
                insist("a cancel", || person.api.post(&path).key(id).json(&body)).await.want(200);
            }
            for (offer, units) in units {
                *kept.entry(offer.to_owned()).or_default() += units;
            }
        }
        kept
    }

    /// Three offers in one order, with a coupon and what is left on the gift card.
    async fn check_out(&self, person: &Person, visit: usize) -> Value {
        for place in 0..3 {
            let offer = &self.offers[(place + visit + person.number) % 3];
            let path = format!("/me/cart/items/{offer}");
            let quantity = json!({"quantity": 1 + (place + visit) % 2});
            insist("a line of the cart", || person.api.put(&path).json(&quantity)).await.want(200);
        }
        let coupon = person.coupons.get(visit);
        let with = json!({"coupon": coupon, "gift_card": person.card});
        let key = format!("visit-{visit}");
        let answer = insist("a checkout", || person.api.post("/me/cart/checkout").key(&key).json(&with)).await;
        if answer.status == 201 {
            return answer.json;
        }
        // The card is used up.
        assert_eq!(answer.problem(422, "gift_card_not_applicable")["reason"], "empty");
        let without = json!({"coupon": coupon});
        let key = format!("visit-{visit}-without");
        insist("a checkout", || person.api.post("/me/cart/checkout").key(&key).json(&without)).await.want(201)
    }
}

/// Pays what the gift card left, and waits until the order is complete.
async fn collect(person: &Person, order: &Value) {
    let id = text(order, "order_id");
    let rest = order.get("to_pay").unwrap_or(&order["amount"]).clone();
    if amount(&rest) > 0 {
        let paying = json!({"orderId": id, "amount": amount(&rest)});
        let provider = person.api.anonymous();
        let path = "/sandbox/toss/v1/test/payments";
        let paid = insist("the provider", || provider.call(Method::POST, path).json(&paying)).await.want(200);
        let body = json!({"order_id": id, "payment_key": paid["paymentKey"], "amount": rest});
        let answer = insist("a confirm", || person.api.post("/payments/confirm").key(id).json(&body)).await;
        assert!(matches!(answer.status, 200 | 202), "{answer}");
    }
    let path = format!("/orders/{id}");
    ask("a complete order", || person.api.get(&path), |answer| answer.json["state"] == "COMPLETED").await;
}

/// At the end the ledger has sold what people kept, nothing is held, and the books agree.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stderr, reason = "how much was bought")]
async fn carts_with_coupons_and_gift_cards_while_processes_die() {
    let cluster = tokio::task::block_in_place(Cluster::up);
    let control = |arguments: &[&str]| tokio::task::block_in_place(|| cluster.control(arguments));
    let seller = cluster.seller().await;
    let mut offers = Vec::new();
    for price in PRICES {
        offers.push(seller.sell(&ticket("Gate"), &json!({"price": price, "stock": 5_000})).await);
    }
    let coupon = json!({"kind": "coupon", "name": "A tenth off", "discount": {"percent": 10, "max_amount": 500}});
    let campaign = seller.sell(&coupon, &json!({"price": 0, "stock": 1_000, "max_per_order": COUPONS})).await;
    let cards = seller.sell(&gift_card(FACE), &json!({"price": FACE, "stock": 100})).await;

    let basket = Arc::new(Basket { offers, over: AtomicBool::new(false), placed: AtomicUsize::new(0) });
    let mut people = JoinSet::new();
    for (number, api) in cluster.buyers(PEOPLE).into_iter().enumerate() {
        let person = equip(api, number, &campaign, &cards).await;
        people.spawn(basket.clone().shop(person));
    }
    for name in ["orders-1", "vouchers-1", "payments-2", "orders-2", "payments-1", "redis", "vouchers-1"] {
        let before = basket.placed.load(Ordering::Relaxed);
        control(&["kill", name]);
        sleep(Duration::from_millis(300)).await;
        control(&["start", name]);
        until(format!("orders after {name} was killed"), SOON, async || {
            basket.placed.load(Ordering::Relaxed) > before + PEOPLE
        })
        .await;
    }
    basket.over.store(true, Ordering::Relaxed);
    let mut kept: BTreeMap<String, i64> = BTreeMap::new();
    while let Some(ended) = people.join_next().await {
        for (offer, units) in ended.expect("a person who is done") {
            *kept.entry(offer).or_default() += units;
        }
    }
    let placed = basket.placed.load(Ordering::Relaxed);
    eprintln!("{placed} carts of three offers were bought");
    assert!(placed > 7 * PEOPLE, "people bought all the time");

    for (offer, kept) in kept {
        until("the ledger has sold what people kept", SOON, async || {
            let live = seller.live(&offer).await.map_err(|error| error.to_string())?.json;
            let counts = [&live["held"], &live["paying"], &live["sold"]];
            if counts == [&json!(0), &json!(0), &json!(kept)] { Ok(()) } else { Err(format!("{kept} kept, {live}")) }
        })
        .await;
    }
    tokio::task::block_in_place(|| cluster.audit()).ok();
}
