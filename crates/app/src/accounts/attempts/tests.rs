//! Who waits, and who does not.

use std::net::{IpAddr, Ipv4Addr};

use axum::response::IntoResponse as _;

use super::*;

const NOW: Time = Time::from_millis(1_763_703_200_000);
const HERE: ClientAddress = ClientAddress(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));
const ELSEWHERE: ClientAddress = ClientAddress(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)));

fn attempts() -> Attempts {
    Attempts::new(&Options::default())
}

/// One of many addresses.
fn stranger(number: u32) -> ClientAddress {
    ClientAddress(IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + number)))
}

impl Attempts {
    /// A wrong password; whether it was even looked at.
    fn fails(&self, account: &[u8], address: ClientAddress, now: Time) -> bool {
        self.begin(account, address, now).is_ok()
    }

    /// The right password; whether it was looked at.
    fn succeeds(&self, account: &[u8], address: ClientAddress, now: Time) -> bool {
        self.begin(account, address, now).map(|attempt| self.succeeded(attempt, now)).is_ok()
    }

    /// Guesses from ever new addresses that are looked at.
    fn flood(&self, account: &[u8], strangers: std::ops::Range<u32>, now: Time) -> usize {
        strangers.filter(|number| self.fails(account, stranger(*number), now)).count()
    }
}

#[test]
fn guessing_waits_longer_and_longer() {
    let attempts = attempts();
    assert!((0..6).all(|_| attempts.fails(b"kim", HERE, NOW)));
    assert!(!attempts.fails(b"kim", HERE, NOW));
    assert!(!attempts.fails(b"kim", HERE, NOW + Duration::from_secs(1)));
    let mut now = NOW;
    for wait in [2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
        assert!(!attempts.fails(b"kim", HERE, now + Duration::from_secs(wait) - Duration::from_micros(1)));
        now = now + Duration::from_secs(wait);
        assert!(attempts.fails(b"kim", HERE, now), "after {wait} s");
    }
    assert!(attempts.fails(b"kim", ELSEWHERE, now));
    assert!(attempts.fails(b"lee", HERE, now));
}

#[test]
fn an_attempt_counts_from_its_beginning() {
    let attempts = attempts();
    let under_way: Vec<_> = (0..300).filter_map(|_| attempts.begin(b"kim", HERE, NOW).ok()).collect();
    assert_eq!(under_way.len(), 6);
    for attempt in under_way {
        attempts.unchecked(attempt);
    }
    assert!(attempts.succeeds(b"kim", HERE, NOW), "what was not looked at costs nothing");
}

#[test]
fn success_gives_back_and_a_while_forgives() {
    let attempts = attempts();
    assert!((0..1_000).all(|_| attempts.succeeds(b"kim", HERE, NOW)));
    assert!((0..5).all(|_| attempts.fails(b"kim", HERE, NOW)));
    assert!(attempts.succeeds(b"kim", HERE, NOW));
    assert!((0..6).all(|_| attempts.fails(b"kim", HERE, NOW)));
    assert!((0..6).all(|_| attempts.fails(b"kim", HERE, NOW + FORGIVEN_AFTER)));
}

#[test]
fn guesses_from_many_addresses_are_slowed_down() {
    let attempts = attempts();
    assert_eq!(attempts.flood(b"kim", 0..1_000, NOW), 51);
    // Ever new addresses: one guess each half minute in the end.
    let checked: usize = (1..=600)
        .map(|second| {
            attempts.flood(b"kim", second * 1_000..second * 1_000 + 16, NOW + Duration::from_secs(second.into()))
        })
        .sum();
    assert!(checked <= 25, "{checked}");
    // Patient ones: one each few seconds, however many there are.
    let later = NOW + Duration::from_mins(10);
    let checked: usize =
        (1..=600).map(|second| attempts.flood(b"kim", 1_000_000..1_000_100, later + Duration::from_secs(second))).sum();
    assert!(checked <= 150, "{checked}");
}

#[test]
fn an_owner_where_they_have_been_waits_for_nobody() {
    let attempts = attempts();
    assert!(attempts.succeeds(b"kim", HERE, NOW));
    assert_eq!(attempts.flood(b"kim", 0..1_000, NOW), 51);
    for second in 1..100_u32 {
        let now = NOW + Duration::from_secs(second.into());
        attempts.flood(b"kim", second * 1_000..second * 1_000 + 16, now);
        assert!(attempts.succeeds(b"kim", HERE, now));
    }
    assert!((0..6).all(|_| attempts.fails(b"kim", HERE, NOW)));
    assert!(!attempts.fails(b"kim", HERE, NOW), "a limit of its own is one too");
    assert!(!attempts.fails(b"kim", ELSEWHERE, NOW), "of another address nothing is known");
    assert!(attempts.fails(b"lee", ELSEWHERE, NOW), "nor is it blocked elsewhere");
}

