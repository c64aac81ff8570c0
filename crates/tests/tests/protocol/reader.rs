//! Reading the log: which records count, and noticing that it was cut.

use std::sync::Arc;

use super::ledger::{Books, Event, Moment};
use super::rules::{Acceptance, CutCheck, Rules};
use super::state::{Entry, Id, Partition, Reader, Record};

/// What the next record that counts must follow.
#[derive(Clone, Copy)]
pub(super) struct Tail {
    pub(super) id: Id,
    pub(super) next_seq: u8,
}

impl Tail {
    /// The end of a journal.
    pub(super) fn of(journal: &[Arc<Record>]) -> Self {
        let mut tail = Self { id: 0, next_seq: 1 };
        for record in journal {
            tail.move_to(record);
        }
        tail
    }

    pub(super) fn move_to(&mut self, record: &Record) {
        self.id = record.id;
        self.next_seq += record.events.len() as u8;
    }

    pub(super) fn accepts(&self, rules: &Rules, record: &Record) -> bool {
        match rules.acceptance {
            Acceptance::Hash => record.prev == self.id,
            Acceptance::Number => record.first_seq == self.next_seq,
            Acceptance::Everything => true,
        }
    }
}

/// The records of a log that count: the journal that anyone makes of it.
pub(super) fn counted<'log>(rules: &Rules, log: &'log [Entry]) -> impl Iterator<Item = &'log Arc<Record>> {
    let (rules, mut tail) = (*rules, Tail::of(&[]));
    log.iter().filter_map(|entry| entry.message.record()).filter(move |record| {
        let counts = tail.accepts(&rules, record);
        if counts {
            tail.move_to(record);
        }
        counts
    })
}

/// The state that a journal makes.
pub(super) fn fold(journal: &[Arc<Record>]) -> Books {
    let mut books = Books::new();
    events(journal).for_each(|(event, at)| books.evolve(event, at));
    books
}

/// All events of a journal, with their times.
pub(super) fn events<'log>(
    journal: impl IntoIterator<Item = &'log Arc<Record>>,
) -> impl Iterator<Item = (Event, Moment)> {
    journal.into_iter().flat_map(|record| record.events.iter().map(|event| (*event, record.at)))
}

impl Reader {
    /// Whether the last entry that was read is still where it was.
    pub(super) fn head_is_there(&self, partition: &Partition) -> bool {
        self.is_there(partition, |entry, (term, id)| entry.term == term && entry.message.id() == id)
    }

    /// Whether the reader notices that the log is not the one it has read.
    pub(super) fn notices_a_cut(&self, rules: &Rules, partition: &Partition) -> bool {
        match rules.cut_check {
            CutCheck::Place => !self.head_is_there(partition),
            CutCheck::Hash => !self.is_there(partition, |entry, (_, id)| entry.message.id() == id),
            CutCheck::None => false,
        }
    }

    fn is_there(&self, partition: &Partition, same: impl Fn(&Entry, (u8, Id)) -> bool) -> bool {
        let Some(head) = self.head else { return true };
        self.offset.checked_sub(1).and_then(|last| partition.log.get(last)).is_some_and(|entry| same(entry, head))
    }

    /// Reads the next entry; says whether it is a record that counts.
    pub(super) fn read(&mut self, rules: &Rules, entry: &Entry) -> bool {
        self.offset += 1;
        self.head = Some((entry.term, entry.message.id()));
        match entry.message.record() {
            Some(record) if Tail::of(&self.journal).accepts(rules, record) => {
                self.journal.push(record.clone());
                true
            }
            _ => false,
        }
    }
}
