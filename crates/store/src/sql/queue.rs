//! Units of work that wait for a writer.

use std::collections::VecDeque;

use firstcome_core::ports::{Committed, PortError};
use firstcome_core::records::Unit;
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

/// Writes and events that may wait: whoever comes later is refused at once.
const CAPACITY: usize = 65_536;
/// Units that share a transaction, and their writes and events. One that is refused costs the others another round.
const MOST_UNITS: usize = 128;
const MOST_WRITES: usize = 2_048;

/// What a unit of work is answered.
pub(super) type Answer = Result<Committed, PortError>;

/// A unit of work and who waits for it.
pub(super) struct Job {
    pub(super) unit: Unit,
    /// Nobody waits any more after this.
    pub(super) deadline: Instant,
    answer: oneshot::Sender<Answer>,
}

impl Job {
    /// Answers. Whoever asked may have gone.
    pub(super) fn answer(self, answer: Answer) {
        let _ = self.answer.send(answer);
    }

    fn weight(&self) -> usize {
        1 + self.unit.writes.len() + self.unit.events.len()
    }
}

/// A bounded queue from many callers to a few writers, each of which takes many at once.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    filled: Notify,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    weight: usize,
    closed: Option<PortError>,
}

impl Queue {
    /// Adds a unit and returns where its answer will arrive.
    pub(super) fn push(&self, unit: Unit, deadline: Instant) -> Result<oneshot::Receiver<Answer>, PortError> {
        let (answer, receiver) = oneshot::channel();
        let job = Job { unit, deadline, answer };
        let mut state = self.state.lock();
        if let Some(reason) = &state.closed {
            return Err(reason.clone());
        }
        // A unit larger than the whole queue is taken when nothing else waits.
        if state.weight > 0 && state.weight + job.weight() > CAPACITY {
            return Err(PortError::Overloaded);
        }
        state.weight += job.weight();
        state.jobs.push_back(job);
        drop(state);
        self.filled.notify_one();
        Ok(receiver)
    }

    /// Waits for work and takes as much as goes in one transaction. `None` when the queue is closed and done.
    pub(super) async fn take(&self) -> Option<Vec<Job>> {
        loop {
            let closed = {
                let mut state = self.state.lock();
                let jobs = state.batch();
                if !jobs.is_empty() {
                    let more = !state.jobs.is_empty();
                    drop(state);
                    if more {
                        self.filled.notify_one();
                    }
                    return Some(jobs);
                }
                state.closed.is_some()
            };
            if closed {
                // The next writer ends as well.
                self.filled.notify_one();
                return None;
            }
            // A call that comes between the look and this leaves a permit.
            self.filled.notified().await;
        }
    }

    /// Refuses whoever comes from now on. What waits is still taken.
    pub(super) fn close(&self, reason: PortError) {
        self.state.lock().closed.get_or_insert(reason);
        self.filled.notify_one();
    }

    /// Refuses whoever comes from now on, and whoever waits.
    pub(super) fn abandon(&self, reason: &PortError) {
        self.close(reason.clone());
        let waiting = {
            let mut state = self.state.lock();
            state.weight = 0;
            std::mem::take(&mut state.jobs)
        };
        for job in waiting {
            job.answer(Err(reason.clone()));
        }
    }
}

impl State {
    fn batch(&mut self) -> Vec<Job> {
        let mut jobs = Vec::new();
        let mut weight = 0;
        while let Some(next) = self.jobs.front() {
            let more = next.weight();
            if !jobs.is_empty() && (jobs.len() == MOST_UNITS || weight + more > MOST_WRITES) {
                break;
            }
            weight += more;
            jobs.extend(self.jobs.pop_front());
        }
        self.weight -= weight;
        jobs
    }
}
