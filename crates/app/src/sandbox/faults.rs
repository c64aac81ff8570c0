//! Scripted faults: what goes wrong, when, and how often. Kept in memory; a restart has none.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use firstcome_core::ports::{Random, random_bytes};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// What a rule is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum On {
    Confirm,
    Lookup,
    Cancel,
    Webhook,
    Transactions,
}

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// It takes `delay_ms` longer.
    Delay,
    /// It is done, and the connection breaks before the answer.
    AnswerLost,
    /// It is not done, and 500 is answered.
    #[serde(rename = "error_500")]
    Error500,
    /// It is refused with `code`.
    Decline,
    /// The notice is never sent.
    Drop,
    /// The notice is sent twice.
    Duplicate,
    /// The notice arrives before the answer that it is about.
    Early,
}

/// One rule.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub(super) on: On,
    pub(super) kind: Kind,
    /// From 0 to 1.
    #[serde(default = "always")]
    pub(super) probability: f64,
    /// How often it strikes at most.
    #[serde(default)]
    pub(super) times: Option<u32>,
    #[serde(default)]
    pub(super) delay_ms: u64,
    #[serde(default = "declined_card")]
    pub(super) code: String,
}

fn always() -> f64 {
    1.0
}

fn declined_card() -> String {
    "REJECT_CARD_PAYMENT".to_owned()
}

/// What goes wrong with one call: all delays together, and the first other fault that struck.
#[derive(Clone, Debug, Default)]
pub(super) struct Fault {
    pub(super) delay: Duration,
    pub(super) kind: Option<Kind>,
    pub(super) code: String,
}

/// The rules in force.
pub(super) struct Faults {
    rules: Mutex<Vec<Rule>>,
    random: Arc<dyn Random>,
}

impl Faults {
    pub(super) fn new(random: Arc<dyn Random>) -> Self {
        Self { rules: Mutex::default(), random }
    }

    pub(super) fn replace(&self, rules: Vec<Rule>) {
        *self.rules.lock() = rules;
    }

    /// What strikes this call.
    pub(super) fn strike(&self, on: On) -> Fault {
        let mut fault = Fault::default();
        for rule in self.rules.lock().iter_mut().filter(|rule| rule.on == on && rule.times != Some(0)) {
            let taken = rule.kind != Kind::Delay && fault.kind.is_some();
            if taken || !self.happens(rule.probability) {
                continue;
            }
            rule.times = rule.times.map(|left| left - 1);
            if rule.kind == Kind::Delay {
                fault.delay += Duration::from_millis(rule.delay_ms);
            } else {
                fault.kind = Some(rule.kind);
                fault.code.clone_from(&rule.code);
            }
        }
        fault
    }

    fn happens(&self, probability: f64) -> bool {
        if probability >= 1.0 {
            return true;
        }
        let drawn = u32::from_be_bytes(random_bytes::<4>(&*self.random));
        f64::from(drawn) / f64::from(u32::MAX) < probability
    }
}

/// An answer that never arrives: its body fails before a byte of it is written, upon which the server drops the
/// connection with the head still unsent.
pub(super) fn broken_connection() -> Response {
    let failing = futures_util::stream::once(async { Err::<bytes::Bytes, _>(std::io::Error::other("answer lost")) });
    Response::new(Body::from_stream(failing))
}
