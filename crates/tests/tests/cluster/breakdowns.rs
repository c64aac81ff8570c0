//! Processes and servers that die, stop, forget, or come back as they were before.

use super::Running;

/// Processes that are killed at random; the gateway is the buyers' only door, so it stays.
const ROLES: [&str; 7] = ["accounts-1", "catalog-1", "orders-1", "orders-2", "payments-1", "payments-2", "vouchers-1"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_are_killed_in_mid_sale() {
    let mut running = Running::start("roles_are_killed_in_mid_sale").await;
    for round in 1..=12 {
        let name = *running.random.pick(&ROLES);
        let pause = running.random.below(1_500);
        running.go_on(300 + pause).await;
        running.control(&["kill", name]);
        let pause = running.random.below(1_500);
        running.go_on(pause).await;
        running.control(&["start", name]);
        if round % 4 == 0 {
            running.sale.refresh_staff().await;
        }
    }
    running.recover("the last kill").await;
    running.end(12).await;
}
