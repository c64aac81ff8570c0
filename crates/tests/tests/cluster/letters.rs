//! Dead letters of a cluster: each role has its own, and the gateway shows them as one list.

use std::sync::Arc;

use firstcome_core::ports::{PortError, RoleName};
use firstcome_store::outbox::Outbox as _;
use firstcome_store::sql::{SqlOptions, SqlRecords};
use firstcome_tests::{Cluster, SOON, Storefront as _, until};
use serde_json::Value;

use crate::letters::{a_delivery_is_buried_mended_and_replayed, nobody_can_read, pages_are_the_list};

/// The catalogue's own database, beside the running processes.
pub(super) async fn catalog_of(cluster: &Cluster) -> Result<Arc<SqlRecords>, PortError> {
    let config = std::fs::read_to_string(cluster.config()).expect("the configuration");
    let line = config.lines().find_map(|line| line.trim().strip_prefix("catalog = ")).expect("databases.catalog");
    SqlRecords::open(SqlOptions::new(line.trim_matches('"').to_owned()), "catalog", firstcome_app::catalog::TABLES)
        .await
}

/// In a cluster that has none yet.
pub(super) async fn letters_of_a_cluster(cluster: &Cluster) {
    let catalog = catalog_of(cluster).await.expect("the catalogue");
    let last = async || catalog.after(0, 1_000).await.expect("events").pop().expect("one");
    a_delivery_is_buried_mended_and_replayed(cluster, &*catalog, last).await;
    let operator = cluster.account("operator", "day@shop.test").await;
    let letters = nobody_can_read(&operator, &*catalog).await;
    pages_are_the_list(&operator, 5).await;

    // A role that is away is not one without letters, and keeps nobody from the others'.
    tokio::task::block_in_place(|| cluster.control(&["stop", "vouchers-1"]));
    let silent = operator.get("/admin/dead-letters").send().await.expect("an answer").problem(503, "unavailable");
    assert_eq!(silent["part"], "vouchers");
    let others = operator.get("/admin/dead-letters?role=orders").want(200).await;
    let of_orders: Vec<&Value> = letters.iter().filter(|letter| letter["role"] == RoleName::Orders.as_str()).collect();
    assert_eq!(others["items"].as_array().expect("a list").iter().collect::<Vec<_>>(), of_orders);
    // Either process of orders has the letters of both.
    for gone in ["orders-1", "orders-2"] {
        tokio::task::block_in_place(|| cluster.control(&["stop", gone]));
        let id = of_orders[0]["id"].as_str().expect("an id");
        let again = operator.post(&format!("/admin/dead-letters/{id}/replay")).send().await.expect("an answer");
        again.problem(409, "replay_failed");
        tokio::task::block_in_place(|| cluster.control(&["start", gone]));
    }
    let wrong = operator.delete("/admin/dead-letters").send().await.expect("an answer");
    wrong.problem(405, "method_not_allowed");
    tokio::task::block_in_place(|| cluster.control(&["start", "vouchers-1"]));
    until("vouchers answers again", SOON, async || {
        let answer = operator.get("/admin/dead-letters").send().await.expect("an answer");
        if answer.status == 503 { Err(answer) } else { Ok(()) }
    })
    .await;
    pages_are_the_list(&operator, 5).await;
}
