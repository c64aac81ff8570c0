//! How long ago it was known from a source who was logged out.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// A log-out is effective within this.
pub(super) const EFFECTIVE: Duration = Duration::from_secs(1);
/// How often a source is asked: often enough that an answer that is a little late is no gap.
pub(super) const EVERY: Duration = Duration::from_millis(200);

/// The moment up to which a source has told everything.
pub(super) struct Freshness {
    began: Instant,
    /// In milliseconds after `began`, and one more; 0 for never.
    known: AtomicU64,
}

impl Default for Freshness {
    fn default() -> Self {
        Self { began: Instant::now(), known: AtomicU64::new(0) }
    }
}

impl Freshness {
    /// The source has told everything up to this moment, which is the one in which it was asked.
    pub(super) fn know(&self, asked: Instant) {
        let known = asked.saturating_duration_since(self.began).as_millis() as u64;
        self.known.fetch_max(known + 1, Ordering::AcqRel);
    }

    /// Up to when it has told everything, if it ever did.
    fn known(&self) -> Option<Instant> {
        let known = self.known.load(Ordering::Acquire);
        Some(self.began + Duration::from_millis(known.checked_sub(1)?))
    }

    /// How long ago that was; since the start if it never was.
    pub(super) fn age(&self) -> Duration {
        self.known().unwrap_or(self.began).elapsed()
    }

    /// Whether a log-out of a second ago is known.
    pub(super) fn is_fresh(&self) -> bool {
        self.known().is_some_and(|known| known.elapsed() < EFFECTIVE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn fresh_for_a_second_after_it_was_asked() {
        let source = Freshness::default();
        assert!(!source.is_fresh() && source.known().is_none());
        let asked = Instant::now();
        tokio::time::advance(Duration::from_millis(900)).await;
        source.know(asked);
        assert!(source.is_fresh() && source.age() == Duration::from_millis(900));
        tokio::time::advance(Duration::from_millis(100)).await;
        assert!(!source.is_fresh());
        source.know(Instant::now());
        source.know(asked);
        assert_eq!(source.age(), Duration::ZERO, "an answer that comes late takes nothing back");
    }
}
