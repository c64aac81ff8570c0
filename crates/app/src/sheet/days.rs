//! Which days a file is asked for.

use firstcome_core::codes::ErrorCode;
use firstcome_core::time::Time;
use jiff::Unit;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::http::{Outcome, Problem};

/// Days that a file may have: a year.
const MOST_DAYS: i32 = 366;

/// The days as they are asked for, in the shop's time zone; both are in the file.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AskedDays {
    /// The first day, in the shop's time zone
    #[param(required = true, nullable = false)]
    from: Option<String>,
    /// The last day; 366 days at most
    #[param(required = true, nullable = false)]
    to: Option<String>,
}

/// The time that they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Days {
    /// When the first begins.
    pub(crate) from: Time,
    /// When the last is over.
    pub(crate) before: Time,
    /// What they are called in a file's name.
    pub(super) name: String,
}

impl AskedDays {
    /// The days, in a time zone.
    pub(crate) fn within(&self, time_zone: &TimeZone) -> Outcome<Days> {
        let (from, to) = (day("from", self.from.as_deref())?, day("to", self.to.as_deref())?);
        if to < from {
            return Err(malformed("to is before from"));
        }
        if from.until((Unit::Day, to)).map_or(MOST_DAYS, |span| span.get_days()) >= MOST_DAYS {
            return Err(malformed(format!("One file has {MOST_DAYS} days at most; ask for the others in another")));
        }
        let begins = |day: Option<Date>| day.and_then(|day| Time::of_day(day, time_zone));
        let period = begins(Some(from)).zip(begins(to.tomorrow().ok()));
        let (from_time, before) = period.ok_or_else(|| malformed("There are no such days"))?;
        Ok(Days { from: from_time, before, name: format!("{from}-to-{to}") })
    }
}

fn day(name: &str, text: Option<&str>) -> Outcome<Date> {
    let day = text.and_then(|text| text.parse().ok());
    day.ok_or_else(|| malformed(format!("{name} must be a day such as 2026-11-26")))
}

fn malformed(detail: impl Into<String>) -> Problem {
    Problem::new(ErrorCode::MalformedRequest).detail(detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(from: &str, to: &str) -> AskedDays {
        AskedDays { from: Some(from.to_owned()), to: Some(to.to_owned()) }
    }

    #[test]
    fn both_days_are_meant_where_the_shop_is() {
        let seoul = TimeZone::get("Asia/Seoul").expect("known");
        let days = asked("2026-11-01", "2026-11-02").within(&seoul).expect("days");
        assert_eq!(
            (days.from.to_string(), days.before.to_string()),
            ("2026-10-31T15:00:00Z".into(), "2026-11-02T15:00:00Z".into())
        );
        assert_eq!(days.name, "2026-11-01-to-2026-11-02");
        let berlin = TimeZone::get("Europe/Berlin").expect("known");
        let short = asked("2026-03-29", "2026-03-29").within(&berlin).expect("days");
        assert_eq!(short.before.since(short.from).as_secs(), 23 * 3_600);
    }

    #[test]
    fn what_are_no_days_is_refused_with_what_to_do() {
        let refused = |asked: AskedDays| asked.within(&TimeZone::UTC).expect_err("refused").description().to_owned();
        for (from, to, says) in [
            ("", "2026-11-02", "from must be a day such as 2026-11-26"),
            ("2026-11-02", "tomorrow", "to must be a day such as 2026-11-26"),
            ("2026-02-29", "2026-03-01", "from must be a day such as 2026-11-26"),
            ("2026-11-02", "2026-11-01", "to is before from"),
            ("2026-01-01", "2027-01-02", "One file has 366 days at most; ask for the others in another"),
            ("0001-01-01", "9999-12-31", "One file has 366 days at most; ask for the others in another"),
            ("9999-12-31", "9999-12-31", "There are no such days"),
        ] {
            assert_eq!(refused(asked(from, to)), says, "{from} {to}");
        }
        assert_eq!(refused(AskedDays { from: None, to: None }), "from must be a day such as 2026-11-26");
        asked("2026-01-01", "2027-01-01").within(&TimeZone::UTC).expect("a year and a day");
        asked("2028-01-01", "2028-12-31").within(&TimeZone::UTC).expect("a leap year");
    }
}
