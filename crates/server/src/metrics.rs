//! Metrics of the ledger and of what follows it, read when they are asked for: the hot path counts for itself.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use firstcome_app::role::Worker;
use firstcome_core::lag::Lag;
use firstcome_core::ports::Clock;
use firstcome_store::LedgerWork;

/// What a ledger says of itself.
pub struct LedgerFigures {
    /// What it has done.
    pub work: LedgerWork,
    /// Holds in memory.
    pub holds: usize,
    /// Whether it can decide nothing for now.
    pub stuck: bool,
    /// Records that lost a race against another process; none for a ledger that has no other.
    pub races_lost: Option<u64>,
}

/// The ledger's own counters.
pub struct LedgerMetrics(pub Box<dyn Fn() -> LedgerFigures + Send + Sync>);

impl std::fmt::Debug for LedgerMetrics {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("LedgerMetrics")
    }
}

impl Collector for LedgerMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let LedgerFigures { work, holds, stuck, races_lost } = (self.0)();
        let mut counters = vec![
            ("firstcome_ledger_batches", "Batches made durable with one sync each", work.batches),
            ("firstcome_ledger_commands", "Commands decided in a lane", work.commands),
            ("firstcome_ledger_records", "Records appended to the journal", work.records),
            ("firstcome_ledger_events", "Events appended to the journal", work.events),
        ];
        if let Some(lost) = races_lost {
            let help = "Records that another process' came before, and that were decided again";
            counters.push(("firstcome_ledger_races_lost", help, lost));
        }
        for (name, help, value) in counters {
            let counter = ConstCounter::new(value);
            counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
        }
        // The embedded ledger's name of the same: its disk is full.
        let (name, help) = match races_lost {
            None => ("firstcome_ledger_storage_full", "1 while the disk takes no more"),
            Some(_) => {
                ("firstcome_ledger_stuck", "1 while nothing can be decided: Kafka is away, or the clocks are apart")
            }
        };
        let gauges = [
            ("firstcome_ledger_waiting", "Commands that wait for a lane", work.waiting as i64),
            ("firstcome_ledger_holds_in_memory", "Holds in memory, of all offers", holds as i64),
            (name, help, i64::from(stuck)),
        ];
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        Ok(())
    }
}

/// How far behind those are that carry and handle events, by name.
#[derive(Clone)]
pub struct Lags {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What carries outboxes, by role.
    pub outboxes: Vec<(&'static str, Lag)>,
    /// Who handles what others have written.
    pub consumers: Vec<(&'static str, Lag)>,
}

impl Lags {
    /// Adds the consumers among the workers of a role.
    pub fn add(&mut self, workers: &[Worker]) {
        self.consumers.extend(workers.iter().filter_map(|worker| Some((worker.name, worker.lag.clone()?))));
    }

    /// How long the oldest has waited that waits for any of them.
    pub fn longest(&self, lags: &[(&'static str, Lag)]) -> Duration {
        let now = self.clock.now();
        lags.iter().map(|(_, lag)| lag.at(now)).max().unwrap_or_default()
    }
}

impl std::fmt::Debug for Lags {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Lags")
    }
}

impl Collector for Lags {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let now = self.clock.now();
        let help = [
            "How long the oldest event has waited to be announced",
            "How long the oldest event has waited for a consumer",
        ];
        for (name, help, label, lags) in [
            ("firstcome_outbox_lag_seconds", help[0], "role", &self.outboxes),
            ("firstcome_consumer_lag_seconds", help[1], "consumer", &self.consumers),
        ] {
            let mut descriptor = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (of, lag) in lags {
                ConstGauge::new(lag.at(now).as_secs_f64()).encode(descriptor.encode_family(&[(label, *of)])?)?;
            }
        }
        Ok(())
    }
}
