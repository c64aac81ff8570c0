//! How far behind something is that handles what others have written.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::time::Time;

/// Since when the oldest that waits has been there. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Lag(Arc<AtomicI64>);

impl Lag {
    /// What was written then waits.
    pub fn waits_since(&self, at: Time) {
        self.0.store(at.0, Ordering::Relaxed);
    }

    /// Nothing waits.
    pub fn caught_up(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// How long ago it was written.
    pub fn at(&self, now: Time) -> Duration {
        match self.0.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            since => now.since(Time(since)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_old_as_what_waits() {
        let lag = Lag::default();
        assert_eq!(lag.at(Time::from_millis(5)), Duration::ZERO);
        lag.clone().waits_since(Time::from_millis(2));
        assert_eq!(lag.at(Time::from_millis(5)), Duration::from_millis(3));
        assert_eq!(lag.at(Time::from_millis(1)), Duration::ZERO, "written by a clock that is ahead");
        lag.caught_up();
        assert_eq!(lag.at(Time::from_millis(5)), Duration::ZERO);
    }
}
