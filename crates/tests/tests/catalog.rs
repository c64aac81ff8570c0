//! What sellers change, by the pages' API and from files, reaches everyone, and breaks no promise.

use std::fs;

use firstcome_tests::{Api, PASSWORD, SOON, Shop, Storefront as _, gift_card, run, ticket, until};
use serde_json::{Value, json};

fn won(amount: i64) -> Value {
    json!({"amount": amount, "currency": "KRW"})
}

async fn name_of(api: &Api, offer: &str) -> Value {
    api.offer(offer).await.expect("an answer").want(200)["product"]["name"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_product_reaches_offers_and_vouchers() {
    let shop = Shop::start().await;
    let seller = shop.seller().await;
    let offer = seller.sell(&gift_card(1_000), &json!({"price": 0, "stock": 1_000, "limit_per_person": null})).await;
    let product = seller.offer(&offer).await.expect("an answer").want(200)["product_id"].clone();
    let product = format!("/admin/products/{}", product.as_str().expect("an id"));
    let buyer = shop.buyers(1).remove(0);
    buyer.order("before", &offer, 1).await.expect("an answer").want(201);
    assert_eq!(printed(&buyer, 1).await, ["Gift card 1000"]);
    seller.patch(&product).json(&json!({"name": "Better"})).want(200).await;
    assert_eq!(name_of(&seller, &offer).await, "Better");
    // Whoever delivers reads the announcement a moment later; what is issued before that has the old name.
    let mut names = Vec::new();
    for count in 2..1_000 {
        buyer.order(&format!("after-{count}"), &offer, 1).await.expect("an answer").want(201);
        names = printed(&buyer, count).await;
        if names.iter().any(|name| name == "Better") {
            break;
        }
    }
    assert!(names.iter().any(|name| name == "Better"), "{names:?}");
    assert!(
        names.iter().any(|name| name == "Gift card 1000"),
        "what was issued keeps what is printed on it: {names:?}"
    );
    let dearer = json!({"face_value": won(2_000)});
    let refused = seller.patch(&product).json(&dearer).send().await.expect("an answer");
    assert_eq!(refused.problem(409, "promise_broken")["field"], "face_value");
    shop.audit().ok();
}

/// The names on the buyer's vouchers, when there are so many.
async fn printed(buyer: &Api, count: usize) -> Vec<Value> {
    until(format!("{count} vouchers"), SOON, async || {
        let vouchers = buyer.vouchers().await.expect("an answer");
        let names: Vec<_> = vouchers.iter().map(|voucher| voucher["product_name"].clone()).collect();
        if names.len() == count { Ok(names) } else { Err(names) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_is_taken_whole_or_refused_with_its_line() {
    let mut shop = Shop::start().await;
    let seller = shop.seller().await;
    let file = shop.scratch().join("catalogue.csv");
    let file = file.to_str().expect("a plain path");
    let import = |shop: &Shop, rows: &str| {
        fs::write(file, format!("sku,kind,name,price,stock\r\n{rows}")).expect("written");
        shop.run(&["import", file], "")
    };
    // Nothing of a file is there when one of its new rows is refused.
    let over = "sku,kind,name,price,stock,visit_date\r\nz,goods,Z,1,1,\r\na,ticket,A,1,1,2020-01-01\r\n";
    fs::write(file, over).expect("written");
    let refused = shop.run(&["import", file], "");
    assert!(refused.err.contains("catalogue.csv:3: opens_at: is after the visit_date"), "{refused:?}");
    let many: String = (0..500).map(|number| format!("m{number},goods,M {number},1,5\r\n")).collect();
    assert_eq!(import(&shop, &many).ok().trim(), "1000 created, 0 updated, 0 unchanged");
    assert_eq!(import(&shop, &many).ok().trim(), "0 created, 0 updated, 1000 unchanged");
    let (changed, more) = ("m0,goods,Other,2,5\r\n", "n,goods,N,1,5\r\n");
    assert_eq!(import(&shop, &format!("{changed}{more}")).ok().trim(), "2 created, 2 updated, 0 unchanged");
    let one = "a,ticket,Gate,9000,5\r\n";
    assert_eq!(import(&shop, one).ok().trim(), "2 created, 0 updated, 0 unchanged");
    assert_eq!(import(&shop, one).ok().trim(), "0 created, 0 updated, 2 unchanged");
    assert_eq!(import(&shop, "a,ticket,Gate 2,8000,5\r\n").ok().trim(), "0 created, 2 updated, 0 unchanged");
    let offer = until_name(&seller, "Gate 2").await;
    assert_eq!(seller.offer(&offer).await.expect("an answer").want(200)["price"], won(8_000));
    // Someone pays: the price is a promise now, whether the shop runs or not.
    let buyer = shop.buyers(1).remove(0);
    until_held(&buyer, &offer).await;
    for running in [true, false] {
        if !running {
            shop.stop().await;
        }
        for (rows, place, why) in [
            ("b,ticket,B,1,5\r\na,ticket,Gate 2,7000,5\r\n", "catalogue.csv:3: ", "price: units are held"),
            ("b,ticket,B,1,5\r\na,ticket,Gate 2,8000,6\r\n", "catalogue.csv:3: ", "stock: it is 5 in the shop, not 6"),
            ("b,ticket,B,1,-5\r\n", "catalogue.csv:2: ", "stock: invalid value: integer `-5`"),
            ("", "catalogue.csv: ", "there is nothing in it"),
        ] {
            let refused = import(&shop, rows);
            assert_eq!(refused.code, Some(2), "{refused:?}");
            assert!(refused.err.contains(place) && refused.err.contains(why), "{}", refused.err);
            assert!(refused.err.contains("nothing was imported"), "{}", refused.err);
        }
        assert_eq!(import(&shop, "a,ticket,Gate 2,8000,5\r\n").ok().trim(), "0 created, 0 updated, 2 unchanged");
    }
}

/// Holds a unit. The running server gives the ledger what was imported within a moment.
async fn until_held(buyer: &Api, offer: &str) {
    let answer = until(format!("the ledger hears of {offer}"), SOON, async || {
        let answer = buyer.order("one", offer, 1).await.expect("an answer");
        (answer.code() != "unknown_offer").then_some(answer)
    });
    answer.await.want(201);
}

/// The offer that shows this name.
async fn until_name(seller: &Api, name: &str) -> String {
    let offer = until(format!("an offer shows {name}"), SOON, async || {
        let offers = seller.all("/offers?limit=100").await.expect("an answer");
        offers.into_iter().find(|offer| offer["product"]["name"] == name)
    });
    offer.await["offer_id"].as_str().expect("an id").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn why_stock_was_changed_is_kept() {
    let mut shop = Shop::start().await;
    let seller = shop.seller().await;
    let offer = seller.sell(&ticket("Gate"), &json!({"stock": 5})).await;
    let path = format!("/admin/offers/{offer}");
    assert_eq!(seller.get(&path).want(200).await["adjustments"], json!([]));
    for (key, delta, reason, status) in [
        ("one", 10, "more seats", 200),
        ("one", 10, "more seats", 200),
        ("two", -3, "broken seats", 200),
        ("three", -100, "all of them", 409),
    ] {
        let body = json!({"delta": delta, "reason": reason});
        seller.post(&format!("{path}/adjust")).key(key).json(&body).want(status).await;
    }
    let me = seller.get("/me").want(200).await["user_id"].clone();
    for restarted in [false, true] {
        if restarted {
            shop.stop().await;
            shop.start_again().await;
        }
        let shown = seller.get(&path).want(200).await;
        assert_eq!(shown["stock"], 12);
        let kept: Vec<Value> = shown["adjustments"].as_array().expect("a list").clone();
        let told: Vec<Value> = kept.iter().map(|one| json!([one["by"], one["delta"], one["reason"]])).collect();
        assert_eq!(told, [json!([me, -3, "broken seats"]), json!([me, 10, "more seats"])]);
        assert!(kept.iter().all(|one| one["at"].is_string()));
    }
    assert_eq!(shop.api().offer(&offer).await.expect("an answer").want(200)["adjustments"], Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_is_made_by_an_import_that_says_so_and_by_no_other_command() {
    let folder = tempfile::tempdir().expect("a folder");
    let catalogue = folder.path().join("catalogue.csv");
    fs::write(&catalogue, "sku,kind,name,price,stock\na,goods,A,1,1\n").expect("written");
    let new = folder.path().join("new");
    let data = ["--data", new.to_str().expect("a plain path")];
    let commands: [&[&str]; 2] = [
        &["account", "add", "--role", "seller", "--email", "a@shop.test", "--password-stdin"],
        &["dev", "tokens", "--count", "1"],
    ];
    for command in commands {
        let refused = run(&[command, &data].concat(), PASSWORD);
        assert!(refused.err.contains("there is no data in"), "{command:?} {refused:?}");
        assert_ne!(refused.code, Some(0));
        assert!(!fs::exists(&new).expect("known"), "{command:?}");
    }
    let import = ["import", catalogue.to_str().expect("a plain path")];
    let taken = run(&[&import[..], &data].concat(), "");
    assert!(taken.err.contains("is a new data folder"), "{taken:?}");
    assert_eq!(taken.ok().trim(), "2 created, 0 updated, 0 unchanged");
    let again = run(&[&import[..], &data].concat(), "");
    assert_eq!((again.err.as_str(), again.out.trim()), ("", "0 created, 0 updated, 2 unchanged"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draft_is_nobodys_business_until_it_is_published() {
    let mut shop = Shop::start().await;
    let seller = shop.seller().await;
    let offer = seller.sell(&ticket("Gate"), &json!({"price": 0, "stock": 2, "draft": true})).await;
    let buyer = shop.buyers(1).remove(0);
    let path = format!("/admin/offers/{offer}");
    assert_eq!(seller.get(&path).want(200).await["state"], "draft");
    buyer.offer(&offer).await.expect("an answer").problem(404, "not_found");
    buyer.order("early", &offer, 1).await.expect("an answer").problem(404, "unknown_offer");
    seller.patch(&path).json(&json!({"price": won(0), "draft": true, "max_per_order": 1})).want(200).await;
    shop.stop().await;
    shop.start_again().await;
    assert_eq!(seller.patch(&path).json(&json!({"draft": false})).want(200).await["state"], "open");
    seller.patch(&path).json(&json!({"draft": false})).want(200).await;
    buyer.order("early", &offer, 1).await.expect("an answer").want(201);
    buyer.order("many", &offer, 2).await.expect("an answer").problem(409, "too_many");
    let refused = seller.patch(&path).json(&json!({"draft": true})).send().await.expect("an answer");
    assert_eq!(refused.problem(409, "promise_broken")["field"], "draft");
    // What is held and sold stays: the stock cannot go below it.
    seller.adjust("two", &offer, -2).await.expect("an answer").problem(409, "would_go_negative");
    seller.adjust("one", &offer, -1).await.expect("an answer").want(200);
    shop.audit().ok();
}
