//! `PUT /v1/test/faults`: replaces the rules by which things go wrong.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use crate::sandbox::Sandbox;
use crate::sandbox::error::{ApiError, parse};
use crate::sandbox::faults::Rule;

/// Rules that may be in force together.
const MAX_RULES: usize = 100;
/// The longest delay.
const MAX_DELAY_MS: u64 = 10 * 60 * 1000;

/// All rules.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::sandbox) struct Rules {
    rules: Vec<Rule>,
}

/// Replaces the rules; an empty list ends every fault.
pub(in crate::sandbox) async fn replace(
    State(sandbox): State<Arc<Sandbox>>,
    body: Bytes,
) -> Result<Json<Rules>, ApiError> {
    let rules: Rules = parse(&body)?;
    let sound = |rule: &Rule| (0.0..=1.0).contains(&rule.probability) && rule.delay_ms <= MAX_DELAY_MS;
    if rules.rules.len() > MAX_RULES || !rules.rules.iter().all(sound) {
        return Err(ApiError::invalid("probability는 0 이상 1 이하, delay_ms는 600000 이하여야 합니다."));
    }
    sandbox.faults.replace(rules.rules.clone());
    Ok(Json(rules))
}
