//! Reading the journal's whole topic, as every process reads it, also while they write it.

use std::time::{Duration, Instant};

use firstcome_core::ledger::{Digest, Record};
use firstcome_core::ports::{JournalEntry, PortError};
use hashbrown::HashSet;
use rdkafka::consumer::Consumer as _;

use super::accept::Accepted;
use super::start::accept;
use super::topic::{self, JOURNAL};
use crate::kafka::KafkaOptions;
use crate::kafka::options::unavailable;

/// How long Kafka may be silent while it is read.
const SILENCE: Duration = Duration::from_secs(30);
/// Strange records that are named.
const NAMED: usize = 20;

/// What was found in the topic.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct VerifiedTopic {
    /// Records that are the journal.
    pub records: u64,
    /// Events in them.
    pub events: u64,
    /// Records that everyone skips: races that were lost, and duplicates.
    pub skipped: u64,
    /// The positions of some records that continue nothing that was ever accepted. No process writes such a record: before
    /// it something was lost or changed.
    pub strays: Vec<i64>,
}

/// Reads the topic from its beginning to what is its end now, and passes every accepted record to `visit`. Changes
/// nothing. Blocks.
pub fn verify_topic(options: &KafkaOptions, mut visit: impl FnMut(&JournalEntry)) -> Result<VerifiedTopic, PortError> {
    let consumer = topic::consumer(options)?;
    let watermarks = consumer.fetch_watermarks(&options.topic(JOURNAL), 0, SILENCE);
    let (low, high) = watermarks.map_err(|error| unavailable(&error))?;
    if low > 0 {
        let name = options.topic(JOURNAL);
        return Err(PortError::Corrupt(format!("the topic {name} begins at offset {low}: its first records are gone")));
    }
    topic::assign(&consumer, options, 0)?;
    let (mut found, mut accepted, mut known) = (VerifiedTopic::default(), Accepted::default(), Known::default());
    let (mut read, mut heard) = (0, Instant::now());
    while read < high {
        let message = match consumer.poll(Duration::from_millis(200)) {
            Some(Ok(message)) => topic::read(&message),
            Some(Err(error)) if topic::is_lost(&error) => {
                return Err(PortError::Corrupt(format!("the journal's topic cannot be read: {error}")));
            }
            _ if heard.elapsed() > SILENCE => {
                return Err(PortError::Unavailable("Kafka does not give the journal's records".to_owned()));
            }
            _ => continue,
        };
        (read, heard) = (message.position, Instant::now());
        if let Some(entry) = accept(&mut accepted, &message) {
            found.records += 1;
            found.events += entry.record.events.len() as u64;
            known.add(&entry.hash);
            visit(&entry);
        } else if let Ok(record) = Record::decode(&message.bytes) {
            found.skipped += 1;
            let explained = known.has(&record.prev) || known.has(&Record::hash(&message.bytes));
            if !explained && found.strays.len() < NAMED {
                found.strays.push(message.position);
            }
        }
    }
    Ok(found)
}

/// Hashes of accepted records, the first half of each.
#[derive(Default)]
struct Known(HashSet<u128>);

impl Known {
    fn add(&mut self, hash: &Digest) {
        self.0.insert(half(hash));
    }

    /// Nothing comes before the first record of an offer.
    fn has(&self, hash: &Digest) -> bool {
        *hash == Digest::default() || self.0.contains(&half(hash))
    }
}

fn half(hash: &Digest) -> u128 {
    let mut half = [0; 16];
    half.copy_from_slice(&hash[..16]);
    u128::from_be_bytes(half)
}
