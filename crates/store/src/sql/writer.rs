//! A task that writes: it takes what waits, commits it in one transaction, and answers everyone.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use firstcome_core::ports::{Committed, PortError};
use firstcome_core::records::Unit;
use tokio::sync::watch;
use tokio::time::Instant;

use super::fault::Fault;
use super::options::{Address, SqlOptions};
use super::plan::Verdict;
use super::queue::{Answer, Job, Queue};
use super::session::Session;
use super::transaction::Statements;

/// How often a transaction is tried while others are in its way, or the server is.
const TRIES: u32 = 8;
/// The wait before the second try; it doubles.
const PAUSE: Duration = Duration::from_millis(4);

/// What the writers share with the adapter.
pub(super) struct Shared {
    pub(super) address: Address,
    pub(super) options: SqlOptions,
    pub(super) statements: Statements,
    pub(super) queue: Queue,
    /// The number of the last event that is known to be on the disk.
    pub(super) announced: watch::Sender<i64>,
    /// Why nothing can be written any more.
    pub(super) failed: watch::Sender<Option<PortError>>,
}

impl Shared {
    /// All events up to this one are on the disk.
    pub(super) fn announce(&self, last: i64) {
        self.announced.send_if_modified(|known| {
            let more = last > *known;
            *known = last.max(*known);
            more
        });
    }
}

/// Runs until the queue is closed and empty.
pub(super) async fn run(shared: Arc<Shared>, session: Option<Session>) {
    let _guard = FailOnPanic(&shared);
    let mut writer = Writer { shared: &shared, session, refusing: false };
    while let Some(jobs) = shared.queue.take().await {
        writer.settle(jobs).await;
    }
    if let Some(session) = writer.session {
        session.close().await;
    }
}

/// A writer that ends unexpectedly leaves nobody waiting.
struct FailOnPanic<'a>(&'a Shared);

impl Drop for FailOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let reason = PortError::Unavailable(format!("{}: a writer has panicked", self.0.address.name));
            self.0.queue.abandon(&reason);
            self.0.failed.send_replace(Some(reason));
        }
    }
}

struct Writer<'s> {
    shared: &'s Shared,
    session: Option<Session>,
    /// Whether the last transaction could not be written.
    refusing: bool,
}

