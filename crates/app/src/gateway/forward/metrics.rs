//! What the forwarder counts, and what it is like when it is asked.

use std::sync::Weak;

use firstcome_core::ports::RoleName;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::Forwarder;

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The role answered, whatever it said.
    Answered,
    /// It was sent once more.
    Repeated,
    /// No instance answered.
    Failed,
    /// No answer came in time.
    Late,
    /// Too many were under way.
    Full,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    role: &'static str,
    outcome: &'static str,
}

/// Requests by role and outcome.
#[derive(Default)]
pub(super) struct Counters(Family<Labels, Counter>);

impl Counters {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let counters = Self::default();
        let help = "Requests handed on to a role, by what came of them; `repeated` counts the second tries";
        registry.register("firstcome_gateway_forwarded", help, counters.0.clone());
        counters
    }

    pub(super) fn count(&self, role: RoleName, outcome: Outcome) {
        let outcome = match outcome {
            Outcome::Answered => "answered",
            Outcome::Repeated => "repeated",
            Outcome::Failed => "failed",
            Outcome::Late => "late",
            Outcome::Full => "full",
        };
        self.0.get_or_create(&Labels { role: role.as_str(), outcome }).inc();
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfInstance {
    role: String,
    instance: String,
}

/// The instances as they are when somebody asks.
pub(super) struct State(pub(super) Weak<Forwarder>);

impl std::fmt::Debug for State {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("State")
    }
}

/// What is measured of an instance.
type Measure = fn(&super::status::InstanceView) -> i64;

impl Collector for State {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let Some(forwarder) = self.0.upgrade() else { return Ok(()) };
        let status = forwarder.status();
        let measures: [(&str, &str, Measure); 4] = [
            ("firstcome_gateway_in_flight", "Requests under way to an instance", |view| view.in_flight as i64),
            ("firstcome_gateway_latency_microseconds", "How fast an instance answered lately", |view| {
                view.latency_micros as i64
            }),
            ("firstcome_gateway_circuit_open", "1 while an instance gets no requests because it fails", |view| {
                i64::from(view.circuit != super::Circuit::Closed)
            }),
            ("firstcome_gateway_draining", "1 while an instance finishes what it has", |view| view.draining.into()),
        ];
        for (name, help, measure) in measures {
            let mut descriptor = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for part in &status.parts {
                for view in &part.instances {
                    let labels = OfInstance { role: part.role.to_owned(), instance: view.id.clone() };
                    ConstGauge::new(measure(view)).encode(descriptor.encode_family(&labels)?)?;
                }
            }
        }
        Ok(())
    }
}
