//! What was appended comes back: acknowledged, read, or both, and then what it said is answered.

use firstcome_core::ports::PortError;

use super::barrier::Askers;
use super::engine::{Busy, Engine, Stage, Work, unavailable};
use super::flight::{Flight, answers};

/// Messages applied before what waits is looked at again.
const READ_AT_MOST: usize = 256;

impl Engine {
    /// Learns what became of what was appended.
    pub(super) fn take_reports(&mut self) -> bool {
        let reports = self.shared.inbox.take_reports();
        let any = !reports.is_empty();
        for report in reports {
            self.appender.heard(report.failed.is_none());
            if let Some(barrier) = self.barriers.under_way.as_mut().filter(|barrier| barrier.id == report.id) {
                match report.failed {
                    None => barrier.acknowledged = true,
                    Some(reason) => self.fail_barrier(&unavailable(&reason)),
                }
                continue;
            }
            let Some(offer) = self.flights.remove(&report.id) else { continue };
            let stage = self.busy.get_mut(&offer).map(|busy| &mut busy.stage);
            // One that lost its race meanwhile is of no interest.
            let Some(Stage::Flying(flight)) = stage else { continue };
            match report.failed {
                _ if flight.id != report.id => {}
                None => {
                    flight.acknowledged = true;
                    self.landed.extend(flight.read.then_some(offer));
                }
                Some(reason) => self.give_up(offer, &unavailable(&reason)),
            }
        }
        any
    }

    /// Applies messages of the topic.
    pub(super) fn take_reads(&mut self) -> Result<bool, PortError> {
        if let Some(failure) = self.shared.inbox.take_lost() {
            return Err(failure);
        }
        let position = self.shared.lanes.position();
        // What the local copy does not have yet must fit into memory.
        let bound = self.shared.options.recent_events / 2;
        if self.shared.keeping.events() >= bound
            && let Some(reason) = self.shared.keeping.full()
        {
            self.set_trouble(&PortError::StorageFull(reason));
        }
        let mut count = 0;
        while count < READ_AT_MOST && self.shared.keeping.events() < bound {
            let Some(read) = self.shared.inbox.take_read() else { break };
            self.apply(read)?;
            count += 1;
        }
        if self.shared.lanes.position() > position {
            // Wakes those who wait, now that they find the journal and what it did.
            self.shared.lanes.progress.send_modify(|_| {});
        }
        Ok(count > 0)
    }

    /// Answers what has landed.
    pub(super) fn land(&mut self) -> bool {
        let landed = std::mem::take(&mut self.landed);
        for offer in &landed {
            let is_landed = |stage: &Stage| matches!(stage, Stage::Flying(flight) if flight.has_landed());
            let Some(Busy { lane, stage: Stage::Flying(flight), more, .. }) = self.take_busy(*offer, is_landed) else {
                continue;
            };
            let Flight { commands, outcomes, entry, askers, .. } = *flight;
            self.shared.lanes.count(commands.len(), 1, entry.record.events.len());
            answers(&lane, commands, outcomes).give(Some(&self.runtime));
            self.release(lane, more);
            self.serve(askers);
        }
        let Some(askers) = self.barriers.landed() else { return !landed.is_empty() };
        self.end_trouble();
        self.serve(askers);
        true
    }

    /// What was read is as new as these questions.
    fn serve(&mut self, askers: Askers) {
        for caller in askers.callers {
            let _ = caller.send(Ok(()));
        }
        for offer in askers.lanes {
            let is_proving = |stage: &Stage| matches!(stage, Stage::Proving(_));
            let Some(Busy { lane, since, stage: Stage::Proving(commands), more }) = self.take_busy(offer, is_proving)
            else {
                continue;
            };
            let work = Work { commands, expire: false, current: true, since };
            self.decide(&lane, work, more);
        }
    }
}
