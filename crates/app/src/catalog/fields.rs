//! Checks that several bodies share.

use firstcome_core::money::Money;
use firstcome_core::product::Condition;
use firstcome_core::time::{Time, zone_named};

pub(super) fn price(money: &Money, (): &()) -> garde::Result {
    if money.is_price() {
        return Ok(());
    }
    Err(garde::Error::new("must be 0 or more, and less than a million billion minor units"))
}

pub(super) fn positive(money: &Money, (): &()) -> garde::Result {
    if money.is_price() && money.amount > 0 {
        return Ok(());
    }
    Err(garde::Error::new("must be more than 0, and less than a million billion minor units"))
}

pub(super) fn condition(condition: &Condition, (): &()) -> garde::Result {
    match condition {
        Condition::EmailVerified(false) => Err(garde::Error::new("email_verified can only be true")),
        Condition::IdentityVerified(false) => Err(garde::Error::new("identity_verified can only be true")),
        Condition::AccountOlderThanDays(days) if !(1..=36_500).contains(days) => {
            Err(garde::Error::new("account_older_than_days is 1 to 36500"))
        }
        _ => Ok(()),
    }
}

pub(super) fn date(text: &str, (): &()) -> garde::Result {
    text.parse::<jiff::civil::Date>().map(|_| ()).map_err(|_| garde::Error::new("must be a date such as 2026-12-24"))
}

pub(super) fn time_zone(name: &str, (): &()) -> garde::Result {
    // As written in the database of zones: other letters are found too, and the right ones kept.
    if zone_named(name).is_some_and(|zone| zone.iana_name() == Some(name)) {
        return Ok(());
    }
    Err(garde::Error::new("must be the name of a time zone such as Asia/Seoul"))
}

/// Times that a database and a client can both hold: the years 2000 to 2199.
pub(super) fn time(time: &Time, (): &()) -> garde::Result {
    const FIRST: i64 = 946_684_800;
    const LAST: i64 = 7_258_118_400;
    if (FIRST..LAST).contains(&time.as_secs()) {
        return Ok(());
    }
    Err(garde::Error::new("must lie between the years 2000 and 2199"))
}

pub(super) fn image(url: &str, (): &()) -> garde::Result {
    // What follows two slashes, of either kind, browsers take for another server.
    let is_own = url.strip_prefix('/').is_some_and(|path| !path.starts_with(['/', '\\']));
    if (is_own || url.starts_with("https://"))
        && !url.chars().any(|letter| letter.is_control() || letter.is_whitespace())
    {
        return Ok(());
    }
    Err(garde::Error::new("must be a URL that begins with https:// (https only) or with one /"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_zones_that_there_are() {
        for name in ["Asia/Seoul", "UTC", "America/Argentina/Buenos_Aires"] {
            assert!(time_zone(name, &()).is_ok(), "{name}");
        }
        for name in ["localtime", "posixrules", "Factory", "Etc/Unknown", "posix/Asia/Seoul", "ROK"] {
            assert!(time_zone(name, &()).is_err(), "{name}");
        }
        for name in ["", "asia/seoul", "Seoul", "KST", "+09:00", "../Asia/Seoul", "Asia/Seoul "] {
            assert!(time_zone(name, &()).is_err(), "{name}");
        }
    }

    #[test]
    fn pictures_come_over_https_or_from_here() {
        assert!(image("https://pictures.example/1.png", &()).is_ok());
        assert!(image("/assets/1.png", &()).is_ok());
        for bad in [
            "http://pictures.example/1.png",
            "javascript:alert(1)",
            "https://pictures.example/a b",
            "//pictures.example/1.png",
            "/\\pictures.example/1.png",
        ] {
            assert!(image(bad, &()).is_err(), "{bad}");
        }
    }
}
