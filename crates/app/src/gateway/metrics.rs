//! How long ago the gateway heard from each source who was logged out.

use std::sync::{Arc, Weak};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::Gateway;

struct Heard(Weak<Gateway>);

impl std::fmt::Debug for Heard {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Heard")
    }
}

impl Gateway {
    /// Adds what the gateway measures.
    pub fn register(self: &Arc<Self>, metrics: &mut Registry) {
        metrics.register_collector(Box::new(Heard(Arc::downgrade(self))));
    }
}

impl Collector for Heard {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let Some(gateway) = self.0.upgrade() else { return Ok(()) };
        let (name, help) = (
            "firstcome_gateway_log_outs_age_seconds",
            "How long ago a source had told every log-out; above 1 for all of them, tokens are refused",
        );
        let mut descriptor = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        let sources =
            [("marks", &gateway.marks.freshness), ("topic", &gateway.follower.freshness), ("accounts", &gateway.asked)];
        for (source, freshness) in sources {
            let age = ConstGauge::new(freshness.age().as_secs_f64());
            age.encode(descriptor.encode_family(&[("source", source)])?)?;
        }
        Ok(())
    }
}
