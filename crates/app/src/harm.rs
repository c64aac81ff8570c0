//! Where things go wrong: every call to a port is a step, and each step can be harmed.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use firstcome_core::ports::{Committed, PortError, Records};
use firstcome_core::records::{self, Query, Row, Table, Unit};
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// What happens at a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Harm {
    /// It is not done, and fails.
    FailBefore,
    /// It is done, and fails.
    FailAfter,
    /// It is done twice.
    Repeat,
    /// The process stops before it.
    CrashBefore,
    /// The process stops after it.
    CrashAfter,
}

impl Harm {
    pub(crate) const ALL: [Self; 5] =
        [Self::FailBefore, Self::FailAfter, Self::Repeat, Self::CrashBefore, Self::CrashAfter];
}

/// Counts steps and harms one of them.
#[derive(Default)]
pub(crate) struct Steps {
    seen: AtomicUsize,
    strike: Mutex<Option<(usize, Harm)>>,
    struck: Mutex<Option<String>>,
    meanwhile: Mutex<Vec<(&'static str, BoxFuture<'static, ()>)>>,
    crashed: Notify,
}

impl Steps {
    /// How many there were.
    pub(crate) fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }

    /// Harms the step with this number from now on counted from 0.
    pub(crate) fn strike(&self, step: usize, harm: Harm) {
        self.seen.store(0, Ordering::SeqCst);
        *self.strike.lock() = Some((step, harm));
    }

    /// Harms nothing from now on.
    pub(crate) fn calm(&self) {
        *self.strike.lock() = None;
    }

    /// What was harmed, if it came to that.
    pub(crate) fn struck(&self) -> Option<String> {
        self.struck.lock().clone()
    }

    /// Does this in the next step of this name, before its effect: what somebody else does at that moment.
    pub(crate) fn meanwhile(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        self.meanwhile.lock().push((name, Box::pin(work)));
    }

    fn take_meanwhile(&self, name: &str) -> Option<BoxFuture<'static, ()>> {
        let mut meanwhile = self.meanwhile.lock();
        let place = meanwhile.iter().position(|(step, _)| *step == name)?;
        Some(meanwhile.remove(place).1)
    }

    /// Returns when the process stops.
    pub(crate) async fn crash(&self) {
        self.crashed.notified().await;
    }

    /// Does one step. `failed` makes its failure.
    pub(crate) async fn pass<T, F: Future<Output = T>>(
        &self,
        name: &str,
        work: impl Fn() -> F,
        failed: impl FnOnce() -> T,
    ) -> T {
        if let Some(work) = self.take_meanwhile(name) {
            work.await;
        }
        let number = self.seen.fetch_add(1, Ordering::SeqCst);
        let harm = self.strike.lock().filter(|(step, _)| *step == number).map(|(_, harm)| harm);
        let Some(harm) = harm else { return work().await };
        *self.struck.lock() = Some(format!("{harm:?} at step {number}, {name}"));
        match harm {
            Harm::FailBefore => failed(),
            Harm::FailAfter => {
                work().await;
                failed()
            }
            Harm::Repeat => {
                let first = work().await;
                work().await;
                first
            }
            Harm::CrashBefore => self.stop().await,
            Harm::CrashAfter => {
                work().await;
                self.stop().await
            }
        }
    }

    async fn stop<T>(&self) -> T {
        self.crashed.notify_one();
        std::future::pending().await
    }
}

/// The rows of a database that is far away: others come in between any two calls.
pub(crate) struct Far(pub(crate) Arc<dyn Records>);

#[async_trait]
impl Records for Far {
    async fn get(&self, table: &'static Table, key: records::Value) -> Result<Option<Row>, PortError> {
        tokio::task::yield_now().await;
        self.0.get(table, key).await
    }

    async fn get_many(&self, table: &'static Table, keys: Vec<records::Value>) -> Result<Vec<Row>, PortError> {
        tokio::task::yield_now().await;
        self.0.get_many(table, keys).await
    }

    async fn select(&self, query: Query) -> Result<Vec<Row>, PortError> {
        tokio::task::yield_now().await;
        self.0.select(query).await
    }

    async fn commit(&self, unit: Unit) -> Result<Committed, PortError> {
        tokio::task::yield_now().await;
        self.0.commit(unit).await
    }

    async fn position(&self, consumer: &'static str) -> Result<i64, PortError> {
        self.0.position(consumer).await
    }
}
