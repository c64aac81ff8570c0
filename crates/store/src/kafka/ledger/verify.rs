//! Reading the journal's whole topic, as every process reads it, also while they write it.

use std::time::Duration;

use firstcome_core::ledger::{Digest, Record};
use firstcome_core::ports::{JournalEntry, PortError};
use hashbrown::HashSet;

use super::accept::Accepted;
use super::start::accept;
use super::topic::{self, Catching};
use crate::kafka::KafkaOptions;

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
    let consumer = topic::consumer(options, Duration::ZERO)?;
    let mut topic = Catching::up(&consumer, options)?;
    topic.from(0)?;
    let (mut found, mut accepted, mut known) = (VerifiedTopic::default(), Accepted::default(), Known::default());
    let mut read = 0;
    while read < topic.end {
        let message = topic.next()?;
        read = message.position;
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
