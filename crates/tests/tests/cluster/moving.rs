//! An embedded shop whose data moves to a cluster goes on there: accounts, orders, keys, vouchers, refunds, sequence numbers.

use firstcome_tests::{Answer, Api, Cluster, SOON, Shop, Storefront as _, gift_card, run, run_with, ticket, until};
use serde_json::json;

const PRICE: i64 = 50_000;
const EMAIL: &str = "old@customer.test";
const PASSWORD: &str = "long enough to keep 7";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_moves_to_a_cluster() {
    let mut shop = Shop::start().await;
    let offer = shop.seller().await.sell(&gift_card(PRICE), &json!({"price": PRICE, "stock": 5})).await;
    let stock = json!({"price": PRICE, "stock": 5});
    let two = [
        shop.seller().await.sell(&ticket("Gate"), &stock).await,
        shop.seller().await.sell(&ticket("Hall"), &stock).await,
    ];
    let buyer = shop.api().sign_up(EMAIL, PASSWORD).await;
    let bought = order(&buyer, "bought", &offer).await;
    let code = paid(&buyer, &bought).await;
    let merchant = shop.merchant().await;
    merchant.redeem("before", &code, Some(20_000)).await.expect("an answer").want(200);
    let held = order(&buyer, "held", &offer).await;
    let of_two = order_over(&buyer, "of-two", &two).await;
    let canceled = order(&buyer, "canceled", &offer).await;
    paid(&buyer, &canceled).await;
    buyer.cancel("cancel", &canceled).await.expect("an answer").want(200);
    refunded(&buyer, &canceled).await;
    until("the books agree", SOON, async || {
        let audit = tokio::task::block_in_place(|| shop.audit());
        if audit.code == Some(0) { Ok(()) } else { Err(audit) }
    })
    .await;
    assert!(shop.stop().await.success());

    let cluster = tokio::task::block_in_place(|| Cluster::up_from(shop.data()));
    refused_twice(&shop, &cluster);
    let old_token = cluster.api().with_token(buyer.token().expect("a token"));
    assert_eq!(old_token.orders().await.expect("orders").len(), 4, "what was signed before the move is good");
    let buyer = cluster.api().log_in(EMAIL, PASSWORD).await;
    let merchant = cluster.merchant().await;
    merchant.redeem("before", &code, Some(20_000)).await.expect("an answer").want(200);
    assert_eq!(balance(&buyer, &code).await, 30_000, "the same key is the same redemption");
    merchant.redeem("after", &code, Some(30_000)).await.expect("an answer").want(200);
    assert_eq!(balance(&buyer, &code).await, 0);

    assert_eq!(order(&buyer, "held", &offer).await, held, "the same key is the same order");
    assert_eq!(order_over(&buyer, "of-two", &two).await, of_two, "also if it is over several offers");
    paid(&buyer, &held).await;
    let new = order(&buyer, "new", &offer).await;
    paid(&buyer, &new).await;
    // Of five units three are sold, and one came back.
    for key in ["fourth", "fifth"] {
        order(&buyer, key, &offer).await;
    }
    buyer.order("sixth", &offer, 1).await.expect("an answer").want(409);
    tokio::task::block_in_place(|| cluster.audit()).ok();
    tokio::task::block_in_place(|| a_lost_journal_ends_nothing_else(&cluster));
}

/// A process whose copy knows more than the journal in Kafka does not start, and keeps its copy: it may be the last one.
fn a_lost_journal_ends_nothing_else(cluster: &Cluster) {
    cluster.control(&["stop", "catalog-1"]);
    let (data, config) = (cluster.data().join("catalog-1/data"), cluster.config().to_str().expect("plain"));
    let copy = || std::fs::read(data.join("journal.db")).expect("the copy of the journal");
    let before = copy();
    let serve = ["serve", "--roles", "catalog", "--listen", "127.0.0.1:0", "--config", config, "--data"];
    let serve = [&serve[..], &[data.to_str().expect("plain")]].concat();
    // A journal of another name is there, and empty.
    let refused = run_with(&serve, &[("FIRSTCOME_KAFKA_PREFIX", "elsewhere")], "");
    assert_ne!(refused.code, Some(0));
    assert!(refused.said().contains("the journal in Kafka ends at position 0"), "{}", refused.said());
    assert!(copy() == before, "the copy was changed");
}

/// What was moved once is not moved again.
fn refused_twice(shop: &Shop, cluster: &Cluster) {
    let (from, config) = (shop.data().to_str().expect("plain"), cluster.config().to_str().expect("plain"));
    let again = tokio::task::block_in_place(|| run(&["move", "--from", from, "--config", config], ""));
    assert!(again.code != Some(0) && again.said().contains("is not empty"), "{}", again.said());
}

async fn order(buyer: &Api, key: &str, offer: &str) -> String {
    id(&buyer.order(key, offer, 1).await.expect("an answer"))
}

/// One unit of each.
async fn order_over(buyer: &Api, key: &str, offers: &[String]) -> String {
    let lines: Vec<_> = offers.iter().map(|offer| json!({"offer_id": offer, "quantity": 1})).collect();
    id(&buyer.post("/orders").key(key).json(&json!({"lines": lines})).send().await.expect("an answer"))
}

fn id(placed: &Answer) -> String {
    assert!([200, 201].contains(&placed.status), "{placed}");
    placed.json["order_id"].as_str().expect("an order_id").to_owned()
}

/// Pays an order. Returns the code of its voucher when that is there.
async fn paid(buyer: &Api, order: &str) -> String {
    buyer.pay(&buyer.order_of(order).await.expect("an answer").want(200)).await;
    let voucher = buyer.delivered(|voucher| voucher["order_id"] == order).await;
    voucher["code"].as_str().expect("a code").to_owned()
}

async fn balance(buyer: &Api, code: &str) -> i64 {
    let voucher = buyer.voucher(code).await.expect("an answer").want(200);
    voucher["balance"]["amount"].as_i64().expect("an amount")
}

async fn refunded(buyer: &Api, order: &str) {
    until("the refund is done", SOON, async || {
        let payment = buyer.payment_of(order).await.expect("an answer").want(200);
        if payment["refunds"][0]["state"] == "DONE" { Ok(()) } else { Err(payment) }
    })
    .await;
}
