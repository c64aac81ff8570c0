//! Counters of what is sent out and tried again until it arrives.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

/// What became of tries, resolved once.
#[derive(Default)]
pub(crate) struct Tries {
    pub(crate) delivered: Counter,
    pub(crate) postponed: Counter,
    pub(crate) given_up: Counter,
}

impl Tries {
    /// Counts under `firstcome_NAME_...`. `what` says to people what is sent, and to whom.
    pub(crate) fn register(registry: &mut Registry, name: &str, what: &str) -> Self {
        let tries = Self::default();
        let counters = [
            ("delivered", "that arrived", &tries.delivered),
            ("postponed", "of which a try failed and is made again", &tries.postponed),
            ("given_up", "that are not delivered", &tries.given_up),
        ];
        for (ending, help, counter) in counters {
            registry.register(format!("firstcome_{name}_{ending}"), format!("{what} {help}"), counter.clone());
        }
        tries
    }
}
