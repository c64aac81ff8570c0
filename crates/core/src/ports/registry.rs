//! Which processes are there, and what each does.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::PortError;
use crate::text_enum;
use crate::time::Time;

text_enum! {
    /// A part of the shop, as `--roles` names it.
    pub enum RoleName {
        /// Checks who calls, limits, forwards, and serves the pages.
        Gateway = "gateway",
        /// Users, sessions, tokens.
        Accounts = "accounts",
        /// Products and offers.
        Catalog = "catalog",
        /// Orders and their refunds.
        Orders = "orders",
        /// Money.
        Payments = "payments",
        /// What is delivered.
        Vouchers = "vouchers",
        /// What the seller's systems are told.
        Notices = "notices",
        /// The payment provider for development.
        Sandbox = "sandbox",
    }
}

impl RoleName {
    /// Every role.
    pub const ALL: [Self; 8] = [
        Self::Gateway,
        Self::Accounts,
        Self::Catalog,
        Self::Orders,
        Self::Payments,
        Self::Vouchers,
        Self::Notices,
        Self::Sandbox,
    ];
}

/// What waits in a process, as it says itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Load {
    /// Commands that wait for the ledger.
    pub commands: u64,
    /// Whether the ledger can decide nothing at the moment.
    pub stuck: bool,
    /// How long the oldest event of its roles has waited to be announced, in milliseconds.
    pub outbox_millis: u64,
    /// How long the oldest event of others has waited for one of its consumers, in milliseconds.
    pub consumers_millis: u64,
}

/// A process that runs roles.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Instance {
    /// Its name; no two that run at once have the same.
    pub id: String,
    /// Where the others reach it: `host:port`.
    pub address: String,
    /// What it runs.
    pub roles: Vec<RoleName>,
    /// Whether it finishes what it has and takes nothing new.
    pub draining: bool,
    /// When it started, so that one that was started again is not taken for the one before.
    pub started_at: Time,
    /// What waits in it.
    #[serde(default)]
    pub load: Load,
}

/// Tells the processes of a shop of each other.
///
/// - An instance is listed from the moment that [`Registry::announce`] has answered, as it announced itself last.
/// - It is listed no longer than the registry's expiry after it last announced itself, and not at all after
///   [`Registry::withdraw`], until it announces itself again.
/// - What is listed may be late, and a registry may forget everything: whoever forwards keeps what it knew, and believes
///   a connection that is refused before it believes a list.
#[async_trait]
pub trait Registry: Send + Sync + 'static {
    /// This instance is alive.
    async fn announce(&self, instance: &Instance) -> Result<(), PortError>;
    /// The instance of this id has ended.
    async fn withdraw(&self, id: &str) -> Result<(), PortError>;
    /// Every instance that is alive, by id.
    async fn instances(&self) -> Result<Vec<Instance>, PortError>;
}
