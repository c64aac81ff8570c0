//! Nothing personal is readable on the servers of a cluster: Kafka's topics, the databases with their logs, Redis, and what
//! the processes keep and say.

use firstcome_tests::{Cluster, Storefront as _};

use crate::privacy::{live, search};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn privacy_nothing_personal_can_be_read_on_the_servers() {
    let cluster = tokio::task::block_in_place(Cluster::up);
    let person = live(&cluster).await;
    person.delete("/me").want(204).await;
    tokio::task::block_in_place(|| cluster.audit()).ok();
    search(&[cluster.data()], &cluster.api()).await;
}
