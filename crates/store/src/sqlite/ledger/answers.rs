//! Giving answers.
//!
//! Waking a task from a thread that is not the runtime's takes a lock of the whole runtime and often a system call, for
//! every task. So the engine hands all answers of a batch to the runtime as one task, and that task wakes the others from
//! the inside, where it is a push on a local queue. When the runtime is gone, the task is dropped, and so answers all the
//! same: answers are given when they are dropped.

use firstcome_core::ledger::Outcome;
use firstcome_core::ports::PortError;
use tokio::runtime::Handle;

use super::lane::Reply;

/// Below this many answers handing them over costs more than it saves.
const WORTH_A_TASK: usize = 4;

/// Answers, given when this is dropped.
#[derive(Default)]
pub(super) struct Answers(Vec<(Reply, Result<Outcome, PortError>)>);

impl Answers {
    pub(super) fn push(&mut self, reply: Reply, answer: Result<Outcome, PortError>) {
        self.0.push((reply, answer));
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Answers every command with this error instead.
    pub(super) fn fail(&mut self, error: &PortError) {
        for (_, answer) in &mut self.0 {
            *answer = Err(error.clone());
        }
    }

    /// Gives the answers from a task of this runtime.
    pub(super) fn give(self, runtime: Option<&Handle>) {
        if let Some(runtime) = runtime.filter(|_| self.0.len() >= WORTH_A_TASK) {
            runtime.spawn(async move { drop(self) });
        }
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        for (reply, answer) in self.0.drain(..) {
            // Whoever asked may have gone.
            let _ = reply.send(answer);
        }
    }
}
