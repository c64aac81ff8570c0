//! A record under way: appended, not yet known to count.

use std::time::Instant;

use firstcome_core::ids::OrderId;
use firstcome_core::ledger::{Command, Outcome, Refusal, Undo};
use firstcome_core::ports::{JournalEntry, PortError};
use firstcome_core::time::Time;

use super::barrier::Askers;
use crate::lane::{Answers, Lane, Pending};

pub(super) type Outcomes = Vec<Result<Outcome, PortError>>;

/// Commands that were decided together in the hope that their record counts.
pub(super) struct Flight {
    /// Names the message.
    pub(super) id: usize,
    pub(super) entry: JournalEntry,
    pub(super) bytes: Vec<u8>,
    /// Takes it back.
    pub(super) undo: Undo,
    pub(super) commands: Vec<Pending>,
    pub(super) outcomes: Outcomes,
    pub(super) recalled: Vec<OrderId>,
    /// Who asked before it was appended whether what was read is current: it proves that as well as a barrier.
    pub(super) askers: Askers,
    pub(super) began: Instant,
    /// The lane's clock when it was appended.
    pub(super) sent: Time,
    /// The broker has it safely.
    pub(super) acknowledged: bool,
    /// It was read back and accepted.
    pub(super) read: bool,
}

impl Flight {
    /// Both are needed: what is only read back may not be safe yet, what is only acknowledged may have lost its race.
    pub(super) fn has_landed(&self) -> bool {
        self.acknowledged && self.read
    }
}

/// Answers held for these commands.
pub(super) fn answers(lane: &Lane, commands: Vec<Pending>, outcomes: Outcomes) -> Answers {
    let mut answers = Answers::default();
    for (Pending { command, reply }, outcome) in commands.into_iter().zip(outcomes) {
        if let Some(refusal) = refused(&command, &outcome) {
            lane.count_refusal(refusal);
        }
        answers.push(reply, outcome);
    }
    answers
}

fn refused<'a>(command: &Command, outcome: &'a Result<Outcome, PortError>) -> Option<&'a Refusal> {
    match (command, outcome) {
        (Command::Hold(_) | Command::Prepare(_), Ok(Outcome::Refused(refusal))) => Some(refusal),
        _ => None,
    }
}

/// Whether an outcome without an event may be answered from what was read, current or not: an error says that nothing is
/// known, and a key that was used is used for ever.
pub(super) fn needs_no_proof(outcome: &Result<Outcome, PortError>) -> bool {
    matches!(outcome, Err(_) | Ok(Outcome::KeyReused))
}
