//! A dead letter as an operator sees it, and pages of them put together.

use firstcome_core::ids::EventId;
use firstcome_core::ports::RoleName;
use firstcome_core::records::{Field as _, Value};
use firstcome_core::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::consumer::DeadLetter;
use crate::http::{Items, PageParameters, merge};

/// An event that could not be handled. What is in it is not shown: it is in the role's database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = DeadLetter)]
pub struct LetterView {
    /// Names the letter.
    #[schema(value_type = String, example = "evt_01h455vb4pex5vsknk084sn02q")]
    pub id: EventId,
    /// The role whose consumer it is.
    #[schema(value_type = String, example = "vouchers")]
    pub role: RoleName,
    /// Who could not handle the event.
    #[schema(example = "vouchers.delivery")]
    pub consumer: String,
    /// Where it was read: the role that announced it, or the ledger's `journal`.
    pub topic: String,
    /// Its place there.
    pub position: i64,
    /// The event's kind.
    #[schema(example = "refund.approved")]
    pub kind: String,
    /// What it is about: the id of an order, an offer, a person; of the journal the number of the offer.
    pub subject: String,
    /// Why it could not be handled.
    pub reason: String,
    /// When it was given up.
    #[schema(value_type = String, format = DateTime)]
    pub at: Time,
    /// When a replay succeeded; null as long as it waits.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub replayed_at: Option<Time>,
}

impl LetterView {
    pub(super) fn new(role: RoleName, letter: DeadLetter) -> Self {
        let DeadLetter { id, consumer, topic, position, kind, subject, reason, at, replayed_at, .. } = letter;
        Self { id, role, consumer, topic, position, kind, subject, reason, at, replayed_at }
    }

    /// One page out of the same page of each role.
    pub(crate) fn merge(pages: Vec<Items<Self>>, asked: &PageParameters) -> Items<Self> {
        merge(pages, asked, |letter| (letter.at, letter.id.0))
    }
}

/// The place of a letter in a list.
pub(super) fn place(at: Time, id: EventId) -> (Value, Value) {
    (at.to_value(), id.to_value())
}
