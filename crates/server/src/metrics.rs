//! Metrics of the ledger, read when they are asked for: the hot path counts for itself.

use std::sync::Arc;

use firstcome_store::sqlite::SqliteLedger;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// The ledger's own counters.
pub struct LedgerMetrics(pub Arc<SqliteLedger>);

impl std::fmt::Debug for LedgerMetrics {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("LedgerMetrics")
    }
}

impl Collector for LedgerMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let work = self.0.work();
        let counters = [
            ("firstcome_ledger_batches", "Batches made durable with one sync each", work.batches),
            ("firstcome_ledger_commands", "Commands decided in a lane", work.commands),
            ("firstcome_ledger_records", "Records appended to the journal", work.records),
            ("firstcome_ledger_events", "Events appended to the journal", work.events),
        ];
        for (name, help, value) in counters {
            let counter = ConstCounter::new(value);
            counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
        }
        let gauges = [
            ("firstcome_ledger_waiting", "Commands that wait for a lane", work.waiting as i64),
            ("firstcome_ledger_holds_in_memory", "Holds in memory, of all offers", self.0.holds_in_memory() as i64),
            ("firstcome_ledger_storage_full", "1 while the disk takes no more", i64::from(self.0.is_full())),
        ];
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        Ok(())
    }
}
