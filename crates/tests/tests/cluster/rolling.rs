//! Restarting every process one after the other while people buy.

use super::Running;

/// Two gateways, so that there is a door at any time.
const SHAPE: [(&str, &str); 1] = [(
    "FIRSTCOME_CLUSTER_PROCESSES",
    "sandbox-1 accounts-1 catalog-1 orders-1 orders-2 payments-1 payments-2 vouchers-1 gateway-1 gateway-2",
)];

/// What buyers are told meanwhile is what they are told anyhow, or to ask again; how often is printed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_role_is_restarted_in_mid_sale() {
    let running = Running::start_with("every_role_is_restarted_in_mid_sale", &SHAPE).await;
    running.go_on(1_000).await;
    for name in
        ["orders-1", "orders-2", "payments-1", "payments-2", "catalog-1", "accounts-1", "vouchers-1", "sandbox-1"]
    {
        restart(&running, name).await;
    }
    running.recover("the last restart").await;
    let lost = running.sale.history().lost;
    assert_eq!(lost, 0, "a process that was asked to stop lost {lost} answers");
    // Here a request may meet the end of a connection that was idle: its answer counts as lost, and it is asked again.
    for name in ["gateway-1", "gateway-2"] {
        restart(&running, name).await;
        running.recover(&format!("{name} was restarted")).await;
    }
    running.end(5).await;
}

async fn restart(running: &Running, name: &str) {
    running.control(&["stop", name]);
    running.control(&["start", name]);
    running.go_on(500).await;
}
