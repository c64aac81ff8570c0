//! Slows down whoever guesses: wrong passwords per account and address, wrong codes and codes asked for per address.
//!
//! An attempt counts as failed from its beginning, so that guesses in parallel are as many as guesses in turn; one that
//! succeeds, or that nobody got round to checking, is given back. Failures are counted
//!
//! - by account and address together: five are free, then the wait doubles up to five minutes;
//! - by address: a hundred are free, then the same;
//! - by account: fifty are free, then the wait doubles up to half a minute. This one is for strangers only.
//!
//! Wrong e-mailed codes count by address alone, together with wrong passwords: each code counts its own tries, so only
//! who guesses at many accounts can guess much.
//!
//! An address from which the account logged in, or a device of it renewed its tokens, within thirty days is no
//! stranger's: failures elsewhere never count against it, and nobody locks an owner out where they have been before,
//! except who guesses from that very address, which the first two limits are for. Elsewhere an owner looks like any
//! stranger.
//! They may be refused while strangers guess, but not for long: whoever comes again from the same address half a minute
//! after they were first refused is let in past the account's wait, one every five seconds. So an account sees at most
//! two guesses a minute from strangers that come and go and twelve from strangers that wait; an owner in a new place
//! waits half a minute, and longer only if more than six strangers wait their turn against them all the time.
//!
//! In memory and bounded: of each kind the hundred thousand that are used most. A restart forgets all of it.

mod failures;
#[cfg(test)]
mod tests;

use std::num::NonZeroU32;
use std::time::Duration;

use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::digest_parts;
use firstcome_core::time::Time;
use governor::clock::Clock as _;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use parking_lot::Mutex;
use quick_cache::sync::Cache;

use self::failures::{FORGIVEN_AFTER, Failures, Key, Kind, Reserved};
use super::Options;
use crate::http::{ClientAddress, Problem};

/// Keys that are remembered of each kind; the least used are forgotten.
const REMEMBERED: usize = 100_000;
/// How long an address is known after a log-in.
const KNOWN_FOR: Duration = Duration::from_hours(30 * 24);
/// How long a stranger waits who is then let in past the account's wait.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two of those, for one account.
const BETWEEN_PATIENT: Duration = Duration::from_secs(5);

const ACCOUNT_FROM_ADDRESS: Kind = Kind { free: 5, longest: Duration::from_mins(5) };
const ACCOUNT: Kind = Kind { free: 50, longest: Duration::from_secs(30) };
const ADDRESS: Kind = Kind { free: 100, longest: Duration::from_mins(5) };

/// Counts attempts.
pub(super) struct Attempts {
    /// Held from the check of an attempt until it is counted.
    turn: Mutex<()>,
    failures: Failures,
    /// When an account last logged in from an address, or renewed its tokens there.
    known: Cache<Key, Time>,
    /// Since when an address waits for an account.
    waiting: Cache<Key, Time>,
    /// When the next of those may be let in to an account.
    next_patient: Cache<Key, Time>,
    codes: Option<DefaultKeyedRateLimiter<u128>>,
    development: bool,
}

/// An attempt under way. Dropped, it has failed.
#[must_use]
pub(super) struct Attempt {
    pair: Key,
    counted: Vec<Reserved>,
    waited_since: Option<Time>,
}

impl Attempts {
    pub(super) fn new(options: &Options) -> Self {
        let burst = NonZeroU32::new(options.codes_per_address);
        let quota =
            burst.and_then(|burst| Some(Quota::with_period(options.code_window / burst.get())?.allow_burst(burst)));
        Self {
            turn: Mutex::default(),
            failures: Failures::new(REMEMBERED),
            known: Cache::new(REMEMBERED),
            waiting: Cache::new(REMEMBERED),
            next_patient: Cache::new(REMEMBERED),
            codes: quota.map(RateLimiter::keyed),
            development: options.development,
        }
    }

