//! The one thread that decides: takes what waits, decides it, makes it durable, makes it visible, answers.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use firstcome_core::ports::PortError;
use tokio::runtime::Handle;

use super::batch::Batch;
use super::shared::{Shared, undecided};
use super::witness::{Head, Witness};
use super::{WriteError, Writer};
use crate::lane::{Alarms, Lane, Leaving, Life, Pending};

/// A clock that is not the machine's can jump; deadlines are looked at this often at least.
const CLOCK_LOOK: Duration = Duration::from_millis(50);
/// How often a full disk is tried again.
const SPACE_LOOK: Duration = Duration::from_millis(200);
/// Commands in one batch that make a crowd.
const CROWD: usize = 8;

pub(super) struct Engine {
    pub(super) shared: Arc<Shared>,
    /// Held while the engine lives: there is one per directory.
    pub(super) _lock: File,
    pub(super) writer: Writer,
    pub(super) witness: Witness,
    pub(super) head: Head,
    pub(super) alarms: Alarms,
    pub(super) leaving: Leaving,
    pub(super) runtime: Option<Handle>,
    /// Commands on their way from a queue to a decision; kept to be used again.
    pub(super) commands: Vec<Pending>,
    /// A batch for which the disk had no space.
    pub(super) stuck: Option<Batch>,
    /// When the last batch began, if it was a crowd's.
    pub(super) crowd: Option<Instant>,
}

impl Engine {
    /// Works until the ledger is closed and nothing waits, or until the disk fails.
    pub(super) fn run(mut self) {
        loop {
            // Read before the work is: what was accepted before the closing is still answered.
            let closing = self.shared.lanes.is_closing();
            match self.step() {
                Ok(true) => {}
                Ok(false) if closing => return self.end(Life::Closed),
                Ok(false) => self.shared.lanes.sleep(self.patience()),
                Err(failure) => {
                    tracing::error!(%failure, "the ledger failed and takes nothing any more");
                    return self.end(Life::Failed(failure));
                }
            }
        }
    }

    /// One batch and a little housekeeping. Returns whether to go on without sleeping.
    pub(super) fn step(&mut self) -> Result<bool, PortError> {
        if let Some(batch) = self.stuck.take() {
            self.shared.lanes.refuse_waiting(&undecided());
            return self.finish(batch);
        }
        self.gather();
        let batch = self.decide();
        let worked = !batch.rows.is_empty() || batch.answers.len() > 0;
        if batch.answers.len() < CROWD {
            self.crowd = None;
        }
        if worked {
            self.shared.lanes.count(batch.answers.len(), batch.rows.len(), batch.events);
            if !self.finish(batch)? {
                return Ok(false);
            }
        }
        let archived = self.shared.lanes.archived();
        Ok(self.leaving.forget(archived, |_| false) || worked)
    }

    /// Makes a batch durable and visible, and answers. Returns false when the disk is full and the batch must wait.
    pub(super) fn finish(&mut self, mut batch: Batch) -> Result<bool, PortError> {
        if !batch.rows.is_empty() {
            match self.write(&batch) {
                Ok(()) => self.publish(&mut batch),
                Err(WriteError::Full(reason)) => {
                    self.keep(batch, &reason);
                    return Ok(false);
                }
                Err(WriteError::Failed(reason)) => {
                    let failure = failed(&reason);
                    batch.answers.fail(&failure);
                    batch.answers.give(self.runtime.as_ref());
                    return Err(failure);
                }
            }
        }
        self.leaving.add(batch.settled);
        batch.answers.give(self.runtime.as_ref());
        Ok(true)
    }

    /// Lets a crowd come together: the same people in fewer, larger batches leave more of the processor to them.
    fn gather(&mut self) {
        if let Some(before) = self.crowd {
            std::thread::sleep(self.shared.options.gather.saturating_sub(before.elapsed()));
        }
        self.crowd = Some(Instant::now());
    }

