//! Asking until there is an answer.

use std::sync::atomic::Ordering;
use std::time::Duration;

use firstcome_tests::{Answer, NoAnswer};

use super::Sale;
use super::history::Told;

/// What an answer means to who asked.
pub(super) enum Step<T> {
    /// It is done.
    Done(T),
    /// It is refused.
    No,
    /// It is not decided yet.
    Wait,
    /// It should not have been answered at all.
    Surprise,
}

/// How often something undecided is asked for again.
const TRIES: u32 = 100;

impl Sale {
    /// Sends a request until its answer is definite. Who is not stubborn gives up at the first answer that is lost and stays
    /// in doubt. A refusal after a lost answer is definite too where the process that lost it is dead; of many processes
    /// another may still do what was in doubt.
    pub(super) async fn insist<T, F: Future<Output = Result<Answer, NoAnswer>>>(
        &self,
        stubborn: bool,
        request: impl Fn() -> F,
        read: impl Fn(&Answer) -> Step<T>,
    ) -> Told<T> {
        let (mut waits, mut doubt) = (0, false);
        let many_processes = self.many_processes.load(Ordering::SeqCst);
        while waits < TRIES {
            match request().await {
                Err(NoAnswer::NotSent(_)) => {}
                Err(NoAnswer::Lost(_)) => {
                    self.history().lost += 1;
                    doubt = true;
                    if !stubborn {
                        return Told::Unknown;
                    }
                }
                Err(NoAnswer::Hung) => {
                    self.surprise("a request was not answered for a very long time".to_owned());
                    return Told::Unknown;
                }
                // Nothing was done, says the shop: an order that exists nevertheless is found at the end.
                Ok(answer) if !doubt && !stubborn && answer.code() == "storage_full" => {
                    self.disk_refusals.fetch_add(1, Ordering::SeqCst);
                    return Told::No(answer.code().to_owned());
                }
                Ok(answer) if self.is_busy(&answer) => {
                    self.history().busy += 1;
                    doubt |= answer.code() == "unavailable";
                    waits += 1;
                }
                Ok(answer) => match read(&answer) {
                    Step::Done(value) => return Told::Ok(value),
                    Step::No if doubt && many_processes => return Told::Unknown,
                    Step::No => {
                        *self.history().refused.entry(answer.code().to_owned()).or_default() += 1;
                        return Told::No(answer.code().to_owned());
                    }
                    Step::Wait => waits += 1,
                    Step::Surprise => {
                        self.surprise(answer.to_string());
                        return Told::Unknown;
                    }
                },
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Told::Unknown
    }

    /// Whether it was refused for the moment only.
    fn is_busy(&self, answer: &Answer) -> bool {
        let disk_may_fail = self.disk_may_fail.load(Ordering::SeqCst);
        if disk_may_fail && answer.code() == "FAILED_INTERNAL_SYSTEM_PROCESSING" {
            // The provider's disk is the same one.
            return true;
        }
        let full = disk_may_fail && (answer.status, answer.code()) == (507, "storage_full");
        if full {
            self.disk_refusals.fetch_add(1, Ordering::SeqCst);
        }
        full || matches!((answer.status, answer.code()), (429, "rate_limited") | (503, "overloaded" | "unavailable"))
    }
}
