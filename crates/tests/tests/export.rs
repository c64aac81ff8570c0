//! What is exported comes back through an import, and the books add up to the ledger.

mod catalogue;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use firstcome_tests::{Api, SOON, Shop, Storefront as _, gift_card, ticket, until};
use serde_json::{Value, json};

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

/// The rows of a file of the books by the names of their columns.
fn rows(folder: &Path, name: &str) -> Vec<BTreeMap<String, String>> {
    table(&fs::read_to_string(folder.join(name)).expect("there"))
}

fn table(text: &str) -> Vec<BTreeMap<String, String>> {
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_books_of_an_order_over_several_offers_add_up_and_are_the_same_by_api() {
    let shop = Shop::start().await;
    let seller = shop.seller().await;
    let card = seller.sell(&gift_card(10_000), &json!({"price": 9_000, "stock": 50})).await;
    let gate = seller.sell(&ticket("=Gate"), &json!({"price": 4_000, "stock": 50})).await;
    let buyer = shop.account("buyer", "ann@shop.test").await;
    let lines = json!({"lines": [{"offer_id": card, "quantity": 1}, {"offer_id": gate, "quantity": 3}]});
    let both = buyer.post("/orders").key("both").json(&lines).want(201).await;
    buyer.pay(&both).await;
    let refunded = buyer.buy("refunded", &gate, 2).await;
    buyer.cancel("back", &refunded).await.expect("an answer").want(200);
    buyer.order("unpaid", &gate, 1).await.expect("an answer").want(201);
    let mut exports = 0;
    // What is written behind the journal is there a moment later.
    until("the refund is done, and both ways say the same", SOON, async || {
        exports += 1;
        let folder = shop.scratch().join(format!("books-{exports}"));
        shop.run(&["export", text(&folder)], "").ok();
        if rows(&folder, "refunds.csv").iter().all(|row| row["state"] != "DONE") {
            return Err("no refund".to_owned());
        }
        let days = rows(&folder, "days.csv");
        let sold = sums(&rows(&folder, "vouchers.csv"), "booked_on", "");
        if sold != sums(&days, "day", "units") {
            return Err(format!("each voucher under the offer that sold it: {sold:?}"));
        }
        assert_eq!(sums(&rows(&folder, "orders.csv"), "booked_on", "amount"), sums(&days, "day", "amount"));
        let paid = sums(&rows(&folder, "payments.csv"), "booked_on", "amount");
        assert_eq!(paid.values().sum::<i64>(), 29_000);
        for name in ["orders", "payments", "refunds", "vouchers"] {
            same(&seller, &folder, name).await?;
        }
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_people_did_and_what_was_checked_is_exported_too() {
    let shop = Shop::start().await;
    let seller = shop.seller().await;
    let gate = seller.sell(&ticket("Gate"), &json!({"price": 4_000})).await;
    let buyer = shop.account("buyer", "ann@shop.test").await;
    buyer.put("/me/consents").json(&json!({"advertising": true})).want(200).await;
    buyer.buy("one", &gate, 1).await;
    let run = seller.post("/admin/settlement").json(&json!({})).want(202).await["items"][0].clone();
    let path = format!("/admin/settlement/{}", run["settlement_id"].as_str().expect("an id"));
    until("it is done", SOON, async || seller.get(&path).want(200).await["state"] == "DONE").await;
    let folder = shop.scratch().join("all");
    shop.run(&["export", text(&folder)], "").ok();

    let checks = rows(&folder, "settlements.csv");
    let check = checks.iter().find(|row| row["settlement_id"] == run["settlement_id"]).expect("the check");
    assert_eq!((check["day"].as_str(), check["state"].as_str()), (run["day"].as_str().expect("a day"), "DONE"));
    assert!(rows(&folder, "findings.csv").is_empty());
    let actions = rows(&folder, "actions.csv");
    let listed = seller.all("/admin/actions").await.expect("actions");
    assert_eq!(actions.len(), listed.len());
    let asked = listed.iter().find(|action| action["action"] == "POST /admin/settlement").expect("the request");
    let written = actions.iter().find(|row| row["action_id"] == asked["action_id"]).expect("written");
    assert!(written["role"] == "payments" && written["roles"].contains("seller"), "{written:?}");
    assert_eq!((&asked["user_id"], &asked["action"]), (&json!(written["user_id"]), &json!(written["action"])));
    let agreed = rows(&folder, "consents.csv");
    let advertising = agreed.iter().find(|row| row["what"] == "advertising").expect("the consent");
    assert_eq!((advertising["given"].as_str(), advertising["way"].as_str()), ("true", "account"), "{advertising:?}");
    assert!(!fs::read_to_string(folder.join("consents.csv")).expect("there").contains("ann@shop.test"));
}

/// A file by API has the rows of the command's, as far as its role knows them.
async fn same(seller: &Api, folder: &Path, name: &str) -> Result<(), String> {
    let today = jiff::Timestamp::now().in_tz("Asia/Seoul").expect("a zone").date();
    let (from, to) = (today.yesterday().expect("a day"), today.tomorrow().expect("a day"));
    let path = |from, to| format!("/admin/books/{name}.csv?from={from}&to={to}");
    let answer = seller.get(&path(from, to)).send().await.expect("an answer");
    assert_eq!(
        (answer.status, &answer.headers["content-type"]),
        (200, &"text/csv; charset=utf-8".parse().expect("one"))
    );
    let disposition = format!("attachment; filename=\"{name}-{from}-to-{to}.csv\"");
    assert_eq!(answer.headers["content-disposition"], disposition.as_str());
    let by_api = std::str::from_utf8(&answer.bytes).expect("text");
    let header = by_api.lines().next().expect("a header").to_owned();
    let mut by_api = table(by_api);
    let mut written = rows(folder, &format!("{name}.csv"));
    let columns: Vec<&str> = header.split(',').collect();
    written.iter_mut().for_each(|row| row.retain(|column, _| columns.contains(&column.as_str())));
    by_api.sort();
    written.sort();
    let early = today.checked_sub(jiff::Span::new().years(9)).expect("a day");
    let empty = seller.get(&path(early, early)).send().await.expect("an answer");
    assert_eq!((empty.status, &empty.bytes[..]), (200, format!("{header}\n").as_bytes()));
    let long = seller.get(&path(early, today)).send().await.expect("an answer").problem(400, "malformed_request");
    assert_eq!(long["detail"], "One file has 366 days at most; ask for the others in another");
    let bare = seller.get(&format!("/admin/books/{name}.csv")).send().await.expect("an answer");
    assert_eq!(bare.problem(400, "malformed_request")["detail"], "from must be a day such as 2026-11-26");
    if by_api == written && !written.is_empty() { Ok(()) } else { Err(format!("{name}: {by_api:?} and {written:?}")) }
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
