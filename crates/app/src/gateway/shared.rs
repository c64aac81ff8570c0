//! Limits that several gateways share. Each grants from its own buckets at once; what it granted is told to the others
//! many times a second, and whoever took too much from all of them together gets nothing more for as long as that takes.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::UserId;
use firstcome_core::ports::{PortError, SharedLimits, Taken};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{Gateway, Rate};
use crate::http::Problem;
use crate::role::Worker;

/// How often the others are told.
const EVERY: Duration = Duration::from_millis(200);
/// Buckets that are remembered between two times; the rest is only limited here.
const REMEMBERED: usize = 100_000;
const SHARDS: usize = 16;

/// Whose bucket it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Of {
    /// An account's.
    User(UserId),
    /// An address' network's.
    Network(u128),
}

impl Of {
    fn key(self) -> String {
        match self {
            Self::User(user) => user.to_string(),
            Self::Network(network) => format!("net_{network:x}"),
        }
    }
}

/// What was granted here, and who must wait because of all.
pub(super) struct Shared {
    limits: Arc<dyn SharedLimits>,
    per_user: Rate,
    per_address: Rate,
    hasher: RandomState,
    granted: [Mutex<HashMap<Of, u32>>; SHARDS],
    waiting: Mutex<HashMap<Of, Instant>>,
    /// How many wait: as long as nobody does, nobody takes the lock.
    count: AtomicUsize,
}

impl Shared {
    pub(super) fn new(limits: Arc<dyn SharedLimits>, per_user: Rate, per_address: Rate) -> Self {
        Self {
            limits,
            per_user,
            per_address,
            hasher: RandomState::new(),
            granted: std::array::from_fn(|_| Mutex::default()),
            waiting: Mutex::default(),
            count: AtomicUsize::new(0),
        }
    }

    fn rate(&self, of: Of) -> Rate {
        match of {
            Of::User(_) => self.per_user,
            Of::Network(_) => self.per_address,
        }
    }

    /// Takes a token that the local bucket has granted.
    pub(super) fn check(&self, of: Of) -> Result<(), Problem> {
        if self.rate(of).per_second == 0 {
            return Ok(());
        }
        if self.count.load(Ordering::Acquire) > 0 {
            let now = Instant::now();
            if let Some(until) = self.waiting.lock().get(&of).filter(|until| **until > now) {
                let wait = until.saturating_duration_since(now);
                return Err(Problem::new(ErrorCode::RateLimited).retry_after(wait.as_secs() + 1));
            }
        }
        let mut granted = self.granted[self.hasher.hash_one(of) as usize % SHARDS].lock();
        let room = granted.len() < REMEMBERED / SHARDS;
        match granted.get_mut(&of) {
            Some(count) => *count += 1,
            None if room => {
                granted.insert(of, 1);
            }
            None => {}
        }
        Ok(())
    }

    /// Tells what was granted and learns who must wait.
    pub(super) async fn exchange(&self) -> Result<(), PortError> {
        let granted: Vec<(Of, u32)> =
            self.granted.iter().flat_map(|shard| std::mem::take(&mut *shard.lock())).collect();
        let taken: Vec<Taken> = granted.iter().map(|(of, tokens)| self.taken(*of, *tokens)).collect();
        let waits = if taken.is_empty() { Vec::new() } else { self.limits.take(&taken).await? };
        let now = Instant::now();
        let mut waiting = self.waiting.lock();
        waiting.retain(|_, until| *until > now);
        for ((of, _), wait) in granted.iter().zip(waits).filter(|(_, wait)| !wait.is_zero()) {
            waiting.insert(*of, now + wait);
        }
        self.count.store(waiting.len(), Ordering::Release);
        Ok(())
    }

    fn taken(&self, of: Of, tokens: u32) -> Taken {
        let rate = self.rate(of);
        Taken { key: of.key(), tokens, per_second: rate.per_second, burst: rate.burst.max(1) }
    }
}

/// Exchanges until it is stopped. What could not be told is forgotten: limits here go on by themselves.
pub(super) fn worker(gateway: Arc<Gateway>) -> Worker {
    Worker::new("gateway.shared-limits", move |stop| async move {
        let Some(shared) = gateway.limits.shared() else {
            stop.cancelled().await;
            return Ok(());
        };
        let mut failing = false;
        while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
            let Some(exchanged) = stop.run_until_cancelled(shared.exchange()).await else { break };
            match &exchanged {
                Ok(()) if failing => tracing::info!("limits are shared again"),
                Err(error) if !failing => tracing::warn!(%error, "each gateway limits by itself"),
                _ => {}
            }
            failing = exchanged.is_err();
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use async_trait::async_trait;

    use super::*;

    /// Buckets that never get a token back.
    #[derive(Default)]
    struct Fixed {
        taken: Mutex<HashMap<String, u32>>,
        away: AtomicBool,
    }

    #[async_trait]
    impl SharedLimits for Fixed {
        async fn take(&self, taken: &[Taken]) -> Result<Vec<Duration>, PortError> {
            if self.away.load(Ordering::Relaxed) {
                return Err(PortError::Unavailable("away".to_owned()));
            }
            let mut all = self.taken.lock();
            let waits = taken.iter().map(|one| {
                let sum = all.entry(one.key.clone()).or_default();
                *sum += one.tokens;
                Duration::from_secs(sum.saturating_sub(one.burst).into())
            });
            Ok(waits.collect())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_one_gateway_granted_counts_for_the_other() {
        let fixed = Arc::new(Fixed::default());
        let rate = Rate { per_second: 1, burst: 10 };
        let [one, two] = [(); 2].map(|()| Shared::new(fixed.clone(), rate, rate));
        let (kim, lee) = (Of::User(UserId([1; 16])), Of::User(UserId([2; 16])));
        for shared in [&one, &two] {
            for _ in 0..8 {
                shared.check(kim).expect("granted by its own bucket");
            }
            shared.exchange().await.unwrap();
        }
        assert!(one.check(kim).is_ok(), "it asked before the other had told");
        let refused = two.check(kim).expect_err("16 of 10");
        assert_eq!(refused.code(), ErrorCode::RateLimited);
        assert!(two.check(lee).is_ok());
        tokio::time::advance(Duration::from_secs(7)).await;
        assert!(two.check(kim).is_ok());
        fixed.away.store(true, Ordering::Relaxed);
        assert!(two.exchange().await.is_err());
        assert!(two.check(kim).is_ok(), "then each limits by itself");
    }
}
