//! The sandbox: a payment provider that speaks the Toss Payments core API, for development, tests and rehearsals.
//!
//! A role of its own that knows nothing of the shop: it is reached over HTTP only, with the secret key, like the real
//! one, and keeps what it believes in its own database. Faults can be scripted (see [`faults`]); notices go to the
//! shop's webhook (see [`webhooks`]). Amounts are whole units of their currency. Beside it, it checks who people are
//! ([`identity`]).

mod api;
mod checkout;
mod controls;
mod error;
mod faults;
pub mod identity;
mod masked;
mod object;
mod rows;
mod store;
#[cfg(test)]
mod tests;
mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post, put};
use firstcome_core::ports::{Clock, Random, Records};
use firstcome_core::records::{Record, Table};
use secrecy::SecretString;
use utoipa_axum::router::OpenApiRouter;

use crate::role::Role;
use faults::Faults;
use identity::SandboxIdentity;
use rows::{SandboxPayment, SandboxReceipt, SandboxTransaction};
use store::Store;
use webhooks::Webhooks;

/// The tables of the role's database.
pub const TABLES: &[&Table] =
    &[SandboxPayment::TABLE, SandboxTransaction::TABLE, SandboxReceipt::TABLE, SandboxIdentity::TABLE];
/// The secret key of a sandbox in development.
pub const DEVELOPMENT_SECRET_KEY: &str = "test_sk_firstcome_sandbox";
/// Where the sandbox is mounted: the provider's address, as the client takes it, ends with this.
pub const PREFIX: &str = "/sandbox/toss";

/// How the sandbox behaves.
pub struct Options {
    /// The secret key that callers must know.
    pub secret_key: SecretString,
    /// Where notices go; none are sent without it.
    pub webhook_url: Option<String>,
    /// How long a payment may wait for its confirmation.
    pub confirm_within: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            secret_key: SecretString::from(DEVELOPMENT_SECRET_KEY),
            webhook_url: None,
            confirm_within: Duration::from_secs(10 * 60),
        }
    }
}

/// What the sandbox needs of the outside.
pub struct Ports {
    /// Its own database, with [`TABLES`].
    pub records: Arc<dyn Records>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance, for keys and for faults with a probability.
    pub random: Arc<dyn Random>,
}

/// The sandbox, shared by its endpoints.
struct Sandbox {
    store: Store,
    faults: Faults,
    webhooks: Webhooks,
    secret_key: SecretString,
    confirm_within: Duration,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

/// Makes the role. Its routes stay out of the shop's OpenAPI document: they are the provider's, not the shop's.
pub fn create(options: Options, ports: Ports) -> Role {
    let (webhooks, worker) = Webhooks::new(options.webhook_url, Arc::clone(&ports.clock));
    let sandbox = Arc::new(Sandbox {
        store: Store::new(ports.records),
        faults: Faults::new(Arc::clone(&ports.random)),
        webhooks,
        secret_key: options.secret_key,
        confirm_within: options.confirm_within,
        clock: ports.clock,
        random: ports.random,
    });
    Role { name: "sandbox", router: OpenApiRouter::from(router(sandbox)), workers: vec![worker], letters: None }
}

fn router(sandbox: Arc<Sandbox>) -> Router {
    let routes = Router::new()
        .route("/v1/payments/confirm", post(api::confirm::confirm))
        .route("/v1/payments/{payment_key}", get(api::lookup::by_key))
        .route("/v1/payments/orders/{order_id}", get(api::lookup::by_order))
        .route("/v1/payments/{payment_key}/cancel", post(api::cancel::cancel))
        .route("/v1/virtual-accounts", post(api::virtual_account::open))
        .route("/v1/cash-receipts", post(api::receipt::issue))
        .route("/v1/cash-receipts/{receipt_key}/cancel", post(api::receipt::cancel))
        .route("/v1/test/deposits", post(controls::deposit::deposit))
        .route("/v1/test/cash-receipts", get(controls::receipts::list))
        .route("/v1/transactions", get(api::transactions::list))
        .route("/v1/test/payments", post(controls::pay::pay).get(controls::list::list))
        .route("/v1/test/faults", put(controls::rules::replace))
        .route("/checkout", get(checkout::page::show))
        .route("/checkout/style.css", get(checkout::page::style))
        .route("/checkout/deposit", get(checkout::deposit::show).post(checkout::deposit::pay))
        .route("/checkout/{decision}", post(checkout::decide::decide))
        .with_state(Arc::clone(&sandbox));
    Router::new().nest(PREFIX, routes).merge(identity::router(sandbox))
}