impl Writer<'_> {
    /// Answers every job. Jobs that the database did not take together are halved until the one is found that it
    /// refuses, so that a conflict disturbs nobody else.
    async fn settle(&mut self, jobs: Vec<Job>) {
        let mut waiting = vec![jobs];
        while let Some(mut jobs) = waiting.pop() {
            let late = jobs.extract_if(.., |job| job.deadline <= Instant::now()).collect::<Vec<_>>();
            for job in late {
                job.answer(Err(self.no_time()));
            }
            if jobs.len() == 1 {
                let answer = self.settle_one(&jobs[0]).await;
                for job in jobs {
                    job.answer(answer.clone());
                }
                continue;
            }
            if jobs.is_empty() {
                continue;
            }
            match self.attempt(&jobs, Way::Together).await {
                Ok(verdicts) => waiting.extend(answer_all(jobs, &verdicts)),
                Err(fault) if fault.is_of_a_unit() => {
                    let later = jobs.split_off(jobs.len() / 2);
                    waiting.extend([later, jobs]);
                }
                Err(fault) => {
                    let reason = self.say(fault);
                    for job in jobs {
                        job.answer(Err(reason.clone()));
                    }
                }
            }
        }
    }

    async fn settle_one(&mut self, job: &Job) -> Answer {
        let jobs = std::slice::from_ref(job);
        match self.attempt(jobs, Way::Together).await {
            Ok(verdicts) => match verdicts[0] {
                Verdict::Planned => return Ok(Committed::Done),
                Verdict::Conflict(index) => return Ok(Committed::Conflict(index)),
                Verdict::Doubtful => {}
            },
            Err(Fault::Taken(_)) => {}
            Err(fault) => return Err(self.say(fault)),
        }
        match self.attempt(jobs, Way::Alone).await {
            Ok(verdicts) => match verdicts[0] {
                Verdict::Conflict(index) => Ok(Committed::Conflict(index)),
                Verdict::Planned | Verdict::Doubtful => Ok(Committed::Done),
            },
            Err(fault) => Err(self.say(fault)),
        }
    }

    /// Runs a transaction, again if something passing was in its way.
    async fn attempt(&mut self, jobs: &[Job], way: Way) -> Result<Vec<Verdict>, Fault> {
        let deadline = jobs.iter().map(|job| job.deadline).max().unwrap_or_else(Instant::now);
        let units: Vec<&Unit> = jobs.iter().map(|job| &job.unit).collect();
        let mut tries = 0;
        loop {
            tries += 1;
            let fault = match self.transaction(&units, way, deadline).await {
                Ok(verdicts) => {
                    self.refusing = false;
                    return Ok(verdicts);
                }
                Err(fault) => fault,
            };
            let pause = PAUSE * (1 << tries.min(6)) / 2;
            let pause = pause + jitter(pause);
            if !fault.passes() || tries == TRIES || Instant::now() + pause >= deadline {
                return Err(fault);
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Leaves a session only if nothing of the transaction is left in it.
    async fn transaction(&mut self, units: &[&Unit], way: Way, deadline: Instant) -> Result<Vec<Verdict>, Fault> {
        let Shared { address, options, statements, .. } = self.shared;
        let mut session = match self.session.take() {
            Some(session) if !session.is_stale() => session,
            stale => {
                if let Some(stale) = stale {
                    stale.close().await;
                }
                Session::connect(address, options.connect_timeout, options.timeout).await?
            }
        };
        let work = async {
            match way {
                Way::Together => {
                    let outcome = session.together(statements, units).await?;
                    Ok((outcome.verdicts, outcome.last_event))
                }
                Way::Alone => {
                    let (committed, last_event) = session.alone(statements, units[0]).await?;
                    let verdict = match committed {
                        Committed::Done => Verdict::Planned,
                        Committed::Conflict(index) => Verdict::Conflict(index),
                    };
                    Ok((vec![verdict], last_event))
                }
            }
        };
        // The server hears of a session that is dropped, and rolls back.
        let late = |_| Fault::Refused("no answer in time".to_owned());
        match tokio::time::timeout_at(deadline, work).await.map_err(late)? {
            Ok((verdicts, last_event)) => {
                if let Some(last) = last_event {
                    self.shared.announce(last);
                }
                self.session = Some(session);
                Ok(verdicts)
            }
            Err(fault @ Fault::Lost(_)) => Err(fault),
            Err(fault) => {
                let undone = tokio::time::timeout(options.timeout, session.plain("ROLLBACK")).await;
                self.session = matches!(undone, Ok(Ok(()))).then_some(session);
                Err(fault)
            }
        }
    }

    fn no_time(&self) -> PortError {
        PortError::Unavailable(format!("{}: no turn in time", self.shared.address.name))
    }

    /// Says once, not once for everyone who is refused, that nothing can be written.
    fn say(&mut self, fault: Fault) -> PortError {
        let of_a_unit = fault.is_of_a_unit();
        let reason = fault.into_port_error(&self.shared.address.name);
        if !of_a_unit && !std::mem::replace(&mut self.refusing, true) {
            tracing::error!(%reason, "nothing can be written at the moment");
        }
        reason
    }
}

/// How units are judged.
#[derive(Clone, Copy)]
enum Way {
    Together,
    Alone,
}

/// Answers those whose fate is known, and returns the others, each alone.
fn answer_all(jobs: Vec<Job>, verdicts: &[Verdict]) -> Vec<Vec<Job>> {
    let mut doubtful = Vec::new();
    for (job, verdict) in jobs.into_iter().zip(verdicts) {
        match verdict {
            Verdict::Planned => job.answer(Ok(Committed::Done)),
            Verdict::Conflict(index) => job.answer(Ok(Committed::Conflict(*index))),
            Verdict::Doubtful => doubtful.push(vec![job]),
        }
    }
    doubtful
}

/// Up to as long again, so that those who met do not meet again.
pub(super) fn jitter(pause: Duration) -> Duration {
    let chance = RandomState::new().hash_one(0) % 1_000;
    pause * chance as u32 / 1_000
}
