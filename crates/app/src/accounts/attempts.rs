//! Slows down whoever guesses: wrong passwords per account and address, and codes asked for per address.
//!
//! In memory and bounded. Someone who guesses from one address soon waits minutes; the account's owner, elsewhere, at
//! most half a minute, so that nobody can lock another out.

use std::num::NonZeroU32;
use std::time::Duration;

use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::digest_parts;
use firstcome_core::time::Time;
use governor::clock::Clock as _;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use quick_cache::sync::Cache;

use super::Options;
use crate::http::{ClientAddress, Problem};

/// Keys that are remembered; the least used are forgotten.
const REMEMBERED: usize = 100_000;
/// After so long without a failure all is forgotten.
const FORGIVEN_AFTER: Duration = Duration::from_mins(15);

/// What failures are counted by.
struct Kind {
    name: &'static str,
    /// Failures that cost nothing.
    free: u32,
    /// The longest wait; each failure doubles it up to here.
    longest: Duration,
}

const ACCOUNT_FROM_ADDRESS: Kind = Kind { name: "both", free: 5, longest: Duration::from_mins(5) };
const ACCOUNT: Kind = Kind { name: "account", free: 50, longest: Duration::from_secs(30) };
const ADDRESS: Kind = Kind { name: "address", free: 100, longest: Duration::from_mins(5) };

#[derive(Clone, Copy, Default)]
struct Failures {
    count: u32,
    last: Time,
    blocked_until: Time,
}

type Key = [u8; 32];

/// Counts failures.
pub(super) struct Attempts {
    failures: Cache<Key, Failures>,
    codes: Option<DefaultKeyedRateLimiter<u128>>,
    development: bool,
}

impl Attempts {
    pub(super) fn new(options: &Options) -> Self {
        let burst = NonZeroU32::new(options.codes_per_address);
        let quota =
            burst.and_then(|burst| Some(Quota::with_period(options.code_window / burst.get())?.allow_burst(burst)));
        Self {
            failures: Cache::new(REMEMBERED),
            codes: quota.map(RateLimiter::keyed),
            development: options.development,
        }
    }

    /// Refuses a log-in that comes too soon after failures.
    pub(super) fn check(&self, account: &[u8], address: ClientAddress, now: Time) -> Result<(), Problem> {
        let blocked = |(_, key)| self.failures.get(&key).map(|failures| failures.blocked_until);
        let until = self.keys(account, address).into_iter().filter_map(blocked).max().unwrap_or_default();
        if until <= now {
            return Ok(());
        }
        let seconds = until.since(now).as_secs() + 1;
        Err(Problem::new(ErrorCode::RateLimited).detail("Too many wrong passwords").retry_after(seconds))
    }

    /// A log-in failed.
    pub(super) fn failed(&self, account: &[u8], address: ClientAddress, now: Time) {
        for (kind, key) in self.keys(account, address) {
            let known = self.failures.get(&key).filter(|known| now.since(known.last) < FORGIVEN_AFTER);
            let count = known.map_or(0, |known| known.count).saturating_add(1);
            let wait = match count.checked_sub(kind.free) {
                None | Some(0) => Duration::ZERO,
                Some(over) => Duration::from_secs(1 << over.min(16)).min(kind.longest),
            };
            self.failures.insert(key, Failures { count, last: now, blocked_until: now + wait });
        }
    }

    /// A log-in succeeded: its owner mistyped before.
    pub(super) fn succeeded(&self, account: &[u8], address: ClientAddress) {
        self.failures.remove(&key(&ACCOUNT_FROM_ADDRESS, account, address));
    }

    /// Refuses an address that asks for too many codes.
    pub(super) fn check_codes(&self, address: ClientAddress) -> Result<(), Problem> {
        let Some(codes) = self.codes.as_ref().filter(|_| !self.is_free(address)) else { return Ok(()) };
        codes.check_key(&address.network()).map_err(|refused| {
            let wait = refused.wait_time_from(codes.clock().now());
            Problem::new(ErrorCode::RateLimited).detail("Too many codes were asked for").retry_after(wait.as_secs() + 1)
        })
    }

    /// Forgets addresses that have asked for no code lately.
    pub(super) fn clean(&self) {
        if let Some(codes) = &self.codes {
            codes.retain_recent();
            codes.shrink_to_fit();
        }
    }

    fn keys(&self, account: &[u8], address: ClientAddress) -> Vec<(&'static Kind, Key)> {
        let mut kinds: Vec<&'static Kind> = vec![&ACCOUNT_FROM_ADDRESS, &ACCOUNT];
        if !self.is_free(address) {
            kinds.push(&ADDRESS);
        }
        kinds.into_iter().map(|kind| (kind, key(kind, account, address))).collect()
    }

    fn is_free(&self, address: ClientAddress) -> bool {
        self.development && address.0.is_loopback()
    }
}

fn key(kind: &Kind, account: &[u8], address: ClientAddress) -> Key {
    let network = address.network().to_be_bytes();
    match kind.name {
        "account" => digest_parts(kind.name, &[account]),
        "address" => digest_parts(kind.name, &[&network]),
        name => digest_parts(name, &[account, &network]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_millis(1_763_703_200_000);
    const HERE: ClientAddress = ClientAddress(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)));
    const ELSEWHERE: ClientAddress = ClientAddress(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2)));

    #[test]
    fn guessing_waits_longer_and_longer() {
        let attempts = Attempts::new(&Options::default());
        for _ in 0..5 {
            attempts.check(b"kim", HERE, NOW).unwrap();
            attempts.failed(b"kim", HERE, NOW);
        }
        attempts.check(b"kim", HERE, NOW).unwrap();
        attempts.failed(b"kim", HERE, NOW);
        assert!(attempts.check(b"kim", HERE, NOW).is_err());
        assert!(attempts.check(b"kim", HERE, NOW + Duration::from_secs(2)).is_ok());
        (0..20).for_each(|_| attempts.failed(b"kim", HERE, NOW));
        assert!(attempts.check(b"kim", HERE, NOW + Duration::from_secs(299)).is_err());
        assert!(attempts.check(b"kim", HERE, NOW + Duration::from_mins(5)).is_ok());
        assert!(attempts.check(b"kim", ELSEWHERE, NOW).is_ok());
        assert!(attempts.check(b"lee", HERE, NOW).is_ok());
    }

    #[test]
    fn an_owner_elsewhere_is_not_locked_out() {
        let attempts = Attempts::new(&Options::default());
        (0..1_000).for_each(|_| attempts.failed(b"kim", HERE, NOW));
        assert!(attempts.check(b"kim", ELSEWHERE, NOW + Duration::from_secs(30)).is_ok());
    }

    #[test]
    fn forgets_after_success_and_after_a_while() {
        let attempts = Attempts::new(&Options::default());
        (0..6).for_each(|_| attempts.failed(b"kim", HERE, NOW));
        attempts.succeeded(b"kim", HERE);
        attempts.check(b"kim", HERE, NOW).unwrap();
        (0..5).for_each(|_| attempts.failed(b"kim", HERE, NOW));
        attempts.failed(b"kim", HERE, NOW + FORGIVEN_AFTER);
        attempts.check(b"kim", HERE, NOW + FORGIVEN_AFTER).unwrap();
    }
}
