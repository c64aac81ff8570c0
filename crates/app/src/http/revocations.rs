//! Sessions that ended before their tokens did, as this process knows them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use firstcome_core::ids::SessionId;
use firstcome_core::ports::SessionMarks;
use firstcome_core::time::Time;
use parking_lot::RwLock;

/// Below so many entries nothing is cleaned up.
const SMALL: usize = 1_024;

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

    /// Tells the other processes. That a mark is lost costs a moment: the topic tells the same.
    pub async fn tell(&self, session: SessionId, tokens_until: Time) {
        let Some(marks) = &self.marks else { return };
        // The first try may only find out that the connection is gone; marking twice is marking once.
        if marks.mark(session, tokens_until).await.is_err()
            && let Err(error) = marks.mark(session, tokens_until).await
        {
            tracing::warn!(%error, "other processes learn of a log-out from the topic only");
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
    use super::*;

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
