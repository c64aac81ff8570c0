//! Starting: the local copy is compared with the topic and brought up to its end, the archive follows, and every offer
//! begins from there.
//!
//! A copy that reaches further than the topic is refused: the topic has lost its end, or was made anew, and what only the
//! copy has was answered to somebody. A copy whose last record is not what the topic has at that place is put aside, and an
//! archive that does not match the copy is thrown away: loudly, and then made again.

use std::fs::File;
use std::sync::Arc;

use firstcome_core::ids::OfferNumber;
use firstcome_core::ledger::Record;
use firstcome_core::ports::{JournalEntry, PortError};
use hashbrown::HashMap;
use rdkafka::consumer::BaseConsumer;

use super::KafkaLedgerOptions;
use super::accept::{Accepted, Tail};
use super::copy::rows;
use super::inbox::Read;
use super::topic::{self, Catching};
use crate::lane::Lane;
use crate::sqlite::ledger::{Files, Head, WriteError, Writer, catch_up, check_archive, lock, restore, unusable};
use crate::sqlite::put_aside;

/// Records written to the copy together.
const CHUNK: usize = 512;

/// What a ledger starts with.
pub(super) struct Started {
    pub(super) lock: File,
    pub(super) files: Files,
    pub(super) writer: Writer,
    pub(super) head: Head,
    pub(super) lanes: HashMap<OfferNumber, Arc<Lane>>,
    pub(super) accepted: Accepted,
    /// Stands behind the last message that was taken.
    pub(super) consumer: BaseConsumer,
}

pub(super) fn start(options: &KafkaLedgerOptions) -> Result<Started, PortError> {
    std::fs::create_dir_all(&options.directory).map_err(|error| unusable(&options.directory, &error))?;
    let files = Files::in_directory(&options.directory);
    let lock = lock(&files.lock)?;
    let consumer = topic::consumer(&options.kafka, options.leisure)?;
    let topic = Catching::up(&consumer, &options.kafka)?;
    let (writer, head, accepted) = Mirror { files: &files, topic }.run()?;
    let reader = writer.reader();
    let archive = options.archive.as_ref();
    if let Err(error) = check_archive(&files, &reader, archive.head()?) {
        tracing::error!(%error, "the archive does not match the journal in Kafka; it is made again");
        archive.clear()?;
    }
    catch_up(&files, &reader, archive.head()?.position, archive)?;
    let lanes = restore(&files, &reader, archive)?;
    Ok(Started { lock, files, writer, head, lanes, accepted, consumer })
}

/// Brings the copy up to the topic's end.
struct Mirror<'a> {
    files: &'a Files,
    topic: Catching<'a>,
}

impl Mirror<'_> {
    fn run(&mut self) -> Result<(Writer, Head, Accepted), PortError> {
        let mut writer = match self.open() {
            Ok(writer) => writer,
            Err(error) => self.anew(&error.to_string())?,
        };
        let mut head = self.head(&writer)?;
        self.refuse_loss(head)?;
        if let Some(difference) = self.difference(&writer, head)? {
            drop(writer);
            writer = self.anew(&difference)?;
            head = Head::default();
        }
        if head.position == 0 {
            self.topic.from(0)?;
        }
        let tails = writer.reader().tails().map_err(|error| self.files.unreadable(&error))?;
        let tails = tails.into_iter().map(|(offer, seq, hash)| (offer, Tail { hash, seq }));
        let mut accepted = Accepted::new(tails);
        let head = self.fill(&mut writer, head, &mut accepted)?;
        Ok((writer, head, accepted))
    }

    fn refuse_loss(&self, head: Head) -> Result<(), PortError> {
        if head.position <= self.topic.end {
            return Ok(());
        }
        Err(PortError::Lost(format!(
            "the journal in Kafka ends at position {}, and {} has records up to {}: the topic has lost its end, or was \
             made anew. Restore it. Only if what it lost is to be given up, move that file away in every process' folder",
            self.topic.end,
            self.files.journal.display(),
            head.position
        )))
    }

    fn open(&self) -> Result<Writer, PortError> {
        Writer::open_copy(&self.files.journal).map_err(|error| self.files.unreadable(&error))
    }

    fn anew(&self, reason: &str) -> Result<Writer, PortError> {
        let kept = put_aside(&self.files.journal)?.unwrap_or_default();
        let (made, kept) = (self.files.journal.display(), kept.display());
        tracing::error!(reason, %made, %kept, "the local copy of the journal is put aside and made again from Kafka");
        self.open()
    }

    fn head(&self, writer: &Writer) -> Result<Head, PortError> {
        let reader = writer.reader();
        let head = reader.last_position().and_then(|position| reader.head_at(position));
        Ok(head.map_err(|error| self.files.unreadable(&error))?.unwrap_or_default())
    }

    /// How the topic differs from the copy at the copy's last record. Leaves the consumer behind that record.
    fn difference(&mut self, writer: &Writer, head: Head) -> Result<Option<String>, PortError> {
        if head.position == 0 {
            return Ok(None);
        }
        let row = writer.reader().at(head.position).map_err(|error| self.files.unreadable(&error))?;
        self.topic.from(head.position - 1)?;
        let message = self.topic.next()?;
        let same = message.position == head.position && row.is_some_and(|row| Record::hash(&message.bytes) == row.hash);
        Ok((!same).then(|| format!("the topic has another record at position {}", head.position)))
    }

    fn fill(&mut self, writer: &mut Writer, mut head: Head, accepted: &mut Accepted) -> Result<Head, PortError> {
        let (mut read, mut chunk) = (head.position, Vec::with_capacity(CHUNK));
        while read < self.topic.end {
            let message = self.topic.next()?;
            read = message.position;
            if let Some(entry) = accept(accepted, &message) {
                chunk.push((entry, message.bytes));
            }
            if chunk.len() == CHUNK || read >= self.topic.end {
                let (rows, next) = rows(head, std::mem::take(&mut chunk));
                writer.append(&rows).map_err(|error| match error {
                    WriteError::Full(reason) => PortError::StorageFull(reason),
                    WriteError::Failed(reason) => PortError::Unavailable(reason),
                })?;
                head = next;
            }
        }
        Ok(head)
    }
}

/// The record in a message, if it is one and is accepted.
pub(super) fn accept(accepted: &mut Accepted, message: &Read) -> Option<JournalEntry> {
    let record = Record::decode(&message.bytes).ok()?;
    let hash = Record::hash(&message.bytes);
    accepted.accept(&record, hash).then(|| JournalEntry { position: message.position, record: Arc::new(record), hash })
}
