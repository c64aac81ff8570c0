//! Where a shop's data is: in a folder, or on the servers of a cluster. For the commands that work on it beside the shop,
//! whether it runs or not.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use firstcome_app::secrets::Keys;
use firstcome_core::ports::{EventLog, JournalEntry, PortError, Records, RoleName};
use firstcome_store::sqlite::ledger::{VerifyError, verify_journal};
use firstcome_store::sqlite::{SqliteEventLog, SqliteRecords};

use crate::commands::CommandError;
use crate::config::{Config, Mode};
use crate::folder::Folder;
use crate::wire::{self, StartError};

/// Where the data is.
#[derive(Debug, Clone)]
pub enum Place {
    /// In a folder.
    Folder(Folder),
    /// On the servers that this configuration names.
    #[cfg(feature = "cluster")]
    Cluster(Arc<Config>),
}

/// What was read of a journal.
#[derive(Debug, Clone, Default)]
pub struct JournalRead {
    /// Records.
    pub records: u64,
    /// Whether nobody can tell that its end is its end.
    pub witness_missing: bool,
    /// Where records were found that continue nothing.
    pub strays: Vec<i64>,
}

impl Place {
    /// How far the clocks of those who write the journal may be off.
    pub fn clock_doubt(&self) -> Duration {
        match self {
            Self::Folder(_) => Duration::ZERO,
            #[cfg(feature = "cluster")]
            Self::Cluster(_) => firstcome_store::kafka::SKEW,
        }
    }

    /// The place that a configuration names; a folder must be there.
    pub fn existing(config: Config) -> Result<Self, CommandError> {
        Ok(match config.mode()? {
            Mode::Embedded => Self::Folder(Folder::existing(&config.server.data)?),
            #[cfg(feature = "cluster")]
            Mode::Cluster(_) => Self::Cluster(Arc::new(config)),
            #[cfg(not(feature = "cluster"))]
            Mode::Cluster(_) => return Err(CommandError::Input("a cluster needs the feature `cluster`".to_owned())),
        })
    }

    /// The folder, if the data is in one.
    pub fn folder(&self) -> Option<&Folder> {
        match self {
            Self::Folder(folder) => Some(folder),
            #[cfg(feature = "cluster")]
            Self::Cluster(_) => None,
        }
    }

    /// The database of a role.
    #[cfg_attr(not(feature = "cluster"), expect(clippy::unused_async, reason = "a server is waited for"))]
    pub async fn records(&self, role: RoleName) -> Result<Arc<dyn Records>, PortError> {
        match self {
            Self::Folder(folder) => Ok(SqliteRecords::open(folder.database(role.as_str()), wire::tables(role))?),
            #[cfg(feature = "cluster")]
            Self::Cluster(config) => Ok(wire::cluster::records(config, role).await?),
        }
    }

    /// Whether the role has a database here: a cluster's configuration may leave out roles that it does not run.
    #[cfg_attr(not(feature = "cluster"), expect(unused_variables, reason = "a folder has them all"))]
    pub fn has(&self, role: RoleName) -> bool {
        match self {
            Self::Folder(_) => true,
            #[cfg(feature = "cluster")]
            Self::Cluster(config) => config.databases.of(role).is_some(),
        }
    }

    /// The keys that sign tokens and encrypt what is personal.
    pub fn keys(&self) -> Result<Arc<Keys>, CommandError> {
        let keys = match self {
            Self::Folder(folder) => wire::keys(folder.path()),
            #[cfg(feature = "cluster")]
            Self::Cluster(config) => wire::cluster::keys(config),
        };
        Ok(keys.map_err(StartError::from)?)
    }

    /// The folder of the keys.
    pub fn keys_folder(&self) -> PathBuf {
        match self {
            Self::Folder(folder) => folder.path().join("keys"),
            #[cfg(feature = "cluster")]
            Self::Cluster(config) => config.cluster.keys.clone().expect("the configuration was checked"),
        }
    }

    /// A log of nothing, for a role that only writes here.
    pub fn no_events() -> Arc<dyn EventLog> {
        SqliteEventLog::new([])
    }

    /// Whether there is a journal: where no server ran nothing was sold.
    pub fn has_journal(&self) -> bool {
        self.folder().is_none_or(|folder| folder.database("journal").exists())
    }

    /// Reads the journal whole, also while a server writes it; the error names the place. Blocks.
    pub fn read_journal(&self, mut visit: impl FnMut(&JournalEntry)) -> Result<JournalRead, String> {
        match self {
            Self::Folder(folder) => {
                let visit = |entry: &JournalEntry| {
                    visit(entry);
                    Ok(())
                };
                let read = verify_journal(folder.path(), visit).map_err(|error: VerifyError| error.to_string())?;
                Ok(JournalRead { records: read.records, witness_missing: read.witness_missing, strays: Vec::new() })
            }
            #[cfg(feature = "cluster")]
            Self::Cluster(config) => {
                let read = firstcome_store::kafka::ledger::verify_topic(&wire::cluster::kafka(config), visit);
                let read = read.map_err(|error| error.to_string())?;
                Ok(JournalRead { records: read.records, witness_missing: false, strays: read.strays })
            }
        }
    }
}
