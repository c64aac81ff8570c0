//! Gates: every call to a port waits at one before it takes effect and at another before it is answered. The director
//! opens one at a time, so the order in which things happen is the seed's and nobody else's.

use firstcome_tests::Random;
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

/// The gates of one life of the shop.
#[derive(Default)]
pub(super) struct Gates {
    waiting: Mutex<Vec<oneshot::Sender<()>>>,
    news: Notify,
}

impl Gates {
    /// Waits to be let through.
    pub(super) async fn pass(&self) {
        let (open, opened) = oneshot::channel();
        self.waiting.lock().push(open);
        if opened.await.is_err() {
            // The director has gone: this life is over.
            std::future::pending::<()>().await;
        }
    }

    /// Lets one of those who wait through. False when nobody waits.
    pub(super) fn open_one(&self, random: &mut Random) -> bool {
        let mut waiting = self.waiting.lock();
        waiting.retain(|gate| !gate.is_closed());
        if waiting.is_empty() {
            return false;
        }
        let chosen = random.below(waiting.len() as u64) as usize;
        let gate = waiting.remove(chosen);
        gate.send(()).is_ok()
    }

    /// Something may have been written.
    pub(super) fn tell(&self) {
        self.news.notify_waiters();
    }

    /// Waits until `is_there` is true; looks again whenever something may have been written.
    pub(super) async fn until<E>(&self, is_there: impl Fn() -> Result<bool, E>) -> Result<(), E> {
        loop {
            let mut news = std::pin::pin!(self.news.notified());
            news.as_mut().enable();
            if is_there()? {
                return Ok(());
            }
            news.await;
        }
    }
}

/// Runs to its end, on this thread, what waits for threads of the storage only. So nothing depends on how fast they are.
pub(super) fn at_once<F: Future>(work: F) -> F::Output {
    firstcome_core::testkit::runtime::block_on(tokio::task::unconstrained(work))
}
