//! Another shape: three brokers that keep everything three times, two gateways, and processes of several roles each.

use firstcome_tests::{Api, Storefront as _};

use super::{Running, log_out};

const SHAPE: [(&str, &str); 2] = [
    ("FIRSTCOME_KAFKA_BROKERS", "3"),
    (
        "FIRSTCOME_CLUSTER_PROCESSES",
        "sandbox+vouchers-1 accounts+catalog-1 orders+payments-1 orders+payments-2 gateway-1 gateway-2",
    ),
];

/// Of three brokers one may go at any time; without two nothing is promised to anyone, and nothing that was is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn brokers_gateways_and_processes_go_in_mid_sale() {
    let running = Running::start_with("brokers_gateways_and_processes_go_in_mid_sale", &SHAPE).await;
    a_log_out_at_one_gateway_is_known_at_the_other(&running).await;

    running.control(&["kill", "kafka-2"]);
    running.recover("one broker of three was killed").await;
    running.go_on(2_000).await;
    running.control(&["kill", "kafka-3"]);
    // Buyers are answered 503 from here on: any other answer would be a surprise to them.
    for name in ["orders+payments-1", "orders+payments-2"] {
        running.until_stuck(name, true).await;
    }
    // What is answered already is on its way yet.
    running.go_on(1_000).await;
    let before = running.sale.granted();
    running.go_on(3_000).await;
    assert_eq!(running.sale.granted(), before, "sold with one copy");
    running.control(&["start", "kafka-2"]);
    running.recover("the second broker of three was back").await;
    running.control(&["start", "kafka-3"]);

    running.control(&["kill", "gateway-1"]);
    running.recover("one gateway of two was killed").await;
    running.control(&["start", "gateway-1"]);
    for name in ["orders+payments-2", "accounts+catalog-1", "sandbox+vouchers-1"] {
        running.control(&["kill", name]);
        running.go_on(500).await;
        running.control(&["start", name]);
        running.recover(&format!("{name} was killed")).await;
    }
    running.end(8).await;
}

async fn a_log_out_at_one_gateway_is_known_at_the_other(running: &Running) {
    let leaving = running.cluster.account("buyer", "leaving@shop.test").await;
    let doors: Vec<Api> =
        running.cluster.doors().iter().map(|door| door.with_token(leaving.token().expect("a token"))).collect();
    assert_eq!(doors.len(), 2);
    for door in &doors {
        door.get("/orders").want(200).await;
    }
    log_out(&doors[0], &doors, "there are two gateways").await;
}