    /// Begins a log-in, unless it comes too soon after failures.
    pub(super) fn begin(&self, account: &[u8], address: ClientAddress, now: Time) -> Result<Attempt, Problem> {
        let pair = pair(account, address);
        let by_address = self.by_address(address);
        let _turn = self.turn.lock();
        let stranger_to = (!self.is_known(&pair, now)).then(|| digest_parts("account", &[account]));
        let waits = [
            Some(self.failures.blocked_until(&ACCOUNT_FROM_ADDRESS, &pair, now)),
            by_address.map(|address| self.failures.blocked_until(&ADDRESS, &address, now)),
            stranger_to.map(|account| self.stranger_until(&account, &pair, now)),
        ];
        not_before(waits.into_iter().flatten().max().unwrap_or_default(), now)?;
        let waited_since = stranger_to.and_then(|account| self.let_in(account, &pair, now));
        let keys = [Some(pair), by_address, stranger_to].into_iter().flatten();
        let counted = keys.map(|key| self.failures.reserve(key, now)).collect();
        Ok(Attempt { pair, counted, waited_since })
    }

    /// Begins the entering of a code that was e-mailed to the owner of an account, unless this address guesses too much.
    pub(super) fn begin_code(&self, account: &[u8], address: ClientAddress, now: Time) -> Result<Attempt, Problem> {
        let by_address = self.by_address(address);
        let _turn = self.turn.lock();
        not_before(by_address.map_or(now, |address| self.failures.blocked_until(&ADDRESS, &address, now)), now)?;
        let counted = by_address.map(|address| self.failures.reserve(address, now)).into_iter().collect();
        Ok(Attempt { pair: pair(account, address), counted, waited_since: None })
    }

    /// It had the right password or code: its owner mistyped before, and is known here from now on.
    pub(super) fn succeeded(&self, attempt: Attempt, now: Time) {
        self.give_back(&attempt);
        self.failures.forget(&attempt.pair);
        self.known.insert(attempt.pair, now);
    }

    /// A device of the account is at this address: its owner may log in another one there.
    pub(super) fn seen(&self, account: &[u8], address: ClientAddress, now: Time) {
        self.known.insert(pair(account, address), now);
    }

    /// Nobody got round to looking at it: whoever waited for it need not wait again.
    pub(super) fn unchecked(&self, attempt: Attempt) {
        self.give_back(&attempt);
        if let Some(since) = attempt.waited_since {
            self.waiting.insert(attempt.pair, since);
        }
    }

    fn give_back(&self, attempt: &Attempt) {
        let _turn = self.turn.lock();
        attempt.counted.iter().for_each(|reserved| self.failures.give_back(reserved));
    }

    fn is_known(&self, pair: &Key, now: Time) -> bool {
        self.known.get(pair).is_some_and(|last| now.since(last) < KNOWN_FOR)
    }

    /// When a stranger may try: when the account's wait is over, or theirs.
    fn stranger_until(&self, account: &Key, pair: &Key, now: Time) -> Time {
        let until = self.failures.blocked_until(&ACCOUNT, account, now);
        if until <= now {
            return until;
        }
        let since = self.waiting.get(pair).filter(|since| now.since(*since) < FORGIVEN_AFTER).unwrap_or_else(|| {
            self.waiting.insert(*pair, now);
            now
        });
        let turn = self.next_patient.get(account).unwrap_or_default();
        until.min(turn.max(since + PATIENCE))
    }

    /// A stranger whose wait is over tries. Returns since when they waited.
    fn let_in(&self, account: Key, pair: &Key, now: Time) -> Option<Time> {
        if self.failures.blocked_until(&ACCOUNT, &account, now) > now {
            self.next_patient.insert(account, now + BETWEEN_PATIENT);
        }
        self.waiting.remove(pair).map(|(_, since)| since)
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

    /// What an address is counted by, if it is.
    fn by_address(&self, address: ClientAddress) -> Option<Key> {
        (!self.is_free(address)).then(|| digest_parts("address", &[&address.network().to_be_bytes()]))
    }

    fn is_free(&self, address: ClientAddress) -> bool {
        self.development && address.0.is_loopback()
    }
}

/// Refuses what comes too soon.
fn not_before(until: Time, now: Time) -> Result<(), Problem> {
    if until <= now {
        return Ok(());
    }
    let seconds = until.since(now).as_secs() + 1;
    Err(Problem::new(ErrorCode::RateLimited).detail("Too many wrong passwords or codes").retry_after(seconds))
}

fn pair(account: &[u8], address: ClientAddress) -> Key {
    digest_parts("both", &[account, &address.network().to_be_bytes()])
}
