//! What numbers may be.

use std::ops::RangeInclusive;

use super::{Config, ConfigError};

const COUNT: RangeInclusive<u64> = 1..=1_000_000;

/// Refuses numbers that no shop could run with.
pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    let Config { server, tokens, limits, payments, .. } = config;
    let all = [
        ("server.max_connections", server.max_connections as u64, COUNT),
        ("server.header_seconds", server.header_seconds, 1..=3_600),
        ("server.drain_seconds", server.drain_seconds, 0..=3_600),
        ("server.trusted_proxies", server.trusted_proxies as u64, 0..=16),
        ("tokens.access_minutes", tokens.access_minutes, 1..=24 * 60),
        ("tokens.refresh_days", tokens.refresh_days, 1..=3_650),
        ("limits.user_per_second", limits.user_per_second.into(), COUNT),
        ("limits.user_burst", limits.user_burst.into(), COUNT),
        ("limits.address_per_second", limits.address_per_second.into(), COUNT),
        ("limits.address_burst", limits.address_burst.into(), COUNT),
        ("limits.password_threads", limits.password_threads as u64, 1..=256),
        ("payments.deadline_seconds", payments.deadline_seconds, 1..=300),
        ("payments.quarantine_hours", payments.quarantine_hours, 1..=8_760),
    ];
    for (name, value, range) in all {
        if !range.contains(&value) {
            let (least, most) = range.into_inner();
            return Err(ConfigError::Refused(format!("{name} is {value}; it must be from {least} to {most}")));
        }
    }
    Ok(())
}
