//! The one place where ports get their adapters and roles their ports: [`embedded`] or [`cluster`], by the configuration.

#[cfg(feature = "cluster")]
pub mod cluster;
mod embedded;
mod roles;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use firstcome_app::catalog;
use firstcome_app::gateway::Protected;
use firstcome_app::payments::InvalidTossOptions;
use firstcome_app::role::Worker;
use firstcome_app::secrets::{KeyError, Keys, SealedTables, SystemRandom};
use firstcome_core::ports::{Clock as _, PortError, Records, RoleName, SystemClock};
use firstcome_core::records::Table;
use utoipa_axum::router::OpenApiRouter;

use crate::config::{Config, ConfigError, Mode};
use crate::folder::{Folder, FolderError};
use crate::front::{Front, Part};
use crate::lifecycle::Fatal;
use crate::operate::Operation;

pub use embedded::{ARCHIVE, Databases};
pub(crate) use roles::{image_options, mail_server, promises, time_zone};

/// The shop could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A database or the journal.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The payment provider's settings.
    #[error(transparent)]
    Provider(#[from] InvalidTossOptions),
    /// The settings of the provider that checks identities.
    #[error(transparent)]
    Identity(#[from] firstcome_app::accounts::InvalidPortOneOptions),
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Servers that a part of a cluster cannot run with.
    #[error("it cannot run on these servers; `firstcome doctor` shows all of it:\n  {0}")]
    Unfit(String),
}

#[cfg(not(feature = "cluster"))]
fn no_cluster() -> StartError {
    // Refused when the configuration was loaded already.
    ConfigError::Refused("this program was built without what a cluster needs".to_owned()).into()
}

/// The tables of a role.
pub fn tables(role: RoleName) -> &'static [&'static Table] {
    match role {
        RoleName::Gateway => &[],
        RoleName::Accounts => firstcome_app::accounts::TABLES,
        RoleName::Catalog => catalog::TABLES,
        RoleName::Orders => firstcome_app::orders::TABLES,
        RoleName::Payments => firstcome_app::payments::TABLES,
        RoleName::Vouchers => firstcome_app::vouchers::TABLES,
        RoleName::Notices => firstcome_app::notices::TABLES,
        RoleName::Sandbox => firstcome_app::sandbox::TABLES,
    }
}

/// Which of them have sealed columns.
pub fn sealed_tables(role: RoleName) -> SealedTables {
    match role {
        RoleName::Accounts => firstcome_app::accounts::SEALED,
        RoleName::Orders => firstcome_app::orders::SEALED,
        RoleName::Payments => firstcome_app::payments::SEALED,
        RoleName::Notices => firstcome_app::notices::SEALED,
        RoleName::Gateway | RoleName::Catalog | RoleName::Vouchers | RoleName::Sandbox => &[],
    }
}

/// Refuses keys that are not those of a role's database, of which nothing is changed.
pub async fn look_at_keys(role: RoleName, records: &dyn Records, keys: &Keys) -> Result<(), PortError> {
    match role {
        RoleName::Accounts => firstcome_app::accounts::look_at_keys(records, keys).await,
        RoleName::Orders => firstcome_app::orders::look_at_keys(records, keys).await,
        RoleName::Payments => firstcome_app::payments::look_at_keys(records, keys).await,
        RoleName::Notices => firstcome_app::notices::look_at_keys(records, keys).await,
        RoleName::Gateway | RoleName::Catalog | RoleName::Vouchers | RoleName::Sandbox => Ok(()),
    }
}

/// The keys of a data folder.
pub fn keys(path: &Path) -> Result<Arc<Keys>, KeyError> {
    Keys::load_or_create(path, &SystemRandom, SystemClock.now()).map(Arc::new)
}

/// What answers requests.
#[derive(Clone)]
pub enum Service {
    /// The whole shop: the API behind its gateway, and the pages.
    Whole(Front<Protected<axum::Router>>),
    /// Some roles of a cluster.
    Part(Part),
}

/// What a shop keeps its books in.
#[async_trait]
pub(crate) trait Storage: Send + Sync {
    /// Returns when something durable has failed for good.
    async fn failed(&self) -> Fatal;
    /// Flushes what was answered.
    async fn close(&self);
}

/// What a process of a cluster does when it is asked to stop, before it takes no more requests.
#[async_trait]
pub(crate) trait Farewell: Send + Sync {
    /// Returns when everyone knows that nothing new should come here.
    async fn say(&self);
}

/// A shop, or a part of one, ready to be served.
pub struct Shop {
    /// Every route.
    pub service: Service,
    /// Everything that runs beside the requests.
    pub workers: Vec<Worker>,
    /// Health and metrics.
    pub operation: Arc<Operation>,
    /// For the demo; only the embedded shop has one.
    pub catalog: Option<catalog::Catalog>,
    storage: Box<dyn Storage>,
    farewell: Option<Box<dyn Farewell>>,
}

impl Shop {
    /// Puts a shop together. `address` is where it will listen.
    pub async fn open(config: &Config, folder: &Folder, address: SocketAddr) -> Result<Self, StartError> {
        match config.mode()? {
            Mode::Embedded => embedded::open(config, folder, address).await,
            #[cfg(feature = "cluster")]
            Mode::Cluster(roles) => cluster::open(config, &roles, folder, address).await,
            #[cfg(not(feature = "cluster"))]
            Mode::Cluster(_) => Err(no_cluster()),
        }
    }

    /// Returns when something durable has failed for good: nothing that is answered from then on could be believed.
    pub async fn failed(&self) -> Fatal {
        self.storage.failed().await
    }

    /// Has the others send nothing new here; requests that come all the same are answered.
    pub async fn farewell(&self) {
        self.operation.ready.store(false, Ordering::Relaxed);
        if let Some(farewell) = &self.farewell {
            farewell.say().await;
        }
    }

    /// Takes no new work, flushes the lanes, and returns when everything that was answered is on the disk.
    pub async fn close(self) {
        self.operation.ready.store(false, Ordering::Relaxed);
        self.storage.close().await;
    }
}

/// All routes and the description of those that have one.
fn merge(routers: impl Iterator<Item = OpenApiRouter>) -> (axum::Router, utoipa::openapi::OpenApi) {
    routers.fold(OpenApiRouter::new(), OpenApiRouter::merge).split_for_parts()
}

#[cfg(test)]
mod tests {
    use firstcome_core::records::Kind;

    use super::*;

    #[test]
    fn whoever_seals_knows_its_keys_and_says_all_that_is_sealed() {
        for role in RoleName::ALL {
            let sealed: Vec<_> = sealed_tables(role).iter().map(|(table, _)| table.name).collect();
            assert_eq!(sealed.contains(&"key_check"), !sealed.is_empty(), "{role:?}");
            for table in tables(role) {
                let names_key = ["sealed_with", "sealing_key", "key"]
                    .into_iter()
                    .any(|name| table.columns.iter().any(|column| column.name == name && column.kind == Kind::Integer));
                assert_eq!(sealed.contains(&table.name), names_key, "{}", table.name);
            }
        }
    }

    #[test]
    fn whoever_buries_letters_is_asked_for_them() {
        for role in RoleName::ALL {
            let buries = tables(role).iter().any(|table| table.name == "dead_letters");
            assert_eq!(firstcome_app::letters::ROLES.contains(&role), buries, "{role:?}");
        }
    }
}
