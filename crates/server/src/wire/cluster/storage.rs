//! What the roles of a process keep their books in.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use firstcome_app::heartbeat::Measure;
use firstcome_app::role::{Worker, WorkerFailed};
use firstcome_core::events::topics;
use firstcome_core::lag::Lag;
use firstcome_core::ports::{Load, PortError, Records, RoleName, StockLedger, SystemClock};
use firstcome_store::kafka::{KafkaEventLog, KafkaLedger, KafkaLedgerOptions, Relay};
use firstcome_store::redis::turns::RedisTurns;
use firstcome_store::sql::SqlRecords;
use firstcome_store::sqlite::SqliteArchive;

use super::outside;
use crate::config::Config;
use crate::folder::Folder;
use crate::lifecycle::Fatal;
use crate::metrics::{Lags, LedgerFigures, LedgerMetrics};
use crate::wire::{ARCHIVE, Storage};

/// Roles that decide in the ledger or read its journal.
pub(super) const WITH_LEDGER: [RoleName; 4] =
    [RoleName::Catalog, RoleName::Orders, RoleName::Payments, RoleName::Vouchers];
/// Of these, those whose commands buyers wait for.
const HURRIED: [RoleName; 2] = [RoleName::Orders, RoleName::Payments];
/// How long the others may be behind, so that their reading costs less.
const LEISURE: Duration = Duration::from_millis(20);

/// How long a lane that died keeps its turn.
const TURN: Duration = Duration::from_millis(100);

/// The ledger with its archive, which is a cache in the process' own folder.
pub(super) struct Ledger {
    pub(super) ledger: Arc<KafkaLedger>,
    pub(super) archive: Arc<SqliteArchive>,
}

impl Ledger {
    /// Opens the ledger. What it keeps in the folder repeats the journal: what is damaged there is made again.
    async fn open(config: &Config, roles: &[RoleName], folder: &Folder, lane: &str) -> Result<Self, PortError> {
        match Self::try_open(config, roles, folder, lane).await {
            Err(PortError::Corrupt(reason)) if folder.put_copies_aside()? => {
                tracing::error!(reason, "the local copies are damaged; they are put aside and made again from Kafka");
                Self::try_open(config, roles, folder, lane).await
            }
            opened => opened,
        }
    }

    async fn try_open(config: &Config, roles: &[RoleName], folder: &Folder, lane: &str) -> Result<Self, PortError> {
        let archive = SqliteArchive::open(folder.database(ARCHIVE))?;
        let clock = Arc::new(SystemClock);
        let turns = RedisTurns::new(outside::redis(config)?, lane, TURN);
        let options = KafkaLedgerOptions {
            // Where orders runs, its projection writes it.
            turns: Some(Arc::new(turns)),
            writes_archive: !roles.contains(&RoleName::Orders),
            leisure: if roles.iter().any(|role| HURRIED.contains(role)) { Duration::ZERO } else { LEISURE },
            ..KafkaLedgerOptions::new(outside::kafka(config), folder.path(), clock, archive.clone())
        };
        Ok(Self { ledger: KafkaLedger::open(options).await?, archive })
    }

    pub(super) fn metrics(&self) -> LedgerMetrics {
        let ledger = self.ledger.clone();
        LedgerMetrics(Box::new(move || LedgerFigures {
            work: ledger.work(),
            holds: ledger.holds_in_memory(),
            stuck: ledger.trouble().is_some(),
            races_lost: Some(ledger.races_lost()),
        }))
    }
}

/// Everything that the roles of a process keep their books in.
pub(super) struct Servers {
    databases: HashMap<RoleName, Arc<SqlRecords>>,
    pub(super) events: Arc<KafkaEventLog>,
    pub(super) ledger: Option<Ledger>,
}

impl Servers {
    /// Opens what these roles need. `name` is that of this process among the others.
    pub(super) async fn open(
        config: &Config,
        roles: &[RoleName],
        folder: &Folder,
        name: &str,
    ) -> Result<Self, PortError> {
        let mut databases = HashMap::new();
        for role in roles.iter().filter(|role| **role != RoleName::Gateway) {
            databases.insert(*role, outside::records(config, *role).await?);
        }
        let events = KafkaEventLog::new(&outside::kafka(config), topics::ALL);
        let needed = roles.iter().any(|role| WITH_LEDGER.contains(role));
        let ledger = if needed { Some(Ledger::open(config, roles, folder, name).await?) } else { None };
        Ok(Self { databases, events, ledger })
    }

    /// What carries the outbox of each role of this process to Kafka, and how far behind each is.
    pub(super) fn relays(&self, config: &Config) -> (Vec<Worker>, Vec<(&'static str, Lag)>) {
        let kafka = outside::kafka(config);
        let relays = topics::ALL.into_iter().filter_map(|topic| {
            let records = self.databases.get(&topic.parse().ok()?)?;
            let relay = Relay::new(kafka.clone(), topic, records.clone());
            let lag = relay.lag();
            let worker = Worker::new("relay", move |stop| async move {
                match stop.run_until_cancelled(relay.run()).await {
                    None => Ok(()),
                    Some(error) => Err(WorkerFailed(format!("events of {topic}: {error}"))),
                }
            });
            Some((worker, (topic, lag)))
        });
        relays.unzip()
    }

    /// What waits in this process, for its signs of life.
    pub(super) fn load(&self, lags: Lags) -> Measure {
        let ledger = self.ledger.as_ref().map(|Ledger { ledger, .. }| ledger.clone());
        Box::new(move || Load {
            commands: ledger.as_ref().map_or(0, |ledger| ledger.work().waiting),
            stuck: ledger.as_ref().is_some_and(|ledger| ledger.trouble().is_some()),
            outbox_millis: lags.longest(&lags.outboxes).as_millis() as u64,
            consumers_millis: lags.longest(&lags.consumers).as_millis() as u64,
        })
    }

    /// The database of a role of this process.
    pub(super) fn records(&self, role: RoleName) -> Arc<dyn Records> {
        self.databases.get(&role).expect("opened for every role of this process").clone()
    }

    /// The ledger, for a role that needs one.
    pub(super) fn ledger(&self) -> Arc<dyn StockLedger> {
        self.ledger.as_ref().expect("opened for every role that needs it").ledger.clone()
    }
}

#[async_trait]
impl Storage for Servers {
    async fn failed(&self) -> Fatal {
        let databases = self.databases.iter().map(|(role, records)| {
            Box::pin(async move {
                Fatal { name: format!("the database of {}", role.as_str()), why: records.failed().await.to_string() }
            })
        });
        let databases = async {
            // Nothing can be waited for among none.
            if self.databases.is_empty() {
                return std::future::pending().await;
            }
            futures_util::future::select_all(databases).await.0
        };
        let ledger = async {
            match &self.ledger {
                Some(Ledger { ledger, .. }) => ledger.failed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            fatal = databases => fatal,
            error = ledger => Fatal { name: "the journal".to_owned(), why: error.to_string() },
        }
    }

    async fn close(&self) {
        let Some(Ledger { ledger, .. }) = &self.ledger else { return };
        let ledger = ledger.clone();
        // A panic in there has marked the ledger as failed, which ends the process by itself.
        let _ = tokio::task::spawn_blocking(move || ledger.close()).await;
    }
}
