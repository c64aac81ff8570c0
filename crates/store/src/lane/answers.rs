//! Giving answers.
//!
//! Waking a task from a thread that is not the runtime's takes a lock of the whole runtime and often a system call, for
//! every task. So the engine hands all answers of a batch to the runtime as one task, and that task wakes the others from
//! the inside, where it is a push on a local queue. When the runtime is gone, the task is dropped, and so answers all the
//! same: answers are given when they are dropped. Those dropped before [`Answers::give`], by a panic for example, are
//! not known to be durable and become errors.

use firstcome_core::ledger::Outcome;
use firstcome_core::ports::PortError;
use tokio::runtime::Handle;

use super::Reply;

/// Below this many answers handing them over costs more than it saves.
const WORTH_A_TASK: usize = 4;

/// Answers that are held back until they are durable.
#[derive(Default)]
pub(crate) struct Answers {
    held: Vec<(Reply, Result<Outcome, PortError>)>,
    durable: bool,
}

impl Answers {
    pub(crate) fn push(&mut self, reply: Reply, answer: Result<Outcome, PortError>) {
        self.held.push((reply, answer));
    }

    pub(crate) fn len(&self) -> usize {
        self.held.len()
    }

    /// Answers every command with this error instead.
    pub(crate) fn fail(&mut self, error: &PortError) {
        for (_, answer) in &mut self.held {
            *answer = Err(error.clone());
        }
    }

    /// Gives the answers from a task of this runtime. What they say is durable, or that nothing is known to be.
    pub(crate) fn give(mut self, runtime: Option<&Handle>) {
        self.durable = true;
        if let Some(runtime) = runtime.filter(|_| self.held.len() >= WORTH_A_TASK) {
            runtime.spawn(async move { drop(self) });
        }
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        if !self.durable {
            self.fail(&PortError::Unavailable("the ledger gave up; ask again".to_owned()));
        }
        for (reply, answer) in self.held.drain(..) {
            // Whoever asked may have gone.
            let _ = reply.send(answer);
        }
    }
}
