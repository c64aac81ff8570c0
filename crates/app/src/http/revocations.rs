//! Sessions that ended before their tokens did, as this process knows them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use firstcome_core::ids::SessionId;
use firstcome_core::time::Time;
use parking_lot::RwLock;

/// Below so many entries nothing is cleaned up.
const SMALL: usize = 1_024;

/// The revoked sessions. Each is forgotten when the last access token of it has expired by itself, so the set is as
/// large as the log-outs of a token's lifetime.
///
/// The accounts role and the gateway of one process share a value, which makes a log-out effective before it is
/// answered. What happens in other processes the gateway learns from the `accounts` topic.
#[derive(Default)]
pub struct Revocations {
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
