//! Which messages of the journal's topic are records of the journal. Every reader concludes the same, for ever.

use firstcome_core::ids::OfferNumber;
use firstcome_core::ledger::{Digest, Record};
use hashbrown::HashMap;

/// The last accepted record of an offer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Tail {
    /// Its hash.
    pub(super) hash: Digest,
    /// The sequence number of its last event.
    pub(super) seq: u64,
}

/// Which records were accepted so far.
///
/// Read in the order of the topic, a record is accepted if it continues its offer: `prev` is the hash of the offer's last
/// accepted record and `first_seq` the next sequence number. Anything else is skipped for ever: a race that was lost, a
/// duplicate, what a dead branch left behind.
#[derive(Default)]
pub(super) struct Accepted(HashMap<OfferNumber, Tail>);

impl Accepted {
    pub(super) fn new(tails: impl IntoIterator<Item = (OfferNumber, Tail)>) -> Self {
        Self(tails.into_iter().collect())
    }

    /// The next message, if it was a record: whether it is accepted.
    pub(super) fn accept(&mut self, record: &Record, hash: Digest) -> bool {
        let tail = self.0.get(&record.offer).copied().unwrap_or_default();
        let continues = record.prev == tail.hash && Some(record.first_seq) == tail.seq.checked_add(1);
        // Sequence numbers that do not fit are nobody's.
        let last = record.first_seq.checked_add(record.events.len() as u64);
        let Some(next) = last.filter(|_| continues && !record.events.is_empty()) else { return false };
        self.0.insert(record.offer, Tail { hash, seq: next - 1 });
        true
    }
}

#[cfg(test)]
mod tests {
    use firstcome_core::ids::EventId;
    use firstcome_core::ledger::Event;
    use firstcome_core::time::Time;

    use super::*;

    fn record(offer: u32, prev: Digest, first_seq: u64, events: usize) -> (Record, Digest) {
        let events = vec![Event::Frozen; events];
        let record = Record {
            offer: OfferNumber(offer),
            id: EventId([1; 16]),
            prev,
            first_seq,
            at: Time(first_seq as i64),
            events,
        };
        let hash = Record::hash(&record.encode());
        (record, hash)
    }

    #[test]
    fn only_what_continues_its_offer_is_accepted() {
        let mut accepted = Accepted::default();
        let (first, first_hash) = record(1, [0; 32], 1, 2);
        assert!(accepted.accept(&first, first_hash));
        assert!(!accepted.accept(&first, first_hash), "a duplicate");
        let (rival, rival_hash) = record(1, [0; 32], 1, 1);
        assert!(!accepted.accept(&rival, rival_hash), "it lost the race");
        let (gap, gap_hash) = record(1, first_hash, 4, 1);
        assert!(!accepted.accept(&gap, gap_hash), "a gap");
        let (empty, empty_hash) = record(1, first_hash, 3, 0);
        assert!(!accepted.accept(&empty, empty_hash), "it says nothing");
        let (branch, branch_hash) = record(1, rival_hash, 3, 1);
        assert!(!accepted.accept(&branch, branch_hash), "on a dead branch");
        let (other, other_hash) = record(2, [0; 32], 1, 1);
        assert!(accepted.accept(&other, other_hash), "another offer");
        let (next, next_hash) = record(1, first_hash, 3, 1);
        assert!(accepted.accept(&next, next_hash));
        let (far, far_hash) = record(3, [0; 32], u64::MAX, 1);
        assert!(!accepted.accept(&far, far_hash), "no such number");
    }

    #[test]
    fn goes_on_where_it_ended() {
        let tail = Tail { hash: [7; 32], seq: 9 };
        let mut accepted = Accepted::new([(OfferNumber(1), tail)]);
        let (next, hash) = record(1, [7; 32], 10, 3);
        assert!(accepted.accept(&next, hash));
        let (stale, hash) = record(1, [7; 32], 10, 1);
        assert!(!accepted.accept(&stale, hash));
    }
}
