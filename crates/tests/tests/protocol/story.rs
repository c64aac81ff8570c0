//! Steps in words.

use super::Protocol;
use super::state::{Message, World};
use super::steps::Step;

impl Protocol {
    /// What a step does to this world.
    pub(super) fn tell(&self, world: &World, step: Step) -> String {
        match step {
            Step::Call { call, lane } => format!("lane {lane} is asked {:?}", self.scope.commands[call]),
            Step::Decide { lane, .. } | Step::Answer { lane } | Step::Read { lane } => {
                self.tell_lane(world, lane, step)
            }
            Step::Land { message, again } => {
                let again = if again { ", and will again" } else { "" };
                format!(
                    "{} lands at offset {}{again}",
                    named(&world.partition.wire[message]),
                    world.partition.log.len()
                )
            }
            Step::Replicate => format!("offset {} is on enough replicas", world.partition.safe),
            Step::Expose => format!("offset {} is visible, on one replica", world.partition.visible),
            Step::FailOver => format!("failover: the log ends before offset {}", world.partition.safe),
            other => format!("{other:?}"),
        }
    }

    fn tell_lane(&self, world: &World, lane: usize, step: Step) -> String {
        let after = self.after(world, step);
        let before = &world.lanes[lane];
        if matches!(step, Step::Read { .. }) {
            return match world.partition.log.get(before.reader.offset) {
                Some(entry) if after.lanes[lane].reader.journal.len() > before.reader.journal.len() => {
                    format!("lane {lane} reads and accepts {}", named(&entry.message))
                }
                Some(entry) => format!("lane {lane} reads {}", named(&entry.message)),
                None => format!("lane {lane} sees that the log was cut"),
            };
        }
        let answers = after.calls.iter().zip(&world.calls).zip(&self.scope.commands);
        let told: Vec<String> = answers
            .filter(|((after, before), _)| after != before)
            .map(|((after, _), command)| format!("answers {command:?}: {after:?}"))
            .collect();
        let sent = after.lanes[lane].flights.last().map(|flight| format!("sends {}", named(&flight.message)));
        let done = if told.is_empty() { sent.unwrap_or_default() } else { told.join(", ") };
        format!("lane {lane} {done}")
    }
}

fn named(message: &Message) -> String {
    match message {
        Message::Barrier(id) => format!("barrier #{id}"),
        Message::Record(record) => {
            format!("record #{} on #{} at {} {:?}", record.id, record.prev, record.at, record.events)
        }
    }
}
