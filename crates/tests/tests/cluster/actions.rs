//! What people of the shop do in a cluster: each role writes down its part, and the gateway shows them as one.

use firstcome_tests::{Cluster, Storefront as _};

use crate::actions::staff_is_seen;

/// In a cluster in which nothing was done before.
pub(super) async fn staff_of_a_cluster_is_seen(cluster: &Cluster) {
    let (seller, operator) = (cluster.seller().await, cluster.account("operator", "night@shop.test").await);
    staff_is_seen(cluster, &seller, &operator).await;
    assert_eq!(cluster.audit_json()["actions"], 7);
    tokio::task::block_in_place(|| cluster.control(&["stop", "catalog-1"]));
    let silent = operator.get("/admin/actions").send().await.expect("an answer").problem(503, "unavailable");
    assert_eq!(silent["part"], "catalog");
    let others = operator.get("/admin/actions?role=orders").want(200).await;
    assert_eq!(others["items"].as_array().expect("a list").len(), 1);
    tokio::task::block_in_place(|| cluster.control(&["start", "catalog-1"]));
}
