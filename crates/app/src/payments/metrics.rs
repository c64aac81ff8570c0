//! What the role counts.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

/// Counters, resolved once.
#[derive(Default)]
pub(super) struct Metrics {
    pub(super) done: Counter,
    pub(super) failed: Counter,
    pub(super) unknown: Counter,
    pub(super) quarantined: Counter,
    pub(super) undeliverable: Counter,
    pub(super) refunds_done: Counter,
    pub(super) refunds_quarantined: Counter,
    pub(super) settlements_done: Counter,
    pub(super) settlement_findings: Counter,
}

impl Metrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let counters = [
            ("firstcome_payments_done", "Payments collected", &metrics.done),
            ("firstcome_payments_failed", "Payments that the provider refused for good", &metrics.failed),
            ("firstcome_payments_unknown", "Calls after which it was unknown whether money moved", &metrics.unknown),
            ("firstcome_payments_quarantined", "Payments that a person must look at", &metrics.quarantined),
            ("firstcome_payments_undeliverable", "Charges that are refunded by themselves", &metrics.undeliverable),
            ("firstcome_refunds_done", "Refunds that the provider confirmed", &metrics.refunds_done),
            ("firstcome_refunds_quarantined", "Refunds that a person must look at", &metrics.refunds_quarantined),
            ("firstcome_settlements_done", "Days compared with the provider's list", &metrics.settlements_done),
            ("firstcome_settlement_findings", "What did not agree on those days", &metrics.settlement_findings),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        metrics
    }
}
