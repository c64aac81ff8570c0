//! From start to stop: workers with names, a soft stop on the first signal, a hard one on the second, and an end with a
//! non-zero code when something that must run has ended by itself.

use firstcome_app::role::Worker;
use rustix::process::Signal;
use tokio::signal::unix::{Signal as SignalStream, SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Has the system kill this process when its parent ends, however that comes about. `parent` is who started it.
pub fn end_with(parent: u32) -> std::io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // It may have ended before this could be said.
    if rustix::process::getppid().is_some_and(|now| now.as_raw_nonzero().get() as u32 == parent) {
        return Ok(());
    }
    Err(std::io::Error::other(format!("process {parent}, with which this one ends, is not its parent")))
}

/// Something that must run has ended.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {why}")]
pub struct Fatal {
    /// The worker or the store.
    pub name: String,
    /// What it said.
    pub why: String,
}

/// Running workers.
pub struct Workers {
    tasks: JoinSet<(&'static str, Result<(), String>)>,
    stop: CancellationToken,
}

impl Workers {
    /// Workers that stop when `stop` is cancelled.
    pub fn new(stop: CancellationToken) -> Self {
        Self { tasks: JoinSet::new(), stop }
    }

    /// Starts one.
    pub fn start(&mut self, worker: Worker) {
        let name = worker.name;
        let running = worker.start(self.stop.clone());
        self.tasks.spawn(async move { (name, running.await.map_err(|error| error.to_string())) });
    }

    /// Returns when a worker has ended though nobody asked it to.
    pub async fn unexpected_end(&mut self) -> Fatal {
        loop {
            match self.tasks.join_next().await {
                Some(Ok((name, Ok(())))) if self.stop.is_cancelled() => tracing::debug!(name, "ended"),
                Some(Ok((name, outcome))) => {
                    let why = outcome.err().unwrap_or_else(|| "it ended by itself".to_owned());
                    return Fatal { name: name.to_owned(), why };
                }
                Some(Err(error)) => return Fatal { name: "a worker".to_owned(), why: error.to_string() },
                None => std::future::pending().await,
            }
        }
    }

    /// Waits until all have ended.
    pub async fn finish(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

/// The exit code after a second Ctrl-C: as a shell says it of what ended by the first.
const FORCED: i32 = 130;

/// Returns at the first Ctrl-C or SIGTERM; the second one after that ends the process at once. What was answered is on the
/// disk then too, as after a crash.
pub async fn stop_requested() {
    let mut signals = Signals::listen();
    signals.next().await;
    tokio::spawn(async move {
        signals.next().await;
        tracing::warn!("stopped by force");
        end_at_once();
    });
}

#[expect(clippy::exit, reason = "whoever asks twice waits for nobody: a flush may be what hangs")]
fn end_at_once() -> ! {
    std::process::exit(FORCED)
}

/// Ctrl-C and SIGTERM from the moment of listening on: none is lost between two waits.
struct Signals {
    interrupt: Option<SignalStream>,
    terminate: Option<SignalStream>,
}

impl Signals {
    /// Listens. What cannot be listened to never comes.
    fn listen() -> Self {
        let [interrupt, terminate] = [SignalKind::interrupt(), SignalKind::terminate()].map(|kind| signal(kind).ok());
        Self { interrupt, terminate }
    }

    async fn next(&mut self) {
        tokio::select! {
            () = one(&mut self.interrupt) => {}
            () = one(&mut self.terminate) => {}
        }
    }
}

async fn one(signals: &mut Option<SignalStream>) {
    match signals {
        Some(signals) => {
            signals.recv().await;
        }
        None => std::future::pending().await,
    }
}
