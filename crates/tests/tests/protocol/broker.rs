//! What the broker does: append, replicate, fail over.

use super::state::{Entry, World};
use super::steps::Step;

impl World {
    pub(super) fn at_the_broker(&mut self, step: Step) {
        let partition = &mut self.partition;
        match step {
            Step::Land { message, again } => {
                let entry = Entry { term: partition.term, message: partition.wire[message].clone() };
                partition.log.push(entry);
                if again {
                    self.luck.duplicates -= 1;
                } else {
                    partition.wire.remove(message);
                }
            }
            Step::Replicate => {
                partition.safe += 1;
                partition.visible = partition.visible.max(partition.safe);
            }
            Step::Expose => partition.visible += 1,
            Step::FailOver => {
                // A producer that was not answered sends again.
                let cut = partition.log.split_off(partition.safe);
                let again = cut.into_iter().map(|entry| entry.message);
                let known = std::mem::take(&mut partition.wire);
                partition.wire =
                    known.iter().cloned().chain(again.filter(|message| !known.contains(message))).collect();
                partition.visible = partition.safe;
                partition.term += 1;
                self.luck.failovers -= 1;
            }
            _ => {}
        }
    }
}