    /// Decides what is due and what waits, up to the limit.
    pub(super) fn decide(&mut self) -> Batch {
        let mut batch = Batch::new(self.head);
        let mut room = self.shared.options.batch;
        let now = self.shared.options.clock.now();
        while room > 0 && batch.events < self.shared.options.batch {
            let Some(offer) = self.alarms.take(now) else { break };
            let Some(lane) = self.shared.lanes.get(offer) else { continue };
            room -= self.decide_lane(&mut batch, &lane, true, room).clamp(1, room);
        }
        while room > 0 {
            let Some(lane) = self.shared.lanes.next_ready() else { break };
            room -= self.decide_lane(&mut batch, &lane, false, room);
        }
        batch
    }

    /// Decides what waits in one lane. Returns how many commands that were.
    fn decide_lane(&mut self, batch: &mut Batch, lane: &Arc<Lane>, expire: bool, room: usize) -> usize {
        if lane.take(room, &mut self.commands) {
            self.shared.lanes.announce(lane.clone());
        }
        let taken = self.commands.len();
        self.shared.lanes.taken(taken);
        self.commands.retain(|pending| !pending.is_abandoned());
        if expire || !self.commands.is_empty() {
            let options = &self.shared.options;
            let next = batch.decide(lane, expire, &mut self.commands, options.clock.now(), options.archive.as_ref());
            self.alarms.set(lane.number, next);
        }
        taken
    }

    /// Makes a batch durable: the journal first, then its witness.
    fn write(&mut self, batch: &Batch) -> Result<(), WriteError> {
        self.writer.append(&batch.rows)?;
        self.witness.write(batch.head).map_err(|error| WriteError::Failed(format!("its witness: {error}")))
    }

    /// Makes a durable batch visible.
    fn publish(&mut self, batch: &mut Batch) {
        if self.shared.full.swap(false, Ordering::AcqRel) {
            tracing::warn!("the journal's disk has space again");
        }
        self.head = batch.head;
        // The journal first: whoever sees what became of an order must find its record there. Vouchers are taken back after
        // the journal was read to its end, and what is not in it then is delivered afterwards.
        let mut recent = self.shared.lanes.recent.lock();
        for row in batch.rows.drain(..) {
            recent.push(row.entry);
        }
        drop(recent);
        let position = self.head.position;
        self.shared.lanes.progress.send_if_modified(|progress| {
            progress.position = position;
            false
        });
        for change in batch.changes.drain(..) {
            change.lane.publish(change.published, change.granted);
        }
        // Wakes those who wait, now that they find both.
        self.shared.lanes.progress.send_modify(|_| {});
    }

    /// Keeps a batch for which there is no space. Memory is ahead of the disk and cannot go back, so it is tried again
    /// until it fits, and nothing is decided on top of it. Whoever waited is told that this is not known yet, and learns it
    /// by asking again; whoever comes from now on is told that the disk is full. Nothing of the batch is visible before it
    /// is durable.
    fn keep(&mut self, mut batch: Batch, reason: &str) {
        if !self.shared.full.swap(true, Ordering::AcqRel) {
            tracing::error!(reason, "the journal's disk is full; nothing is granted until there is space");
        }
        batch.answers.fail(&undecided());
        std::mem::take(&mut batch.answers).give(self.runtime.as_ref());
        self.shared.lanes.refuse_waiting(&undecided());
        self.stuck = Some(batch);
    }

    /// How long the engine may sleep.
    fn patience(&self) -> Duration {
        if self.stuck.is_some() {
            return SPACE_LOOK;
        }
        match self.alarms.next() {
            None => Duration::from_hours(1),
            Some(deadline) => {
                let left = deadline.since(self.shared.options.clock.now());
                left.clamp(Duration::from_millis(1), CLOCK_LOOK)
            }
        }
    }

    fn end(self, life: Life) {
        self.shared.lanes.end(life);
    }
}

impl Drop for Engine {
    /// However the thread ends, nobody is left waiting and nobody is let in.
    fn drop(&mut self) {
        self.shared.lanes.end(Life::Failed(failed("its thread ended unexpectedly")));
        self.shared.lanes.shut();
    }
}

fn failed(reason: &str) -> PortError {
    PortError::Unavailable(format!("the ledger's journal failed: {reason}"))
}
