//! Sessions that ended before their tokens did, as this process knows them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use firstcome_core::ids::SessionId;
use firstcome_core::ports::SessionMarks;
use firstcome_core::time::Time;
use parking_lot::{Mutex, RwLock};

/// Below so many entries nothing is cleaned up.
const SMALL: usize = 1_024;
/// Log-outs that are remembered until the others can be told.
const UNTOLD: usize = 100_000;
/// Of those so many are told at once.
const BATCH: usize = 256;

/// The revoked sessions. Each is forgotten when the last access token of it has expired by itself, so the set is as
/// large as the log-outs of a token's lifetime.
///
/// The accounts role and the gateway of one process share a value, which makes a log-out effective before it is
/// answered. What happens in other processes the gateway learns from the `accounts` topic, and sooner from the marks.
#[derive(Default)]
pub struct Revocations {
    marks: Option<Arc<dyn SessionMarks>>,
    sessions: RwLock<Sessions>,
    /// How many there are: without any, nobody takes the lock.
    count: AtomicUsize,
    /// What the other processes were not told yet, with the end of its tokens.
    untold: Mutex<HashMap<SessionId, Time>>,
}

#[derive(Default)]
struct Sessions {
    /// When the last access token of each expires.
    until: HashMap<SessionId, Time>,
    /// Entries at which the expired ones are looked for.
    clean_at: usize,
}

impl Revocations {
    /// Revocations that other processes are told of at once, beside the topic.
    pub fn told_by(marks: Arc<dyn SessionMarks>) -> Self {
        Self { marks: Some(marks), ..Self::default() }
    }

    /// What tells processes of each other's log-outs, if there are several.
    pub fn marks(&self) -> Option<&dyn SessionMarks> {
        self.marks.as_deref()
    }

    /// Tells the other processes. What cannot be told now, or is not because nobody waits for it any more, is told
    /// [again](Self::tell_again); the topic tells the same.
    pub async fn tell(&self, session: SessionId, tokens_until: Time) {
        let Some(marks) = &self.marks else { return };
        self.remember_untold(session, tokens_until);
        // The first try may only find out that the connection is gone; marking twice is marking once.
        if marks.mark(session, tokens_until).await.is_ok() || marks.mark(session, tokens_until).await.is_ok() {
            self.untold.lock().remove(&session);
        }
    }

    fn remember_untold(&self, session: SessionId, tokens_until: Time) {
        let mut untold = self.untold.lock();
        if untold.len() < UNTOLD {
            untold.insert(session, tokens_until);
        } else {
            tracing::warn!(%session, "other processes learn of a log-out from the topic only, or when they ask");
        }
    }

    /// Tells the other processes what they were not told, as far as that goes, and forgets what they need not know any
    /// more. Returns how many log-outs are left.
    pub async fn tell_again(&self, now: Time) -> usize {
        let Some(marks) = &self.marks else { return 0 };
        loop {
            let some: Vec<_> = {
                let mut untold = self.untold.lock();
                untold.retain(|_, until| *until > now);
                untold.iter().take(BATCH).map(|(session, until)| (*session, *until)).collect()
            };
            let mark = async |(session, until)| marks.mark(session, until).await.ok().map(|()| session);
            let told = futures_util::future::join_all(some.iter().copied().map(mark)).await;
            let mut untold = self.untold.lock();
            let before = untold.len();
            for session in told.into_iter().flatten() {
                untold.remove(&session);
            }
            if untold.is_empty() || untold.len() == before {
                return untold.len();
            }
        }
    }

    /// The session is over from now on.
    pub fn revoke(&self, session: SessionId, tokens_until: Time, now: Time) {
        if tokens_until <= now {
            return;
        }
        let mut sessions = self.sessions.write();
        let until = sessions.until.entry(session).or_insert(tokens_until);
        *until = (*until).max(tokens_until);
        if sessions.until.len() >= sessions.clean_at.max(SMALL) {
            sessions.until.retain(|_, until| *until > now);
            sessions.clean_at = sessions.until.len() * 2;
        }
        self.count.store(sessions.until.len(), Ordering::Release);
    }

    /// Whether the session ended.
    pub fn contains(&self, session: SessionId) -> bool {
        self.count.load(Ordering::Acquire) > 0 && self.sessions.read().until.contains_key(&session)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use firstcome_core::ports::PortError;

    use super::*;

    /// Marks that are taken, or not.
    #[derive(Default)]
    struct Marks {
        taken: Mutex<Vec<SessionId>>,
        away: AtomicBool,
    }

    #[async_trait::async_trait]
    impl SessionMarks for Marks {
        async fn mark(&self, session: SessionId, _: Time) -> Result<(), PortError> {
            if self.away.load(Ordering::Relaxed) {
                tokio::task::yield_now().await;
                return Err(PortError::Unavailable("away".to_owned()));
            }
            self.taken.lock().push(session);
            Ok(())
        }

        async fn marked(&self, after: i64) -> Result<(Vec<(SessionId, Time)>, i64), PortError> {
            Ok((Vec::new(), after))
        }
    }

    #[tokio::test]
    async fn what_could_not_be_told_is_told_again_until_it_does_not_matter() {
        let marks = Arc::new(Marks::default());
        let revocations = Revocations::told_by(marks.clone());
        let session = |number: u16| SessionId(u128::from(number).to_be_bytes());
        marks.away.store(true, Ordering::Relaxed);
        for number in 0..1_000 {
            revocations.tell(session(number), Time(if number < 400 { 10 } else { 20 })).await;
        }
        assert_eq!(revocations.tell_again(Time(5)).await, 1_000);
        assert_eq!(revocations.tell_again(Time(10)).await, 600, "the others' tokens have expired");
        marks.away.store(false, Ordering::Relaxed);
        assert_eq!(revocations.tell_again(Time(10)).await, 0);
        let mut taken = marks.taken.lock().clone();
        taken.sort_unstable();
        assert_eq!(taken, (400..1_000).map(session).collect::<Vec<_>>());
        drop(taken);
        revocations.tell(session(7), Time(20)).await;
        assert_eq!(revocations.tell_again(Time(10)).await, 0);
        assert_eq!(marks.taken.lock().len(), 601);
    }

    #[tokio::test]
    async fn whoever_leaves_while_it_is_told_leaves_it_to_the_next_try() {
        let marks = Arc::new(Marks::default());
        let revocations = Revocations::told_by(marks.clone());
        marks.away.store(true, Ordering::Relaxed);
        assert!(futures_util::poll!(std::pin::pin!(revocations.tell(SessionId([1; 16]), Time(20)))).is_pending());
        marks.away.store(false, Ordering::Relaxed);
        assert_eq!(revocations.tell_again(Time(10)).await, 0);
        assert_eq!(*marks.taken.lock(), [SessionId([1; 16])]);
    }

    #[test]
    fn forgets_what_has_expired() {
        let revocations = Revocations::default();
        for number in 0..100_000_u128 {
            let now = Time(i64::try_from(number).unwrap());
            revocations.revoke(SessionId(number.to_be_bytes()), Time(now.0 + 10), now);
            assert!(revocations.contains(SessionId(number.to_be_bytes())));
        }
        assert!(revocations.count.load(Ordering::Relaxed) <= SMALL);
        assert!(!revocations.contains(SessionId([9; 16])));
    }
}
