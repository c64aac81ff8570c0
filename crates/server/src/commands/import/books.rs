//! What an import works on: the catalogue's database, and the journal, which it only reads.

use std::io::Write as _;
use std::sync::Arc;

use firstcome_app::catalog::Ports;
use firstcome_app::secrets::SystemRandom;
use firstcome_core::ports::{EventLog, Records, SystemClock};
use firstcome_store::sqlite::SqliteRecords;

use super::CommandError;
use super::ledger::ReadLedger;
use crate::config::{Config, Mode};
use crate::folder::{Folder, FolderError};

/// Opens them, also while a server runs.
pub(super) async fn open(config: &Config) -> Result<Ports, CommandError> {
    match config.mode()? {
        Mode::Embedded => embedded(config),
        #[cfg(feature = "cluster")]
        Mode::Cluster(_) => cluster(config).await,
        #[cfg(not(feature = "cluster"))]
        Mode::Cluster(_) => Err(CommandError::Input("this build has no cluster".to_owned())),
    }
}

fn ports(records: Arc<dyn Records>, ledger: ReadLedger, events: Arc<dyn EventLog>) -> Ports {
    Ports {
        records,
        ledger: Arc::new(ledger),
        events,
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
    }
}

fn embedded(config: &Config) -> Result<Ports, CommandError> {
    let folder = match Folder::existing(&config.server.data) {
        Err(FolderError::Missing(path)) => {
            // A shop may be filled before it is opened for the first time; a mistyped folder must be noticed.
            let folder = Folder::create(&path)?;
            if folder.is_new() {
                writeln!(std::io::stderr(), "{} is a new data folder", path.display())?;
            }
            folder
        }
        folder => folder?,
    };
    let records = SqliteRecords::open(folder.database("catalog"), firstcome_app::catalog::TABLES)?;
    let events =
        firstcome_store::sqlite::SqliteEventLog::new([(firstcome_core::events::topics::CATALOG, records.clone())]);
    Ok(ports(records, ReadLedger::open(&folder)?, events))
}

#[cfg(feature = "cluster")]
async fn cluster(config: &Config) -> Result<Ports, CommandError> {
    use firstcome_core::ports::RoleName;
    use firstcome_store::kafka::{KafkaEventLog, KafkaLedger, KafkaLedgerOptions};
    use firstcome_store::sqlite::SqliteArchive;

    use crate::wire::cluster;

    let records = cluster::records(config, RoleName::Catalog).await?;
    let kafka = cluster::kafka(config);
    let events = KafkaEventLog::new(&kafka, [firstcome_core::events::topics::CATALOG]);
    // A copy of the journal for as long as it is read.
    let folder = tempfile::tempdir()?;
    let archive = SqliteArchive::open(folder.path().join("holds.db"))?;
    let options = KafkaLedgerOptions {
        writes_archive: true,
        ..KafkaLedgerOptions::new(kafka, folder.path(), Arc::new(SystemClock), archive)
    };
    let ledger = KafkaLedger::open(options).await?;
    let read = ReadLedger::of(&*ledger).await;
    // A panic in there is only of this copy.
    let _ = tokio::task::spawn_blocking(move || ledger.close()).await;
    Ok(ports(records, read?, events))
}
