//! What the commands beside a server work on: the same books, by the same configuration.

use std::sync::Arc;

use firstcome_app::secrets::Keys;
use firstcome_core::ports::{Records, RoleName};
use firstcome_store::sqlite::SqliteRecords;

use super::StartError;
use crate::config::{Config, Mode};
use crate::folder::Folder;

/// The database of a role, also while a server runs on it.
pub async fn records(config: &Config, role: RoleName) -> Result<Arc<dyn Records>, StartError> {
    match config.mode()? {
        Mode::Embedded => {
            let folder = Folder::existing(&config.server.data)?;
            Ok(SqliteRecords::open(folder.database(role.as_str()), super::tables(role))?)
        }
        #[cfg(feature = "cluster")]
        Mode::Cluster(_) => Ok(super::cluster::records(config, role).await?),
        #[cfg(not(feature = "cluster"))]
        Mode::Cluster(_) => Err(super::no_cluster()),
    }
}

/// The keys.
pub fn keys(config: &Config) -> Result<Arc<Keys>, StartError> {
    match config.mode()? {
        Mode::Embedded => Ok(super::keys(Folder::existing(&config.server.data)?.path())?),
        #[cfg(feature = "cluster")]
        Mode::Cluster(_) => Ok(super::cluster::keys(config)?),
        #[cfg(not(feature = "cluster"))]
        Mode::Cluster(_) => Err(super::no_cluster()),
    }
}
