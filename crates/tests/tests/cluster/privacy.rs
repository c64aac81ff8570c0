//! Nothing personal is readable on the servers of a cluster: Kafka's topics, the databases with their logs, Redis, and what
//! the processes keep and say.

use firstcome_tests::{Cluster, Storefront as _};

use crate::privacy::{PRODUCT, live, metrics, search};

/// What is known to be in each part, without being a secret.
const KNOWN: [(&str, &str); 13] = [
    ("servers/kafka/data/firstcome.events.catalog", PRODUCT),
    ("servers/mariadb/data/firstcome_catalog", PRODUCT),
    ("servers/postgresql", PRODUCT),
    ("servers/redis/data", "vouchers-1"),
    ("accounts-1", "runs accounts"),
    ("catalog-1", "runs catalog"),
    ("orders-1", "runs orders"),
    ("orders-2", "runs orders"),
    ("payments-1", "runs payments"),
    ("payments-2", "runs payments"),
    ("vouchers-1", "runs vouchers"),
    ("sandbox-1", "runs sandbox"),
    ("gateway-1", "runs gateway"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn privacy_nothing_personal_can_be_read_on_the_servers() {
    let readable = [("FIRSTCOME_KAFKA_READABLE", "1")];
    let cluster = tokio::task::block_in_place(|| Cluster::up_with(&readable));
    let (person, told) = live(&cluster).await;
    person.delete("/me").want(204).await;
    tokio::task::block_in_place(|| cluster.audit()).ok();
    let metrics = metrics(&cluster.api()).await;
    // A server that has stopped has everything in its files.
    for server in ["kafka", "mariadb", "postgres", "redis"] {
        tokio::task::block_in_place(|| cluster.control(&["stop", server]));
    }
    search(cluster.data(), &KNOWN, metrics, &told);
}
