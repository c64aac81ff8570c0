//! What a ledger on Kafka is opened with.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use firstcome_core::ports::{Clock, HoldArchive};

use super::Turns;
use crate::kafka::KafkaOptions;

/// How far the clocks of processes and brokers may be apart, unless told otherwise.
pub const SKEW: Duration = Duration::from_secs(1);

/// What a [`super::KafkaLedger`] is opened with. The numbers bound memory and time; [`KafkaLedgerOptions::new`] has good
/// ones.
#[derive(Clone)]
pub struct KafkaLedgerOptions {
    /// Where the journal is.
    pub kafka: KafkaOptions,
    /// Where the local copy of the journal is; created when it does not exist. One process at a time.
    pub directory: PathBuf,
    /// The ledger's clock.
    pub clock: Arc<dyn Clock>,
    /// Where settled holds are found, and what a start begins from. This process' own.
    pub archive: Arc<dyn HoldArchive>,
    /// Whether the ledger writes its archive itself. Where the orders role runs, that role does.
    pub writes_archive: bool,
    /// Advice on whose turn it is, if there is any.
    pub turns: Option<Arc<dyn Turns>>,
    /// Races that one process loses in a row before it and the other ask for turns.
    pub races_in_a_row: u32,
    /// Commands that may wait for one offer; one more is refused at once.
    pub queue: usize,
    /// Commands that may wait for all offers together.
    pub queue_total: usize,
    /// Commands decided in one record at most.
    pub batch: usize,
    /// How long an engine waits at most until as many commands of an offer are there as in its last record.
    pub gather: Duration,
    /// Events kept in memory for those who follow the journal.
    pub recent_events: usize,
    /// How long Kafka may wait with what it has for this process until there is more. Each answer costs both the same,
    /// whether it has one record or a hundred. Zero where commands wait for what is read; elsewhere they wait so much longer.
    pub leisure: Duration,
    /// How long a command waits for Kafka at most before it is answered that its fate is not known.
    pub patience: Duration,
    /// How far this machine's clock and the brokers' may be apart; none for a clock that is not real. Holds are released
    /// so much after their deadline, so that none ends early by the brokers' clock.
    pub skew: Option<Duration>,
    /// And up to so much later, each process at another moment, so that they do not race.
    pub jitter: Duration,
}

impl KafkaLedgerOptions {
    /// Options with the usual bounds.
    pub fn new(
        kafka: KafkaOptions,
        directory: impl Into<PathBuf>,
        clock: Arc<dyn Clock>,
        archive: Arc<dyn HoldArchive>,
    ) -> Self {
        Self {
            kafka,
            directory: directory.into(),
            clock,
            archive,
            writes_archive: false,
            turns: None,
            races_in_a_row: 8,
            queue: 8_192,
            queue_total: 32_768,
            batch: 1_024,
            gather: Duration::from_millis(5),
            recent_events: 65_536,
            leisure: Duration::ZERO,
            patience: Duration::from_secs(3),
            skew: Some(SKEW),
            jitter: Duration::from_millis(50),
        }
    }
}
