//! What concerns money: bank transfers with their cash receipts, and the settlement with the provider.

use std::collections::BTreeSet;

use firstcome_tests::{Api, SOON, gift_card, until};
use futures_util::future::join_all;
use hyper::Method;
use serde_json::{Value, json};

use super::{TWINS, Twins, text};
use crate::settlement::{ask, done};
use crate::transfers::{PRICE, deposit, is, open_account, payment, receipt_is};

/// Who pays by bank transfer.
const BUYER: usize = 3;

pub(super) struct Money {
    /// Orders whose accounts wait for a deposit: one for each time that a process is alone.
    waiting: Vec<String>,
}

impl Money {
    pub(super) async fn meet(twins: &Twins) -> Self {
        let buyer = &twins.readers[BUYER];
        let terms = json!({"price": PRICE, "stock": 20, "hold_for_seconds": 900});
        let offer = twins.seller.sell(&gift_card(10_000), &terms).await;
        let mut waiting = Vec::new();
        for (turn, _) in TWINS.iter().enumerate() {
            waiting.push(open_account(buyer, &format!("waiting-{turn}"), &offer).await);
        }
        let (order, ()) = tokio::join!(one_account(buyer, &offer), too_late(twins));
        there_and_back(twins, &order).await;
        settle(twins).await;
        each_run_was_made_once(twins).await;
        Self { waiting }
    }

    /// The one that is left goes on with what both have begun.
    pub(super) async fn go_on(&self, twins: &Twins, turn: usize) {
        there_and_back(twins, &self.waiting[turn]).await;
        settle(twins).await;
    }
}

/// An order, and one account for it however often it is asked for at once.
async fn one_account(buyer: &Api, offer: &str) -> String {
    let order = text(&buyer.order("one", offer, 1).await.expect("an answer").want(201)["order_id"]);
    let asked = join_all((0..4).map(|_| buyer.transfer("transfer-one", &order))).await;
    for answer in asked {
        let answer = answer.expect("an answer");
        assert!([201, 202].contains(&answer.status), "{answer}");
    }
    let opened = buyer.transfer("transfer-one", &order).await.expect("an answer").want(201);
    let shown = payment(buyer, &order, "an account", |payment| payment["state"] == "READY").await;
    assert_eq!(opened["virtual_account"], shown["virtual_account"]);
    order
}

/// It is paid in, delivered and canceled: one gift card, one receipt, and all of the money back where it came from.
async fn there_and_back(twins: &Twins, order: &str) {
    let buyer = &twins.readers[BUYER];
    deposit(buyer, order).await;
    is(buyer, order, "COMPLETED").await;
    payment(buyer, order, "a receipt", receipt_is("ISSUED")).await;
    buyer.delivered(|voucher| voucher["order_id"] == order).await;
    twins.comes_once(BUYER, &["Your order is completed", order]).await;
    let vouchers = buyer.vouchers().await.expect("an answer");
    assert_eq!(vouchers.iter().filter(|voucher| voucher["order_id"] == order).count(), 1);
    let key = format!("cancel-{order}");
    let canceled = join_all((0..3).map(|_| buyer.cancel(&key, order))).await;
    canceled.into_iter().for_each(|answer| drop(answer.expect("an answer").want(200)));
    let back = payment(buyer, order, "all is back", receipt_is("CANCELED")).await;
    assert_eq!((&back["refunded"]["amount"], &back["refunds"][1]), (&json!(PRICE), &Value::Null), "{back}");
    assert_eq!(buyer.sandbox_receipts(order).await, [(PRICE, 0)]);
    twins.comes_once(BUYER, &["Your money is back", order]).await;
}

/// Nobody pays in time, and then the units are gone: what comes goes back by itself, once.
async fn too_late(twins: &Twins) {
    let buyer = &twins.readers[BUYER];
    let terms = json!({"price": PRICE, "stock": 1, "hold_for_seconds": 3});
    let offer = twins.seller.sell(&gift_card(10_000), &terms).await;
    let order = open_account(buyer, "late", &offer).await;
    is(buyer, &order, "EXPIRED").await;
    twins.seller.adjust("none-left", &offer, -1).await.expect("an answer").want(200);
    deposit(buyer, &order).await;
    let back = payment(buyer, &order, "it goes back", |payment| payment["state"] == "CANCELED").await;
    assert_eq!((&back["refunds"][0]["origin"], &back["refunds"][1]), (&json!("undeliverable"), &Value::Null), "{back}");
    assert!(buyer.sandbox_receipts(&order).await.is_empty(), "nothing was sold");
}

/// Several ask at once for yesterday and today: the days agree.
async fn settle(twins: &Twins) {
    let asking = [&twins.seller, &twins.night, &twins.seller, &twins.night];
    let runs: BTreeSet<String> = join_all(asking.map(ask)).await.into_iter().flatten().collect();
    let runs: Vec<String> = runs.into_iter().collect();
    let settled = done(&twins.seller, &runs).await;
    assert_eq!(settled["findings"], json!([]), "{settled}");
    assert!(settled["matched"].as_i64() > Some(0), "{settled}");
}

/// The nights of which there are runs are different ones; no day was asked for again while it was checked; and each run was
/// finished by one process.
async fn each_run_was_made_once(twins: &Twins) {
    let runs = until("all are done", SOON, async || {
        let runs = twins.seller.all("/admin/settlement?limit=100").await.expect("runs");
        let is_done = runs.iter().all(|run| run["state"] == "DONE") && runs.iter().any(|run| run["nightly"] == true);
        if is_done { Ok(runs) } else { Err(runs) }
    })
    .await;
    let of = |nightly: bool| runs.iter().filter(move |run| run["nightly"] == nightly);
    let nights: BTreeSet<String> = of(true).map(|run| text(&run["day"])).collect();
    assert_eq!(nights.len(), of(true).count(), "{runs:?}");
    let at = |run: &Value, name: &str| text(&run[name]).parse::<jiff::Timestamp>().expect("a time");
    let mut asked: Vec<_> =
        of(false).map(|run| (text(&run["day"]), at(run, "created_at"), at(run, "ended_at"))).collect();
    asked.sort();
    for pair in asked.windows(2) {
        assert!(pair[0].0 != pair[1].0 || pair[0].2 <= pair[1].1, "two at once: {pair:?}");
    }
    until("each run was counted once", SOON, async || {
        let mut count = 0;
        for twin in TWINS {
            count += settled_by(twins, twin).await;
        }
        if count == runs.len() { Ok(()) } else { Err(format!("{count} of {}", runs.len())) }
    })
    .await;
}

/// How many runs a process has finished.
async fn settled_by(twins: &Twins, twin: &str) -> usize {
    let api = Api::new(&format!("http://127.0.0.1:{}", twins.cluster.port(twin)));
    let metrics = api.call(Method::GET, "/metrics").send().await.expect("an answer");
    let metrics = String::from_utf8_lossy(&metrics.bytes).into_owned();
    let line = metrics.lines().find_map(|line| line.strip_prefix("firstcome_settlements_done_total "));
    line.and_then(|count| count.parse().ok()).expect("it is counted")
}
