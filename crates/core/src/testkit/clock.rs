//! A clock that tests hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::ports::Clock;
use crate::time::Time;

/// A clock that stands still until it is told. Clones show the same time.
#[derive(Clone, Debug)]
pub struct TestClock(Arc<AtomicI64>);

impl TestClock {
    /// A clock that shows `now`.
    pub fn at(now: Time) -> Self {
        Self(Arc::new(AtomicI64::new(now.0)))
    }

    /// Shows `now` from here on, which may be earlier than before: real clocks are set back too.
    pub fn set(&self, now: Time) {
        self.0.store(now.0, Ordering::SeqCst);
    }

    /// Goes on by `duration` and says what the clock shows then.
    pub fn advance(&self, duration: Duration) -> Time {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Time(self.0.fetch_add(micros, Ordering::SeqCst).saturating_add(micros))
    }
}

impl Default for TestClock {
    /// 2025-11-21T05:33:20Z, a moment like any other.
    fn default() -> Self {
        Self::at(Time::from_millis(1_763_703_200_000))
    }
}

impl Clock for TestClock {
    fn now(&self) -> Time {
        Time(self.0.load(Ordering::SeqCst))
    }
}
