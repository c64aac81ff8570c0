//! Restarting every process one after the other while people buy.

use super::Running;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_role_is_restarted_in_mid_sale() {
    let running = Running::start("every_role_is_restarted_in_mid_sale").await;
    running.go_on(1_000).await;
    for name in
        ["orders-1", "orders-2", "payments-1", "payments-2", "catalog-1", "accounts-1", "vouchers-1", "notices-1"]
    {
        running.control(&["stop", name]);
        running.control(&["start", name]);
        running.go_on(500).await;
    }
    running.recover("the last restart").await;
    let lost = running.sale.history().lost;
    assert_eq!(lost, 0, "a process that was asked to stop lost {lost} answers");
    running.end(5).await;
}
