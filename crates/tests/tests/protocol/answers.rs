//! What clients are told, held against the journal: an exact check that all answers fit one order of events.
//!
//! An answer with an event is true at that event. One without is true at any moment at which the state would give it; the
//! earliest one since the call is taken, for that leaves most room to the others. Since answers given before a call bound
//! it from below (`World::told`), this finds a contradiction between answers exactly when there is one.

use super::Protocol;
use super::ledger::{Books, Command, Event, Moment, Order, Outcome, Stand};
use super::reader::{counted, events};
use super::state::{Answer, Call, Evidence, World};

impl World {
    /// The journal as the log has it now.
    pub(super) fn truth(&self, protocol: &Protocol) -> Vec<(Event, Moment)> {
        events(counted(&protocol.rules, &self.partition.log)).collect()
    }

    /// Tells a client the outcome, decided at `at`.
    pub(super) fn answer(
        &mut self,
        protocol: &Protocol,
        call: usize,
        outcome: Outcome,
        event: Option<Event>,
        at: Moment,
    ) {
        let Call::Waiting(since) = self.calls[call] else { return };
        let command = protocol.scope.commands[call];
        let evidence = match event {
            _ if is_refusal(command, outcome) => {
                let truth = self.truth(protocol);
                let new = (since..=truth.len()).any(|count| stand(&truth[..count], command.order()) == Stand::Unknown);
                if new { Evidence::NotNeeded } else { Evidence::Granted }
            }
            Some(event) => match self.truth(protocol).iter().position(|(other, _)| *other == event) {
                Some(index) => Evidence::Event(event, index),
                None => Evidence::NoEvent(event),
            },
            None => {
                let truth = self.truth(protocol);
                let moment =
                    (since..=truth.len()).find(|count| gives(protocol, &truth[..*count], command, outcome, at));
                moment.map_or(Evidence::NoState, Evidence::State)
            }
        };
        match evidence {
            Evidence::Event(_, index) => self.told = self.told.max(index + 1),
            Evidence::State(count) => self.told = self.told.max(count),
            _ => {}
        }
        self.calls[call] = Call::Answered(Answer { outcome, at, evidence });
    }
}

/// A new hold that is refused: the only outcome that is answered from any state.
pub(super) fn is_refusal(command: Command, outcome: Outcome) -> bool {
    matches!(command, Command::Hold(_)) && outcome == Outcome::Refused
}

fn stand(truth: &[(Event, Moment)], order: Order) -> Stand {
    books(truth).stand(order)
}

fn books(truth: &[(Event, Moment)]) -> Books {
    let mut books = Books::new();
    for (event, at) in truth {
        books.evolve(*event, *at);
    }
    books
}

/// Whether the command comes to this outcome, and to no event, after these events.
pub(super) fn gives(
    protocol: &Protocol,
    truth: &[(Event, Moment)],
    command: Command,
    outcome: Outcome,
    at: Moment,
) -> bool {
    let books = books(truth);
    let at = at.max(books.last_at);
    books.decide(&protocol.scope.sale, command, at, protocol.rules.passed(at)) == (outcome, None)
}
