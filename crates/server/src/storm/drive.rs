//! Drives work against a server: so many at a time (closed loop), or so many a second whatever the server does (open loop).
//!
//! Everything runs on one thread: tasks share by `Rc`, and nothing wakes another core.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::client::{ClientError, Connection};
use super::progress::Progress;
use super::tally::Tally;

/// How long after its end a run waits for answers.
const GRACE: Duration = Duration::from_secs(30);
/// An arrival that starts later than this counts as late: timers are not finer.
const PUNCTUAL: Duration = Duration::from_millis(2);
/// After a broken connection, before the next try.
const PAUSE: Duration = Duration::from_millis(20);

/// Something that is done again and again over a connection.
pub(crate) trait Work: 'static {
    /// Does it once and counts what came of it. `number` differs each time.
    async fn once(&self, connection: &mut Connection, number: u64, tally: &RefCell<Tally>) -> Result<(), ClientError>;
}

/// How work is driven.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Connections, which are also the most that is in flight.
    pub(crate) connections: usize,
    /// No work begins after so long.
    pub(crate) duration: Duration,
    /// No more than so many pieces of work.
    pub(crate) limit: u64,
    /// Arrivals per second; none for a closed loop, in which every connection begins anew as soon as it has its answer.
    pub(crate) rate: Option<f64>,
}

/// What a run came to.
#[derive(Clone, Default, Debug)]
pub(crate) struct Run {
    /// Its counts.
    pub(crate) tally: Tally,
    /// From its beginning to its last answer.
    pub(crate) elapsed: Duration,
}

struct Loop<W> {
    work: W,
    plan: Plan,
    address: SocketAddr,
    start: Instant,
    next: Cell<u64>,
    tally: RefCell<Tally>,
    progress: Progress,
}

/// Drives `work` as `plan` says. Must run inside a `LocalSet`.
pub(crate) async fn drive<W: Work>(work: W, address: SocketAddr, plan: Plan, progress: &Progress) -> Run {
    let start = Instant::now();
    let state = Rc::new(Loop {
        work,
        plan,
        address,
        start,
        next: Cell::new(0),
        tally: RefCell::default(),
        progress: progress.clone(),
    });
    let mut tasks = JoinSet::new();
    for _ in 0..plan.connections {
        tasks.spawn_local(Rc::clone(&state).connection());
    }
    let all = async { while tasks.join_next().await.is_some() {} };
    let in_time = timeout(plan.duration + GRACE, all).await.is_ok();
    let elapsed = start.elapsed();
    let unanswered = tasks.len();
    // Aborted tasks let go of what they share.
    tasks.shutdown().await;
    let mut tally = state.tally.take();
    if !in_time {
        for _ in 0..unanswered {
            tally.error("no answer");
        }
    }
    Run { tally, elapsed }
}

impl<W: Work> Loop<W> {
    /// One connection's part.
    async fn connection(self: Rc<Self>) {
        let mut connection = Connection::new(self.address);
        while let Some((number, due)) = self.next() {
            if let Some(due) = due {
                if due + PUNCTUAL < Instant::now() {
                    self.tally.borrow_mut().late += 1;
                }
                sleep_until(due).await;
            }
            // In an open loop whoever waits for a connection waits for the server: that time counts.
            let begun = due.unwrap_or_else(Instant::now);
            let result = self.work.once(&mut connection, number, &self.tally).await;
            self.progress.one();
            self.tally.borrow_mut().done(begun.elapsed());
            if let Err(error) = result {
                self.tally.borrow_mut().error(&error.to_string());
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// The number of the next piece of work and when it is due; none at the end.
    fn next(&self) -> Option<(u64, Option<Instant>)> {
        let number = self.next.get();
        let due = self.plan.rate.map(|rate| self.start + Duration::from_secs_f64(number as f64 / rate));
        let begins = due.unwrap_or_else(Instant::now);
        if number >= self.plan.limit || begins.duration_since(self.start) >= self.plan.duration {
            return None;
        }
        self.next.set(number + 1);
        Some((number, due))
    }
}
