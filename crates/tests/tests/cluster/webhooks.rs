//! Notices from a cluster: told by a process of their own, which may die.

use std::time::Duration;

use firstcome_tests::{Cluster, Storefront as _, gift_card};
use serde_json::json;

use crate::webhooks::{Receiver, a_sale_is_told, buy};

pub(super) async fn a_sale_is_told_by_a_process_that_may_die(cluster: &Cluster) {
    let control = |arguments: &[&str]| tokio::task::block_in_place(|| cluster.control(arguments));
    let (seller, receiver) = (cluster.seller().await, Receiver::start().await);
    a_sale_is_told(cluster, &seller, &receiver).await;

    let offer = seller.sell(&gift_card(10_000), &json!({"price": 9_000, "stock": 100})).await;
    let buyer = cluster.buyers(1).remove(0);
    buy(&buyer, "before", &offer, 1).await;
    control(&["kill", "notices-1"]);
    let order = buy(&buyer, "meanwhile", &offer, 1).await;
    let silent = seller.get("/admin/webhooks").send().await.expect("an answer");
    silent.problem(503, "unavailable");
    control(&["start", "notices-1"]);
    receiver.hears("order.completed", &order).await;
    while seller.get("/admin/webhooks").send().await.expect("an answer").status == 503 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
