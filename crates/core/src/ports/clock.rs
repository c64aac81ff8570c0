//! Time from outside, so that tests can hold it.

use crate::time::Time;

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// Now. May step back by a little when the machine's clock is set; whoever needs order keeps its own maximum.
    fn now(&self) -> Time;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Time {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Time(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}
