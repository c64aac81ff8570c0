//! What is exported comes back through an import, and the books add up to the ledger.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use firstcome_tests::{Api, SOON, Shop, Storefront as _, gift_card, ticket, until};
use serde_json::{Value, json};

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

/// A catalogue of everything that a file must be able to say.
async fn fill(seller: &Api) {
    let lines = "Zwei Zeilen, \"zitiert\"\n한글 설명\n";
    let goods = json!({"sku": "lamp", "kind": "goods", "name": "램프", "description": lines, "tax_free": true});
    let goods = seller.create_product(&goods).await;
    for (sku, stock, more) in [
        ("lamp-now", 5, json!({})),
        (
            "lamp-later",
            7,
            json!({"opens_at": "2099-01-01T00:00:00Z", "closes_at": "2099-01-02T00:00:00.5Z", "limit_per_person": 2,
                "time_zone": "Pacific/Honolulu"}),
        ),
        ("lamp-draft", 9, json!({"draft": true, "max_per_order": 3, "hold_for_seconds": 60})),
    ] {
        let mut offer =
            json!({"sku": sku, "product_id": goods, "stock": stock, "price": {"amount": 9_900, "currency": "KRW"}});
        offer.as_object_mut().expect("fields").extend(more.as_object().expect("fields").clone());
        seller.create_offer(&offer).await;
    }
    // Without a sku, and in two currencies.
    let card = json!({"kind": "gift_card", "name": "Card", "face_value": {"amount": 50, "currency": "USD"}});
    let card = seller.create_product(&card).await;
    let price = json!({"amount": 60_000, "currency": "KRW"});
    seller.create_offer(&json!({"product_id": card, "stock": 1, "price": price})).await;
    // Without an offer.
    let coupon = json!({"sku": "ten", "kind": "coupon", "name": "Ten percent", "minimum_amount": 1_000,
        "discount": {"percent": 10, "max_amount": 5_000}});
    seller.create_product(&coupon).await;
    let formulas = ("=1+1", "'=1+1\n＋82");
    let dated = json!({"sku": "-visit", "kind": "ticket", "name": formulas.0, "description": formulas.1, "visit_date": "2099-05-05"});
    seller.create_product(&dated).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_exported_comes_back_the_same() {
    let shop = Shop::start().await;
    fill(&shop.seller().await).await;
    for kind in ["json", "csv"] {
        let first = shop.scratch().join(format!("first.{kind}"));
        assert_eq!(shop.run(&["export", text(&first)], "").ok().trim(), "4 products, 4 offers");
        let unchanged = shop.run(&["import", text(&first)], "").ok();
        assert_eq!(unchanged.trim(), "0 created, 0 updated, 8 unchanged", "{kind}");
        let other = Shop::start().await;
        let taken = other.run(&["import", text(&first)], "");
        assert_eq!(taken.ok().trim(), "8 created, 0 updated, 0 unchanged", "{kind}");
        let second = shop.scratch().join(format!("second.{kind}"));
        other.run(&["export", text(&second)], "").ok();
        let (first, second) = (fs::read_to_string(first).expect("there"), fs::read_to_string(second).expect("there"));
        assert_eq!(first, second, "{kind}");
        assert!(first.contains("한글 설명"));
        assert!(kind == "json" || first.contains("'-visit,ticket,'=1+1,\"''=1+1\n＋82\""), "no formulas: {first}");
    }
    let there = shop.run(&["export", text(&shop.scratch().join("first.json"))], "");
    assert!(there.code == Some(2) && there.err.contains("is there already"), "{there:?}");
}

/// The rows of a file of the books by the names of their columns.
fn rows(folder: &Path, name: &str) -> Vec<BTreeMap<String, String>> {
    let text = fs::read_to_string(folder.join(name)).expect("there");
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let columns = lines.next().expect("columns");
    lines.map(|fields| columns.iter().cloned().zip(fields).collect()).collect()
}

/// Sums of a column by day and offer.
fn sums(rows: &[BTreeMap<String, String>], day: &str, column: &str) -> BTreeMap<(String, String), i64> {
    let mut sums = BTreeMap::new();
    for row in rows.iter().filter(|row| !row[day].is_empty()) {
        let amount: i64 = if column.is_empty() { 1 } else { row[column].parse().expect("a number") };
        *sums.entry((row[day].clone(), row["offer_id"].clone())).or_default() += amount;
    }
    sums.retain(|_, sum| *sum != 0);
    sums
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_books_add_up_to_the_ledger() {
    let shop = Shop::start().await;
    let empty = shop.scratch().join("empty");
    shop.run(&["export", text(&empty)], "").ok();
    assert_eq!(rows(&empty, "days.csv").len() + rows(&empty, "orders.csv").len(), 0);
    let seller = shop.seller().await;
    let card = seller.sell(&gift_card(10_000), &json!({"price": 9_000, "stock": 50})).await;
    let gate = seller.sell(&ticket("=Gate"), &json!({"price": 4_000, "stock": 50})).await;
    let free = seller.sell(&ticket("Free"), &json!({"price": 0, "stock": 50})).await;
    let buyer = shop.account("buyer", "ann@shop.test").await;
    let refunded = buyer.buy("one", &card, 2).await;
    buyer.buy("two", &card, 1).await;
    buyer.buy("three", &gate, 3).await;
    buyer.order("free", &free, 1).await.expect("an answer").want(201);
    buyer.order("unpaid", &gate, 1).await.expect("an answer").want(201);
    let back = json!({"reason": "=my phone is 010-1234-5678"});
    buyer.post(&format!("/orders/{refunded}/cancel")).key("back").json(&back).want(200).await;
    let mut exports = 0;
    let folder = until("the refund is done", SOON, async || {
        exports += 1;
        let folder = shop.scratch().join(format!("books-{exports}"));
        shop.run(&["export", text(&folder)], "").ok();
        rows(&folder, "refunds.csv").iter().any(|row| row["state"] == "DONE").then_some(folder)
    })
    .await;
    let (days, orders) = (rows(&folder, "days.csv"), rows(&folder, "orders.csv"));
    let (payments, refunds) = (rows(&folder, "payments.csv"), rows(&folder, "refunds.csv"));
    let amounts = sums(&days, "day", "amount");
    assert_eq!(amounts.values().sum::<i64>(), 39_000);
    assert_eq!(sums(&orders, "booked_on", "amount"), amounts);
    assert_eq!(sums(&payments, "booked_on", "amount"), amounts);
    assert_eq!(sums(&orders, "booked_on", "quantity"), sums(&days, "day", "units"));
    assert_eq!(sums(&rows(&folder, "vouchers.csv"), "booked_on", ""), sums(&days, "day", "units"));
    assert_eq!(sums(&refunds, "booked_on", "amount").values().sum::<i64>(), 18_000);
    assert_eq!(sums(&days, "day", "returned_units").values().sum::<i64>(), 2);
    assert_eq!(orders.iter().filter(|order| order["booked_on"].is_empty()).count(), 1, "the unpaid one");
    nothing_personal(&shop, &buyer, &folder).await;
    shop.audit().ok();
}

/// Nothing of a person is in the books unless it is asked for, and no code of a voucher.
async fn nothing_personal(shop: &Shop, buyer: &Api, folder: &Path) {
    let codes: Vec<Value> = buyer.vouchers().await.expect("an answer").iter().map(|one| one["code"].clone()).collect();
    for file in fs::read_dir(folder).expect("there") {
        let text = fs::read_to_string(file.expect("there").path()).expect("readable");
        assert!(!text.contains("ann@shop.test") && !text.contains("010-1234-5678"), "{text}");
        assert!(codes.iter().all(|code| !text.contains(code.as_str().expect("a code"))), "{text}");
    }
    let vouchers = rows(folder, "vouchers.csv");
    assert!(vouchers.iter().any(|row| row["product_name"] == "'=Gate"), "no formula for a spreadsheet");
    let asked = shop.scratch().join("asked");
    shop.run(&["export", text(&asked), "--personal-data"], "").ok();
    assert_eq!(rows(&asked, "refunds.csv")[0]["reason"], "'=my phone is 010-1234-5678");
}
