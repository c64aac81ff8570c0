//! The settlement check of a running shop: a day that agrees, each class of finding, and a stop in the middle.

use firstcome_tests::{Api, SOON, Shop, Storefront as _, ticket, until};
use rusqlite::Connection;
use serde_json::{Value, json};

/// Asks for the check of today, and waits until it is done.
async fn settle(seller: &Api) -> Value {
    let run = ask(seller).await;
    done(seller, &run).await
}

fn today() -> String {
    jiff::Timestamp::now().in_tz("Asia/Seoul").expect("a zone").date().to_string()
}

/// Yesterday and today, so that a test may run over midnight. Returns the runs.
pub(crate) async fn ask(seller: &Api) -> Vec<String> {
    let yesterday = jiff::Timestamp::now().in_tz("Asia/Seoul").expect("a zone").date().yesterday().expect("a day");
    let body = json!({"from": yesterday.to_string(), "to": today()});
    let runs = seller.post("/admin/settlement").json(&body).want(202).await;
    let runs = runs["items"].as_array().expect("runs").iter();
    runs.map(|run| run["settlement_id"].as_str().expect("an id").to_owned()).collect()
}

/// The runs together, when all of them are done.
pub(crate) async fn done(seller: &Api, runs: &[String]) -> Value {
    let mut sum = json!({"matched": 0, "in_flight": 0, "findings": []});
    for run in runs {
        let path = format!("/admin/settlement/{run}");
        until("it is done", SOON, async || seller.get(&path).want(200).await["state"] == "DONE").await;
        let run = seller.get(&path).want(200).await;
        for count in ["matched", "in_flight"] {
            sum[count] = json!(sum[count].as_i64().expect("a number") + run[count].as_i64().expect("a number"));
        }
        let found = seller.all(&format!("{path}/findings")).await.expect("findings");
        let counted = run["findings"].as_object().expect("counts").values();
        let counted: i64 = counted.map(|count| count.as_i64().expect("a number")).sum();
        assert_eq!(counted, found.len() as i64, "{run}");
        sum["findings"].as_array_mut().expect("a list").extend(found);
    }
    sum
}

/// Changes the books behind the shop's back.
fn alter(shop: &Shop, database: &str, statement: &str) {
    let path = shop.data().join(format!("{database}.db"));
    let changed = Connection::open(path).expect("a database").execute(statement, []).expect(statement);
    assert_eq!(changed, 1, "{statement}");
}

/// Four orders that are paid, of which one is canceled and its money back.
async fn sell(shop: &Shop) -> (Api, Vec<String>) {
    let seller = shop.seller().await;
    let offer =
        seller.sell(&ticket("Gate"), &json!({"stock": 10, "price": {"amount": 9_000, "currency": "KRW"}})).await;
    let buyer = shop.buyers(1).remove(0);
    let mut orders = Vec::new();
    for key in ["one", "two", "three", "four"] {
        orders.push(buyer.buy(key, &offer, 1).await);
    }
    buyer.cancel("cancel", &orders[3]).await.expect("an answer").want(200);
    until("its money is back", SOON, async || {
        buyer.payment_of(&orders[3]).await.expect("an answer").want(200)["refunds"][0]["state"] == "DONE"
    })
    .await;
    (seller, orders)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_is_compared_with_the_provider() {
    let mut shop = Shop::start().await;
    let (seller, orders) = sell(&shop).await;
    let settled = settle(&seller).await;
    assert_eq!((&settled["matched"], &settled["findings"]), (&json!(5), &json!([])), "{settled}");
    shop.stop().await;

    // What we did not do.
    let by_hand = "insert into sandbox_transactions select 'txn_by_hand', 'sbx_by_hand', order_id, 500, currency, status, at, \
        version from sandbox_transactions where status = 'DONE' limit 1";
    alter(&shop, "sandbox", by_hand);
    let order_of = |order: &str| {
        let id = order.parse::<firstcome_core::ids::OrderId>().expect("an id").0;
        let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("order_id = x'{hex}'")
    };
    alter(&shop, "payments", &format!("update payments set amount = 9001 where {}", order_of(&orders[0])));
    alter(&shop, "payments", &format!("update payments set payment_key = 'sbx_none' where {}", order_of(&orders[1])));
    let twin = format!(
        "insert into payments select zeroblob(16), order_id, person, payment_key, digest, amount, currency, state, null, \
         refunded, code, message, tries, due_at, created_at, updated_at, tax_free, method, version from payments where {}",
        order_of(&orders[2])
    );
    alter(&shop, "payments", &twin);
    alter(&shop, "payments", "update refunds set \"transaction\" = 'txn_none'");
    // All of it long enough ago that no notice of it is on its way.
    let aged = Connection::open(shop.data().join("sandbox.db")).expect("a database");
    aged.execute("update sandbox_transactions set at = at - 900000000", []).expect("aged");
    drop(aged);
    shop.start_again().await;
    let seller = shop.api().log_in("seller@shop.test", firstcome_tests::PASSWORD).await;
    let settled = settle(&seller).await;
    let found = settled["findings"].as_array().expect("findings");
    let mut classes: Vec<String> = found
        .iter()
        .map(|row| format!("{} {}", row["class"].as_str().expect("a class"), row["movement"].as_str().expect("a way")))
        .collect();
    classes.sort();
    let expected = [
        "duplicate charge",
        "mismatch charge",
        "missing_at_provider cancel",
        "missing_at_provider charge",
        "missing_in_shop cancel",
        "missing_in_shop charge",
        "missing_in_shop charge",
    ];
    assert_eq!(classes, expected, "{settled:#}");
    let metrics = shop.api().call(hyper::Method::GET, "/metrics").send().await.expect("metrics");
    let metrics = String::from_utf8_lossy(&metrics.bytes).into_owned();
    assert!(metrics.contains("firstcome_settlement_findings_total 7"), "{metrics}");
    assert!(shop.log().contains("a person must look"), "it is logged as an error");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_is_killed_goes_on_after_the_start() {
    let mut shop = Shop::start().await;
    let (seller, _) = sell(&shop).await;
    let slow = json!({"on": "transactions", "kind": "delay", "delay_ms": 60_000, "probability": 1.0});
    seller.sandbox_faults(&[slow]).await.expect("an answer").want(200);
    let runs = ask(&seller).await;
    let running = async || {
        let states = seller.all("/admin/settlement").await.expect("runs");
        states.iter().any(|run| run["state"] == "RUNNING")
    };
    until("one is under way", SOON, running).await;
    shop.kill();
    // The lease of the process that died is over.
    let books = Connection::open(shop.data().join("payments.db")).expect("a database");
    books.execute("update settlements set due_at = 1 where due_at is not null", []).expect("over");
    drop(books);
    shop.start_again().await;
    let seller = shop.api().log_in("seller@shop.test", firstcome_tests::PASSWORD).await;
    let settled = done(&seller, &runs).await;
    assert_eq!((&settled["matched"], &settled["findings"]), (&json!(5), &json!([])), "{settled}");
    let nights = seller.all("/admin/settlement").await.expect("runs");
    assert_eq!(nights.iter().filter(|run| run["nightly"] == true).count(), 1, "one for the night: {nights:?}");
    shop.audit().ok();
}
