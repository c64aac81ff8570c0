//! Orders over several offers: all lines are held or none, also when the program is killed in between.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use firstcome_tests::{Answer, Api, Random, SOON, Shop, Storefront as _, gift_card, ticket, until};
use futures_util::future::join_all;
use serde_json::{Value, json};

fn won(amount: i64) -> Value {
    json!({"amount": amount, "currency": "KRW"})
}

fn line(offer: &str, quantity: u32) -> Value {
    json!({"offer_id": offer, "quantity": quantity})
}

async fn place(api: &Api, key: &str, body: &Value) -> Answer {
    api.post("/orders").key(key).json(body).send().await.expect("an answer")
}

async fn held(seller: &Api, offer: &str) -> (u64, u64) {
    let live = seller.live(offer).await.expect("an answer").want(200);
    (live["held"].as_u64().expect("held"), live["sold"].as_u64().expect("sold"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bought_delivered_and_taken_back_whole() {
    let mut shop = Shop::start().await;
    let seller = shop.seller().await;
    let card = seller.sell(&gift_card(10_000), &json!({"price": 9_000, "stock": 5})).await;
    let gate = seller.sell(&ticket("Gate"), &json!({"price": 500, "stock": 5})).await;
    let buyer = &shop.buyers(1)[0];
    let body = json!({"lines": [line(&card, 1), line(&gate, 3)]});
    let order = place(buyer, "both", &body).await.want(201);
    assert_eq!((&order["state"], &order["amount"]), (&json!("PENDING"), &won(10_500)), "{order}");
    assert_eq!(order["lines"][1]["unit_price"], won(500), "{order}");
    assert_eq!((held(&seller, &card).await, held(&seller, &gate).await), ((1, 0), (3, 0)));
    buyer.pay(&order).await;
    let id = order["order_id"].as_str().expect("an id");
    let paid = buyer.order_of(id).await.expect("an answer").want(200);
    assert_eq!(paid["state"], "COMPLETED", "{paid}");
    let vouchers = until("four vouchers", SOON, async || {
        let all = buyer.vouchers().await.expect("an answer");
        if all.len() == 4 { Ok(all) } else { Err(all) }
    })
    .await;
    let kinds: Vec<_> = vouchers.iter().filter_map(|voucher| voucher["kind"].as_str()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "ticket").count(), 3, "{kinds:?}");
    let listed = until("it is listed", SOON, async || buyer.orders().await.expect("an answer").pop()).await;
    assert_eq!(listed["lines"].as_array().map(Vec::len), Some(2), "one order with its lines: {listed}");
    for offer in [&card, &gate] {
        let found = seller.admin_orders(&format!("state=COMPLETED&offer={offer}")).await.expect("an answer");
        assert_eq!(found[0]["order_id"], order["order_id"], "found by each of its offers");
    }
    assert_eq!(shop.audit_json()["orders"], 1, "one order over two offers");
    shop.audit().ok();

    // All of one line, and then the rest.
    let lines = json!({"lines": [line(&card, 1)]});
    let part = buyer.post(&format!("/orders/{id}/cancel")).key("part").json(&lines).want(200).await;
    assert_eq!(part["refund"]["amount"], won(9_000), "{part}");
    until("the card is back", SOON, async || held(&seller, &card).await == (0, 0)).await;
    shop.audit().ok();
    let canceled = buyer.cancel("back", id).await.expect("an answer").want(200);
    assert_eq!(canceled["refund"]["amount"], won(1_500), "{canceled}");
    until("the money is back", SOON, async || {
        let payment = buyer.payment_of(id).await.expect("an answer").want(200);
        if payment["state"] == "CANCELED" { Ok(()) } else { Err(payment) }
    })
    .await;
    assert_eq!((held(&seller, &card).await, held(&seller, &gate).await), ((0, 0), (0, 0)));
    shop.stop().await;
    shop.audit().ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_whole_and_the_line_is_named() {
    let shop = Shop::start().await;
    let seller = shop.seller().await;
    let many = seller.sell(&ticket("Many"), &json!({"price": 500, "stock": 50})).await;
    let few = seller.sell(&ticket("Few"), &json!({"price": 500, "stock": 1, "limit_per_person": 1})).await;
    let soon = seller.sell(&ticket("Soon"), &json!({"stock": 5, "opens_at": "2099-01-01T00:00:00Z"})).await;
    let dollars = json!({"amount": 5, "currency": "USD"});
    let abroad = seller.sell(&ticket("Abroad"), &json!({"price": dollars, "stock": 5})).await;
    let goods = seller.sell(&json!({"kind": "goods", "name": "Shirt"}), &json!({"stock": 5})).await;
    let buyer = shop.account("buyer", "no-address@shop.test").await;
    let with = |other: &str, quantity: u32| json!({"lines": [line(&many, 2), line(other, quantity)]});

    let refused = place(&buyer, "limit", &with(&few, 2)).await.problem(409, "over_limit");
    assert_eq!(refused["offer_id"], few.as_str(), "{refused}");
    let refused = place(&buyer, "soon", &with(&soon, 1)).await.problem(409, "not_open_yet");
    assert_eq!((&refused["offer_id"], &refused["opens_at"]), (&json!(soon), &json!("2099-01-01T00:00:00Z")));
    place(&buyer, "abroad", &with(&abroad, 1)).await.problem(422, "invalid_body");
    place(&buyer, "goods", &with(&goods, 1)).await.problem(422, "address_missing");
    let unknown = "ofr_00000000000000000000000000";
    assert_eq!(place(&buyer, "unknown", &with(unknown, 1)).await.problem(404, "unknown_offer")["offer_id"], unknown);
    let several = json!({"lines": [line(&many, 1), line(&few, 1), line(&soon, 1)]});
    let refused = place(&buyer, "precedence", &several).await.problem(409, "not_open_yet");
    assert_eq!(refused["offer_id"], soon.as_str(), "the ledger's precedence: {refused}");
    for (key, body) in [
        ("twice", json!({"lines": [line(&many, 1), line(&many, 2)]})),
        ("empty", json!({"lines": []})),
        ("many", json!({"lines": (0..51).map(|_| line(&many, 1)).collect::<Vec<_>>()})),
        ("zero", json!({"lines": [line(&many, 0), line(&few, 1)]})),
        ("negative", json!({"lines": [json!({"offer_id": many, "quantity": -1}), line(&few, 1)]})),
        ("both", json!({"offer_id": few, "quantity": 1, "lines": [line(&many, 1)]})),
        ("neither", json!({"quantity": 1})),
        ("more", json!({"lines": [json!({"offer_id": many, "quantity": 1, "price": 1})]})),
    ] {
        place(&buyer, key, &body).await.problem(422, "invalid_body");
    }
    assert_eq!((held(&seller, &many).await, held(&seller, &few).await), ((0, 0), (0, 0)), "nothing is held");
    // Sold out: the other line is not held either, and the same request is granted when there is one again.
    let other = &shop.buyers(1)[0];
    let first = other.order("first", &few, 1).await.expect("an answer").want(201);
    let refused = place(&buyer, "last", &with(&few, 1)).await.problem(409, "sold_out");
    assert_eq!((&refused["offer_id"], &refused["held"]), (&json!(few), &json!(1)), "{refused}");
    assert_eq!(held(&seller, &many).await, (0, 0));
    other.cancel("back", first["order_id"].as_str().expect("an id")).await.expect("an answer").want(200);
    place(&buyer, "last", &with(&few, 1)).await.want(201);
    assert_eq!((held(&seller, &many).await, held(&seller, &few).await), ((2, 0), (1, 0)));
    shop.audit().ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_request_is_one_order() {
    let mut shop = Shop::start().await;
    let seller = shop.seller().await;
    let one = seller.sell(&ticket("One"), &json!({"stock": 50})).await;
    let two = seller.sell(&ticket("Two"), &json!({"stock": 50})).await;
    let buyers = shop.buyers(2);
    let body = json!({"lines": [line(&one, 1), line(&two, 2)]});
    let other_body = json!({"lines": [line(&one, 1), line(&two, 1)]});
    let answers = join_all((0..32).map(|_| place(&buyers[0], "twin", &body))).await;
    let ids: BTreeSet<String> =
        answers.into_iter().map(|answer| answer.want(201)["order_id"].as_str().expect("an id").to_owned()).collect();
    assert_eq!(ids.len(), 1, "twins are one order");
    let theirs = place(&buyers[1], "twin", &body).await.want(201)["order_id"].clone();
    assert!(!ids.contains(theirs.as_str().expect("an id")));
    for _ in 0..2 {
        assert!(ids.contains(place(&buyers[0], "twin", &body).await.want(201)["order_id"].as_str().expect("an id")));
        place(&buyers[0], "twin", &other_body).await.problem(422, "idempotency_key_reused");
        place(&buyers[0], "twin", &json!({"offer_id": one, "quantity": 1}))
            .await
            .problem(422, "idempotency_key_reused");
        assert_eq!((held(&seller, &one).await, held(&seller, &two).await), ((2, 0), (4, 0)));
        shop.kill();
        shop.start_again().await;
    }
    shop.audit().ok();
}

/// Two buyers want the same last units, each in another order: one gets them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_who_want_the_last_units_one_gets_them() {
    let shop = Shop::start().await;
    let seller = shop.seller().await;
    let buyers = shop.buyers(2);
    for round in 0..20 {
        let one = seller.sell(&ticket("One"), &json!({"stock": 1})).await;
        let two = seller.sell(&ticket("Two"), &json!({"stock": 1})).await;
        let key = format!("last-{round}");
        let (forth, back) =
            (json!({"lines": [line(&one, 1), line(&two, 1)]}), json!({"lines": [line(&two, 1), line(&one, 1)]}));
        let answers = tokio::join!(place(&buyers[0], &key, &forth), place(&buyers[1], &key, &back));
        let mut statuses = [answers.0.status, answers.1.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409], "{answers:?}");
        assert_eq!((held(&seller, &one).await, held(&seller, &two).await), ((1, 0), (1, 0)));
    }
    shop.audit().ok();
}

/// An order is paid when its time has run out: all lines are taken again, or none; and nobody believes that the books are
/// wrong.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paid_late() {
    let mut shop = Shop::start().await;
    let seller = shop.seller().await;
    let terms = json!({"price": 500, "stock": 5, "hold_for_seconds": 1});
    let one = seller.sell(&ticket("One"), &terms).await;
    let two = seller.sell(&ticket("Two"), &terms).await;
    let buyers = shop.buyers(2);
    let expired = async |key: &str, quantity: u32| {
        let body = json!({"lines": [line(&one, 1), line(&two, quantity)]});
        let order = place(&buyers[0], key, &body).await.want(201);
        let id = order["order_id"].as_str().expect("an id").to_owned();
        until("its time runs out", SOON, async || {
            buyers[0].order_of(&id).await.expect("an answer").want(200)["state"] == "EXPIRED"
        })
        .await;
        (id, order)
    };
    let (_, order) = expired("late", 3).await;
    buyers[0].pay(&order).await;
    assert_eq!((held(&seller, &one).await, held(&seller, &two).await), ((0, 1), (0, 3)));

    let (id, _) = expired("too-late", 2).await;
    buyers[1].order("other", &two, 1).await.expect("an answer").want(201);
    let payment = buyers[0].pay_at_sandbox(&id, 1_500).await.expect("an answer").json;
    let payment = payment["paymentKey"].as_str().expect("a key").to_owned();
    buyers[0].confirm("pay", &id, &payment, &won(1_500)).await.expect("an answer").problem(409, "hold_expired");
    until("nothing is held for it", SOON, async || held(&seller, &one).await == (0, 1)).await;
    until("both are audited", SOON, async || {
        let audited = seller.admin_audit().await.expect("an answer").want(200);
        let seq = async |offer: &str| seller.live(offer).await.expect("an answer").want(200)["seq"].clone();
        let (one_seq, two_seq) = (seq(&one).await, seq(&two).await);
        let of =
            |offer: &str| audited["items"].as_array().expect("items").iter().find(|view| view["offer_id"] == offer);
        let (Some(one), Some(two)) = (of(&one), of(&two)) else { return false };
        assert_eq!((&one["ok"], &two["ok"]), (&json!(true), &json!(true)), "{audited}");
        one["seq"] == one_seq && two["seq"] == two_seq
    })
    .await;
    assert_ne!(seller.offer(&two).await.expect("an answer").want(200)["state"], "frozen");
    shop.stop().await;
    shop.audit().ok();
}

/// Buyers want the last units of several offers in every order; the program is killed again and again in between. In the
/// end exactly the orders that exist hold units, each all of its lines.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stderr, reason = "the seed of the run")]
async fn killed_between_the_lines() {
    let seed = Random::seed("FIRSTCOME_SEED");
    eprintln!("killed_between_the_lines: FIRSTCOME_SEED={seed}");
    let mut random = Random::new(seed);
    let mut shop = Shop::start().await;
    let seller = shop.seller().await;
    let mut offers = Vec::new();
    for name in ["One", "Two", "Three"] {
        offers.push(seller.sell(&ticket(name), &json!({"price": 100, "stock": 120, "limit_per_person": 40})).await);
    }
    let buyers = shop.buyers(8);
    let mut answered: Vec<(usize, String, Value)> = Vec::new();
    let granted = Arc::new(AtomicUsize::new(0));
    for round in 0..12 {
        let wanted = (0..64).map(|number| {
            let first = number % 3;
            let lines: Vec<_> = (0..2 + number % 2).map(|place| line(&offers[(first + place) % 3], 1)).collect();
            (number % buyers.len(), format!("{round}-{number}"), json!({"lines": lines}))
        });
        let sent = wanted.map(|(buyer, key, body)| {
            let (api, granted) = (buyers[buyer].clone(), granted.clone());
            tokio::spawn(async move {
                let answer = api.post("/orders").key(&key).json(&body).send().await;
                let placed = answer.ok().filter(|answer| answer.status == 201)?;
                granted.fetch_add(1, Ordering::Relaxed);
                Some((buyer, key, placed.json))
            })
        });
        let sent: Vec<_> = sent.collect();
        if round == 0 {
            // At least once somebody is answered before.
            until("somebody is answered", SOON, async || granted.load(Ordering::Relaxed) > 0).await;
        }
        tokio::time::sleep(Duration::from_millis(random.below(60))).await;
        shop.kill();
        answered.extend(join_all(sent).await.into_iter().filter_map(|sent| sent.expect("a task")));
        shop.start_again().await;
    }
    for (buyer, key, order) in &answered {
        let id = order["order_id"].as_str().expect("an id");
        let now = buyers[*buyer].order_of(id).await.expect("an answer").want(200);
        assert_eq!(now["lines"], order["lines"], "{key}: what was answered is kept");
    }
    // Soon nothing is held but what the orders hold.
    until("every unit that is held is an order's", SOON, async || {
        let mut expected: BTreeMap<String, u64> = BTreeMap::new();
        for order in seller.admin_orders("state=PENDING").await.expect("an answer") {
            for line in order["lines"].as_array().expect("lines") {
                let offer = line["offer_id"].as_str().expect("an offer").to_owned();
                *expected.entry(offer).or_default() += line["quantity"].as_u64().expect("units");
            }
        }
        for offer in &offers {
            let (held, expected) = (held(&seller, offer).await, expected.get(offer).copied().unwrap_or(0));
            if held != (expected, 0) {
                return Err(format!("{offer}: {held:?} held and sold, {expected} in orders"));
            }
        }
        Ok(())
    })
    .await;
    assert!(!answered.is_empty(), "some orders were answered");
    shop.stop().await;
    shop.audit().ok();
}
