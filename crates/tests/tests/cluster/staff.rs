//! What people of the shop do, are told, and are shown of what failed: in one cluster, one after the other.

use firstcome_tests::{Cluster, Storefront as _};

use super::actions::staff_of_a_cluster_is_seen;
use super::letters::letters_of_a_cluster;
use super::webhooks::a_sale_is_told_by_a_process_that_may_die;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn staff_is_seen_is_told_and_has_letters() {
    let cluster = tokio::task::block_in_place(Cluster::up);
    staff_of_a_cluster_is_seen(&cluster).await;
    a_sale_is_told_by_a_process_that_may_die(&cluster).await;
    letters_of_a_cluster(&cluster).await;
    tokio::task::block_in_place(|| cluster.audit()).ok();
}
