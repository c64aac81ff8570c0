//! What numbers may be.

use std::ops::RangeInclusive;

use firstcome_app::http::MAX_UPLOAD_BYTES;

use super::{Config, ConfigError};

const COUNT: RangeInclusive<u64> = 1..=1_000_000;

/// An amount that may be missing; one that is less than nothing is in no range.
fn amount(value: Option<i64>) -> u64 {
    value.map_or(0, |value| u64::try_from(value).unwrap_or(u64::MAX))
}

/// Refuses numbers that no shop could run with.
pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    let Config {
        server,
        shop,
        tokens,
        advertising,
        identity,
        limits,
        payments,
        returns,
        gift_cards,
        images,
        wishes,
        smtp,
        cluster,
        forwarding,
        kafka,
        ..
    } = config;
    let all = [
        ("server.max_connections", server.max_connections as u64, COUNT),
        ("server.header_seconds", server.header_seconds, 1..=3_600),
        ("server.drain_seconds", server.drain_seconds, 0..=3_600),
        ("server.trusted_proxies", server.trusted_proxies as u64, 0..=16),
        ("shop.vat_percent", shop.vat_percent.into(), 0..=100),
        ("shop.shipping_fee", u64::try_from(shop.shipping_fee).unwrap_or(u64::MAX), 0..=1_000_000),
        ("shop.free_shipping_from", amount(shop.free_shipping_from), 0..=1_000_000_000),
        ("tokens.access_minutes", tokens.access_minutes, 1..=24 * 60),
        ("tokens.refresh_days", tokens.refresh_days, 1..=3_650),
        ("advertising.quiet_from", advertising.quiet_from.into(), 0..=23),
        ("advertising.quiet_until", advertising.quiet_until.into(), 0..=23),
        ("identity.rest_days", identity.rest_days, 0..=3_650),
        ("limits.user_per_second", limits.user_per_second.into(), COUNT),
        ("limits.user_burst", limits.user_burst.into(), COUNT),
        ("limits.address_per_second", limits.address_per_second.into(), COUNT),
        ("limits.address_burst", limits.address_burst.into(), COUNT),
        ("limits.password_threads", limits.password_threads as u64, 1..=256),
        ("payments.deadline_seconds", payments.deadline_seconds, 1..=300),
        ("payments.quarantine_hours", payments.quarantine_hours, 1..=8_760),
        ("returns.days", returns.days.into(), 1..=365),
        ("gift_cards.valid_days", gift_cards.valid_days.into(), 1..=36_500),
        ("gift_cards.expired_percent", gift_cards.expired_percent.into(), 0..=100),
        ("gift_cards.large_expired_percent", gift_cards.large_expired_percent.into(), 0..=100),
        ("gift_cards.large_value", gift_cards.large_value.max(0) as u64, 0..=1_000_000_000),
        ("gift_cards.spent_percent", gift_cards.spent_percent.into(), 0..=100),
        ("gift_cards.small_spent_percent", gift_cards.small_spent_percent.into(), 0..=100),
        ("gift_cards.valid_again_days", gift_cards.valid_again_days.into(), 0..=3_650),
        ("gift_cards.small_value", gift_cards.small_value.max(0) as u64, 0..=1_000_000_000),
        ("images.max_kib", images.max_kib, 1..=MAX_UPLOAD_BYTES as u64 / 1_024),
        ("images.quota_mib", images.quota_mib, 0..=1_000_000),
        ("images.unused_hours", images.unused_hours, 1..=24 * 3_650),
        ("wishes.pause_hours", wishes.pause_hours, 1..=24 * 365),
        ("smtp.timeout_seconds", smtp.timeout_seconds, 1..=120),
        ("smtp.connections", smtp.connections as u64, 1..=16),
        ("cluster.heartbeat_milliseconds", cluster.heartbeat_milliseconds, 50..=60_000),
        ("cluster.expiry_milliseconds", cluster.expiry_milliseconds, 100..=600_000),
        ("cluster.farewell_milliseconds", cluster.farewell_milliseconds, 0..=60_000),
        ("forwarding.deadline_seconds", forwarding.deadline_seconds, 1..=600),
        ("forwarding.connect_milliseconds", forwarding.connect_milliseconds, 10..=60_000),
        ("forwarding.max_in_flight", forwarding.max_in_flight as u64, COUNT),
        ("forwarding.retry_percent", forwarding.retry_percent.into(), 0..=100),
        ("forwarding.breaker_failures", forwarding.breaker_failures.into(), 1..=1_000),
        ("forwarding.breaker_milliseconds", forwarding.breaker_milliseconds, 10..=60_000),
        ("kafka.replication", kafka.replication.max(0) as u64, 1..=32),
        ("kafka.min_in_sync", kafka.min_in_sync.max(0) as u64, 1..=32),
    ];
    for (name, value, range) in all {
        if !range.contains(&value) {
            let (least, most) = range.into_inner();
            return Err(ConfigError::Refused(format!("{name} is {value}; it must be from {least} to {most}")));
        }
    }
    Ok(())
}