#[test]
fn an_owner_whose_device_is_here_waits_for_nobody() {
    let attempts = attempts();
    attempts.flood(b"kim", 0..1_000, NOW);
    assert!(!attempts.succeeds(b"kim", HERE, NOW));
    attempts.seen(b"kim", HERE, NOW);
    assert!(attempts.succeeds(b"kim", HERE, NOW));
    attempts.flood(b"kim", 1_000..2_000, NOW + KNOWN_FOR);
    assert!(!attempts.succeeds(b"kim", HERE, NOW + KNOWN_FOR), "nobody is known for ever");
}

#[test]
fn an_owner_elsewhere_waits_half_a_minute_once() {
    let attempts = attempts();
    attempts.flood(b"kim", 0..1_000, NOW);
    let mut refused = 0;
    for second in 1..100_u32 {
        let now = NOW + Duration::from_secs(second.into());
        attempts.flood(b"kim", second * 1_000..second * 1_000 + 16, now);
        refused += u32::from(!attempts.succeeds(b"kim", HERE, now));
    }
    assert!(refused <= 30, "{refused}");
}

#[test]
fn whoever_waited_and_was_not_looked_at_need_not_wait_again() {
    let attempts = attempts();
    attempts.flood(b"kim", 0..1_000, NOW);
    // Every other attempt makes the account's wait longer; this one comes in the middle of the longest.
    let mut now = NOW;
    for number in 1_000..1_010 {
        now = now + PATIENCE;
        attempts.flood(b"kim", number..number + 1, now);
    }
    assert!(!attempts.fails(b"kim", HERE, now));
    attempts.flood(b"kim", 2_000..2_001, now + PATIENCE);
    now = now + PATIENCE + Duration::from_secs(1);
    let attempt = attempts.begin(b"kim", HERE, now).unwrap();
    attempts.unchecked(attempt);
    assert!(attempts.succeeds(b"kim", HERE, now + BETWEEN_PATIENT));
}

#[test]
fn what_is_said_to_whoever_waits_is_true() {
    let attempts = attempts();
    attempts.flood(b"kim", 0..1_000, NOW);
    let first = NOW + Duration::from_secs(1);
    let said = attempts.begin(b"kim", HERE, first).err().expect("blocked by then").into_response();
    let seconds: u64 = said.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!(seconds <= 31);
    assert!(attempts.succeeds(b"kim", HERE, first + Duration::from_secs(seconds)));
}

#[test]
fn codes_count_by_address_together_with_passwords() {
    let attempts = attempts();
    let guess = |number: u32| attempts.begin_code(&number.to_be_bytes(), HERE, NOW).is_ok();
    assert!((0..50).all(|number| attempts.fails(&u32::to_be_bytes(number), HERE, NOW)));
    assert_eq!((0..300).filter(|_| guess(7)).count(), 51, "of one account as of many");
    assert!(!attempts.fails(b"kim", HERE, NOW));
    assert!(attempts.begin_code(b"kim", ELSEWHERE, NOW).is_ok());
}

#[test]
fn a_right_code_forgives_wrong_passwords_there() {
    let attempts = attempts();
    assert!((0..6).all(|_| attempts.fails(b"kim", HERE, NOW)));
    assert!(!attempts.succeeds(b"kim", HERE, NOW));
    let attempt = attempts.begin_code(b"kim", HERE, NOW).unwrap();
    attempts.unchecked(attempt);
    assert!(!attempts.succeeds(b"kim", HERE, NOW));
    let attempt = attempts.begin_code(b"kim", HERE, NOW).unwrap();
    attempts.succeeded(attempt, NOW);
    assert!(attempts.succeeds(b"kim", HERE, NOW));
}

#[test]
fn an_address_that_guesses_at_many_accounts_waits() {
    let attempts = attempts();
    let guess = |number: u32| attempts.fails(&number.to_be_bytes(), HERE, NOW);
    assert_eq!((0..300).filter(|number| guess(*number)).count(), 101);
    let open = Attempts::new(&Options { development: true, ..Options::default() });
    let loopback = ClientAddress(IpAddr::V4(Ipv4Addr::LOCALHOST));
    assert!((0..300_u32).all(|number| open.fails(&number.to_be_bytes(), loopback, NOW)));
}
