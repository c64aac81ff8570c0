//! Time as whole microseconds since the Unix epoch, in UTC; RFC 3339 at the edges.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::time::Duration;

use jiff::Zoned;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment, in microseconds since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, minicbor::Encode, minicbor::Decode)]
#[cbor(transparent)]
pub struct Time(#[n(0)] pub i64);

impl Time {
    /// The moment this many milliseconds after the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Whole milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Whole seconds since the Unix epoch.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// The day and the time of day in a time zone; none outside the years that calendars have.
    pub fn zoned(self, time_zone: &TimeZone) -> Option<Zoned> {
        Some(jiff::Timestamp::from_microsecond(self.0).ok()?.to_zoned(time_zone.clone()))
    }

    /// The day in a time zone.
    pub fn date(self, time_zone: &TimeZone) -> Option<Date> {
        self.zoned(time_zone).map(|at| at.date())
    }

    /// When a day begins in a time zone; none outside the years that calendars have.
    pub fn of_day(day: Date, time_zone: &TimeZone) -> Option<Self> {
        day.to_zoned(time_zone.clone()).ok().map(|begin| Self(begin.timestamp().as_microsecond()))
    }

    /// How long from `earlier` until this; zero when it is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl Add<Duration> for Time {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }
}

impl Sub<Duration> for Time {
    type Output = Self;
    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(micros(duration)))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(timestamp) => write!(formatter, "{timestamp}"),
            // Outside the years that RFC 3339 can write.
            Err(_) => write!(formatter, "{} microseconds since the epoch", self.0),
        }
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// A text is not a time of RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a time such as 2026-11-20T09:00:00Z")]
pub struct InvalidTime;

impl FromStr for Time {
    type Err = InvalidTime;
    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        let timestamp: jiff::Timestamp = text.parse().map_err(|_| InvalidTime)?;
        Ok(Self(timestamp.as_microsecond()))
    }
}

/// The time zone of this name, if the name means the same everywhere: one of a region, or `UTC`. What machines add to the
/// database of zones, such as `localtime`, means another zone on each; `Etc/Unknown` and `Factory` mean none.
pub fn zone_named(name: &str) -> Option<TimeZone> {
    let zone = TimeZone::get(name).ok().filter(|zone| !zone.is_unknown())?;
    let (region, _) = zone.iana_name()?.split_once('/').unwrap_or_default();
    let is_everywhere = zone.iana_name() == Some("UTC") || !matches!(region, "" | "posix" | "right");
    is_everywhere.then_some(zone)
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trip() {
        let time: Time = "2026-11-20T18:00:00.25+09:00".parse().expect("valid");
        assert_eq!(time.to_string(), "2026-11-20T09:00:00.25Z");
        assert!("tomorrow".parse::<Time>().is_err());
    }

    #[test]
    fn the_day_is_that_of_the_place() {
        let time: Time = "2026-11-20T18:00:00Z".parse().expect("valid");
        let seoul = TimeZone::fixed(jiff::tz::offset(9));
        let day = |time_zone| time.date(time_zone).expect("in range").to_string();
        assert_eq!((day(&TimeZone::UTC), day(&seoul)), ("2026-11-20".to_owned(), "2026-11-21".to_owned()));
        assert_eq!(Time(i64::MAX).date(&seoul), None);
    }

    #[test]
    fn a_time_zone_has_the_same_name_everywhere() {
        for name in ["Asia/Seoul", "asia/seoul", "UTC", "Etc/GMT+9", "America/Argentina/Buenos_Aires"] {
            assert!(zone_named(name).is_some(), "{name}");
        }
        for name in ["", "localtime", "posixrules", "Factory", "ROK", "Etc/Unknown", "posix/Asia/Seoul", "right/UTC"] {
            assert!(zone_named(name).is_none(), "{name}");
        }
    }

    #[test]
    fn saturates() {
        assert_eq!(Time(i64::MAX) + Duration::from_secs(1), Time(i64::MAX));
        assert_eq!(Time(0).since(Time(5)), Duration::ZERO);
    }
}
