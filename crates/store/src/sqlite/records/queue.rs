//! Units of work that wait for the writer.

use firstcome_core::ports::{Committed, PortError};
use firstcome_core::records::Unit;
use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

/// Writes and events that may wait. A second's work of one file: whoever comes later is refused at once.
const CAPACITY: usize = 65_536;

/// What a unit of work is answered.
pub(super) type Answer = Result<Committed, PortError>;

/// A unit of work and who waits for it.
pub(super) struct Job {
    pub(super) unit: Unit,
    pub(super) answer: oneshot::Sender<Answer>,
}

/// A bounded queue from many callers to one writer, which takes all that waits at once.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Default)]
struct State {
    jobs: Vec<Job>,
    weight: usize,
    closed: Option<PortError>,
}

impl Queue {
    /// Adds a unit and returns where its answer will arrive.
    pub(super) fn push(&self, unit: Unit) -> Result<oneshot::Receiver<Answer>, PortError> {
        let weight = 1 + unit.writes.len() + unit.events.len();
        let (answer, receiver) = oneshot::channel();
        let mut state = self.state.lock();
        if let Some(reason) = &state.closed {
            return Err(reason.clone());
        }
        // A unit larger than the whole queue is taken when nothing else waits.
        if state.weight > 0 && state.weight + weight > CAPACITY {
            return Err(PortError::Overloaded);
        }
        state.weight += weight;
        state.jobs.push(Job { unit, answer });
        drop(state);
        self.filled.notify_one();
        Ok(receiver)
    }

    /// Waits for work and moves all of it to `jobs`, which is empty. False when the queue is closed and done.
    pub(super) fn take(&self, jobs: &mut Vec<Job>) -> bool {
        let mut state = self.state.lock();
        while state.jobs.is_empty() {
            if state.closed.is_some() {
                return false;
            }
            self.filled.wait(&mut state);
        }
        state.weight = 0;
        std::mem::swap(&mut state.jobs, jobs);
        true
    }

    /// Refuses whoever comes from now on. What waits is still taken.
    pub(super) fn close(&self, reason: PortError) {
        self.state.lock().closed.get_or_insert(reason);
        self.filled.notify_all();
    }

    /// Refuses whoever comes from now on, and whoever waits.
    pub(super) fn abandon(&self, reason: &PortError) {
        self.close(reason.clone());
        let waiting = std::mem::take(&mut self.state.lock().jobs);
        for job in waiting {
            // Whoever asked may have gone.
            let _ = job.answer.send(Err(reason.clone()));
        }
    }
}
