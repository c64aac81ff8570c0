//! The circuit breaker of one instance: after some failures in a row, or one refused connection, it gets nothing for a
//! while; then one request at a time is let through, and the first that succeeds closes the circuit.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// The pause doubles so often at the most.
const DOUBLINGS: u32 = 4;

/// When the circuit opens, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct BreakerOptions {
    /// Failures in a row.
    pub failures: u32,
    /// The first pause; twice as long after each probe that fails.
    pub pause: Duration,
}

/// What the circuit is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Circuit {
    /// Requests go through.
    Closed,
    /// None goes through.
    Open,
    /// One may go through, or is on its way.
    HalfOpen,
}

#[derive(Default)]
struct State {
    failures: u32,
    /// Until when nothing goes through; none while closed.
    open_until: Option<Instant>,
    /// How often it opened since it last closed.
    openings: u32,
    /// When the probe that is on its way was let through.
    probe: Option<Instant>,
}

/// A circuit breaker.
pub(super) struct Breaker {
    options: BreakerOptions,
    state: Mutex<State>,
}

impl Breaker {
    pub(super) fn new(options: BreakerOptions) -> Self {
        Self { options, state: Mutex::default() }
    }

    pub(super) fn circuit(&self, now: Instant) -> Circuit {
        match self.state.lock().open_until {
            None => Circuit::Closed,
            Some(until) if now < until => Circuit::Open,
            Some(_) => Circuit::HalfOpen,
        }
    }

    /// Lets a request through, or not. After a `true`, [`Breaker::succeeded`], [`Breaker::failed`] or
    /// [`Breaker::abandoned`] follows; what ends without a word blocks the next probe for a pause only.
    pub(super) fn admit(&self, now: Instant) -> bool {
        let mut state = self.state.lock();
        match state.open_until {
            None => true,
            Some(until) if now < until => false,
            Some(_) if state.probe.is_some_and(|begun| now < begun + self.pause(&state)) => false,
            Some(_) => {
                state.probe = Some(now);
                true
            }
        }
    }

    /// Whether [`Breaker::admit`] would let one through now.
    pub(super) fn would_admit(&self, now: Instant) -> bool {
        let state = self.state.lock();
        let probing = state.probe.is_some_and(|begun| now < begun + self.pause(&state));
        state.open_until.is_none_or(|until| now >= until && !probing)
    }

    pub(super) fn succeeded(&self) {
        *self.state.lock() = State::default();
    }

    /// The instance did not do its part.
    pub(super) fn failed(&self, now: Instant) {
        let mut state = self.state.lock();
        state.failures += 1;
        if state.failures >= self.options.failures || state.open_until.is_some() {
            self.open(&mut state, now);
        }
    }

    /// Nobody listens there.
    pub(super) fn refused(&self, now: Instant) {
        self.open(&mut self.state.lock(), now);
    }

    /// The request ended for reasons of its own, and says nothing of the instance.
    pub(super) fn abandoned(&self) {
        self.state.lock().probe = None;
    }

    fn open(&self, state: &mut State, now: Instant) {
        // Requests that were under way when it opened fail one after the other; that is one opening.
        if state.open_until.is_some_and(|until| now < until) {
            return;
        }
        state.open_until = Some(now + self.pause(state));
        state.openings += 1;
        state.probe = None;
    }

    fn pause(&self, state: &State) -> Duration {
        self.options.pause * 2_u32.pow(state.openings.min(DOUBLINGS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_millis(100);

    fn breaker() -> (Breaker, Instant) {
        (Breaker::new(BreakerOptions { failures: 3, pause: PAUSE }), Instant::now())
    }

    #[test]
    fn opens_after_failures_in_a_row() {
        let (breaker, now) = breaker();
        for _ in 0..2 {
            breaker.failed(now);
        }
        breaker.succeeded();
        for _ in 0..2 {
            breaker.failed(now);
        }
        assert!(breaker.admit(now));
        breaker.failed(now);
        assert_eq!((breaker.circuit(now), breaker.admit(now)), (Circuit::Open, false));
    }

    #[test]
    fn one_probe_at_a_time_and_a_longer_pause_after_each_that_fails() {
        let (breaker, mut now) = breaker();
        breaker.refused(now);
        for pause in [PAUSE, PAUSE * 2, PAUSE * 4, PAUSE * 8, PAUSE * 16, PAUSE * 16] {
            assert!(!breaker.would_admit(now + pause - Duration::from_millis(1)), "{pause:?}");
            now += pause;
            assert_eq!(breaker.circuit(now), Circuit::HalfOpen);
            assert!(breaker.admit(now), "{pause:?}");
            assert!(!breaker.admit(now), "a second probe");
            breaker.failed(now);
        }
        now += PAUSE * 16;
        assert!(breaker.admit(now));
        breaker.succeeded();
        assert_eq!((breaker.circuit(now), breaker.admit(now), breaker.admit(now)), (Circuit::Closed, true, true));
    }

    #[test]
    fn a_probe_that_says_nothing_makes_room_for_the_next() {
        let (breaker, mut now) = breaker();
        breaker.refused(now);
        now += PAUSE;
        assert!(breaker.admit(now));
        breaker.abandoned();
        assert!(breaker.admit(now));
        now += PAUSE * 2;
        assert!(breaker.admit(now), "the last one never came back");
    }
}
