//! One entry of the journal: the events that one offer's ledger decided together, chained by hash to the entry before.

use minicbor::{Decode, Encode};
use sha2::{Digest as _, Sha256};

use super::event::Event;
use crate::ids::{EventId, OfferNumber};
use crate::time::Time;

/// A SHA-256.
pub type Digest = [u8; 32];

/// A batch of events of one offer. Kept for ever, never changed.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Record {
    /// Whose events.
    #[n(0)]
    pub offer: OfferNumber,
    /// Names the batch.
    #[n(1)]
    pub id: EventId,
    /// The hash of the offer's record before this; zeroes for its first.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub prev: Digest,
    /// The sequence number of the first event; the others follow without a gap. The first of an offer is 1.
    #[n(3)]
    pub first_seq: u64,
    /// When it was decided, on the ledger's clock, which never runs backwards.
    #[n(4)]
    pub at: Time,
    /// What was decided, in order.
    #[n(5)]
    pub events: Vec<Event>,
}

/// Why a stored record is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The bytes are not a record.
    #[error("cannot be decoded: {0}")]
    Undecodable(String),
    /// The bytes have another hash than was stored with them.
    #[error("its hash does not match its contents")]
    Altered,
    /// It does not follow the record before it.
    #[error("it does not follow the record before it: expected sequence number {expected}, found {found}")]
    Unchained {
        /// The sequence number that should come.
        expected: u64,
        /// The one that came.
        found: u64,
    },
}

impl Record {
    /// The bytes that are stored and hashed.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(96 + self.events.len() * 112);
        let mut encoder = minicbor::Encoder::new(&mut bytes);
        // A Vec takes every write, so encoding into one has no way to fail.
        let written = self.encode_into(&mut encoder);
        debug_assert!(written.is_ok(), "writing to memory does not fail");
        bytes
    }

    fn encode_into(
        &self,
        encoder: &mut minicbor::Encoder<&mut Vec<u8>>,
    ) -> Result<(), minicbor::encode::Error<core::convert::Infallible>> {
        Encode::encode(self, encoder, &mut ())
    }

    /// Reads a record back.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        minicbor::decode(bytes).map_err(|error| RecordError::Undecodable(error.to_string()))
    }

    /// The hash of encoded bytes, which the next record of the offer carries as `prev`.
    pub fn hash(bytes: &[u8]) -> Digest {
        Sha256::digest(bytes).into()
    }

    /// The sequence number of the last event.
    pub fn last_seq(&self) -> u64 {
        self.first_seq + self.events.len() as u64 - 1
    }

    /// The events with their sequence numbers.
    pub fn numbered(&self) -> impl Iterator<Item = (u64, &Event)> {
        self.events.iter().enumerate().map(|(index, event)| (self.first_seq + index as u64, event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{OrderId, PaymentId};

    #[test]
    fn round_trip_and_hash() {
        let record = Record {
            offer: OfferNumber(7),
            id: EventId([1; 16]),
            prev: [9; 32],
            first_seq: 3,
            at: Time(5),
            events: vec![Event::Committed { order: OrderId([2; 16]), attempt: PaymentId([3; 16]) }, Event::Frozen],
        };
        let bytes = record.encode();
        assert_eq!(Record::decode(&bytes), Ok(record.clone()));
        assert_eq!(record.last_seq(), 4);
        let mut altered = bytes.clone();
        *altered.last_mut().expect("not empty") ^= 1;
        assert_ne!(Record::hash(&bytes), Record::hash(&altered));
    }
}
