//! The processes of every role, as the gateway that answers sees them.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use firstcome_core::time::Time;
use serde::Deserialize;

use crate::pages::api::Call;
use crate::pages::failure::Failure;
use crate::pages::respond::html;
use crate::pages::visitor::Visitor;

#[derive(Deserialize)]
struct Cluster {
    parts: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    role: String,
    free_places: i64,
    instances: Vec<Instance>,
}

#[derive(Deserialize)]
struct Instance {
    id: String,
    started_at: Time,
    draining: bool,
    circuit: String,
    in_flight: i64,
    latency_micros: i64,
    waiting_commands: i64,
    ledger_stuck: bool,
    outbox_lag_millis: i64,
    consumer_lag_millis: i64,
}

impl Instance {
    /// The text of its state, and the class that colours it.
    fn state(&self) -> (&'static str, &'static str) {
        match self.circuit.as_str() {
            "closed" if self.ledger_stuck => ("cluster-stuck", "state-frozen"),
            "closed" if self.draining => ("cluster-draining", "state-upcoming"),
            "closed" => ("cluster-well", "state-open"),
            "half_open" => ("cluster-trying", "state-upcoming"),
            _ => ("cluster-failing", "state-frozen"),
        }
    }
}

#[derive(Template)]
#[template(path = "admin/cluster.html")]
struct Page<'a> {
    page: &'a Visitor,
    parts: Vec<Part>,
}

/// `GET /admin/cluster`
pub(super) async fn show(visitor: Visitor) -> Result<Response, Failure> {
    let cluster: Cluster = visitor.ask(Call::get("/admin/cluster")).await?;
    Ok(html(&visitor, StatusCode::OK, &Page { page: &visitor, parts: cluster.parts }))
}
