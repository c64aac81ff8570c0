//! Just enough of a runtime that suites need none: they run on whatever their caller runs on.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// A future whose type does not matter.
pub type Task<T> = Pin<Box<dyn Future<Output = T> + Send>>;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future to its end on this thread.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        std::thread::park();
    }
}

/// Runs futures side by side on the caller's task and collects what they give, in their order.
pub async fn join_all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    poll_fn(|context| {
        let mut waiting = false;
        for (future, value) in &mut running {
            if value.is_none() {
                match future.as_mut().poll(context) {
                    Poll::Ready(done) => *value = Some(done),
                    Poll::Pending => waiting = true,
                }
            }
        }
        if waiting { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    running.into_iter().filter_map(|(_, value)| value).collect()
}

/// Lets others run once.
pub async fn give_way() {
    let mut given = false;
    poll_fn(|context| {
        if given {
            return Poll::Ready(());
        }
        given = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[derive(Default)]
struct Alarms {
    waiting: Mutex<BinaryHeap<Reverse<Alarm>>>,
    changed: Condvar,
}

struct Alarm {
    at: Instant,
    waker: Waker,
}

impl PartialEq for Alarm {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Alarm {}

impl PartialOrd for Alarm {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Alarm {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

fn alarms() -> &'static Alarms {
    static ALARMS: OnceLock<Arc<Alarms>> = OnceLock::new();
    ALARMS.get_or_init(|| {
        let alarms = Arc::new(Alarms::default());
        let ringing = Arc::clone(&alarms);
        std::thread::spawn(move || ring(&ringing));
        alarms
    })
}

fn ring(alarms: &Alarms) {
    let mut waiting = alarms.waiting.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let now = Instant::now();
        while waiting.peek().is_some_and(|next| next.0.at <= now) {
            if let Some(Reverse(alarm)) = waiting.pop() {
                alarm.waker.wake();
            }
        }
        let nap = waiting.peek().map_or(Duration::from_mins(1), |next| next.0.at.saturating_duration_since(now));
        waiting = alarms.changed.wait_timeout(waiting, nap).unwrap_or_else(PoisonError::into_inner).0;
    }
}

/// Waits in real time.
pub async fn sleep(duration: Duration) {
    let at = Instant::now() + duration;
    poll_fn(|context| {
        if Instant::now() >= at {
            return Poll::Ready(());
        }
        let alarm = Alarm { at, waker: context.waker().clone() };
        alarms().waiting.lock().unwrap_or_else(PoisonError::into_inner).push(Reverse(alarm));
        alarms().changed.notify_one();
        Poll::Pending
    })
    .await;
}

/// What the future gives, or none when it takes longer: so that a suite reports what would hang.
pub async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut limit = pin!(sleep(limit));
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => limit.as_mut().poll(context).map(|()| None),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_in_order_and_gives_up_on_what_hangs() {
        let joined = block_on(join_all((0..3_u64).map(|number| async move {
            sleep(Duration::from_millis(3 - number)).await;
            give_way().await;
            number
        })));
        assert_eq!(joined, [0, 1, 2]);
        assert_eq!(block_on(within(Duration::from_millis(1), std::future::pending::<()>())), None);
    }
}
