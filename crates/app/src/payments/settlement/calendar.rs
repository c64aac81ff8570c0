//! Which days are checked, and when.

use std::time::Duration;

use firstcome_core::time::Time;
use jiff::civil::{self, Date};
use jiff::tz::TimeZone;
use jiff::{ToSpan as _, Unit};

/// Days that are made up for at most, after a stop.
const CATCH_UP: i64 = 31;
/// How long a movement may be unknown to our books: a notice, or the answer to our own call, is under way.
pub(super) const UNDER_WAY: Duration = Duration::from_mins(10);

/// The days of the shop.
#[derive(Clone, Debug)]
pub struct Calendar {
    /// Where the days begin.
    pub time_zone: TimeZone,
    /// The time of day at which the day before is checked, once its last movements can be judged.
    pub at: civil::Time,
}

impl Default for Calendar {
    fn default() -> Self {
        Self { time_zone: TimeZone::UTC, at: civil::time(4, 0, 0, 0) }
    }
}

impl Calendar {
    /// When a day begins, and when the next one does.
    pub(super) fn period(&self, day: Date) -> Option<(Time, Time)> {
        Some((Time::of_day(day, &self.time_zone)?, Time::of_day(day.tomorrow().ok()?, &self.time_zone)?))
    }

    /// The day that it is.
    pub(super) fn today(&self, now: Time) -> Option<Date> {
        now.date(&self.time_zone)
    }

    /// The last day that has been due to be checked.
    pub(super) fn last_due(&self, now: Time) -> Option<Date> {
        let today = self.today(now)?;
        let yesterday = today.yesterday().ok()?;
        let is_due = now.zoned(&self.time_zone)?.time() >= self.at;
        let is_known = now.since(self.period(today)?.0) >= UNDER_WAY;
        if is_due && is_known { Some(yesterday) } else { yesterday.yesterday().ok() }
    }

    /// The days that are due when `checked` was the last that was taken up. Of a shop that never checked one, the last.
    pub(super) fn due(&self, checked: Option<Date>, now: Time) -> Vec<Date> {
        let Some(last) = self.last_due(now) else { return Vec::new() };
        let since = checked.and_then(|checked| checked.until((Unit::Day, last)).ok());
        let count = since.map_or(1, |span| i64::from(span.get_days())).clamp(0, CATCH_UP);
        (0..count).rev().filter_map(|back| last.checked_sub(back.days()).ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn seoul() -> Calendar {
        Calendar { time_zone: TimeZone::get("Asia/Seoul").expect("known"), at: civil::time(4, 0, 0, 0) }
    }

    fn at(text: &str) -> Time {
        text.parse().expect("a time")
    }

    #[test]
    fn a_day_is_due_in_the_night_after_it() {
        let day = |text| seoul().last_due(at(text));
        assert_eq!(day("2026-11-27T03:59:59+09:00"), Some(date(2026, 11, 25)));
        assert_eq!(day("2026-11-27T04:00:00+09:00"), Some(date(2026, 11, 26)));
        assert_eq!(day("2026-11-27T23:59:59+09:00"), Some(date(2026, 11, 26)));
    }

    #[test]
    fn a_day_is_not_due_before_its_end_can_be_judged() {
        for (time, first) in
            [(civil::time(0, 0, 0, 0), 10), (civil::time(0, 9, 0, 0), 10), (civil::time(0, 11, 0, 0), 11)]
        {
            let calendar = Calendar { at: time, ..seoul() };
            let day = |minute: u32| calendar.last_due(at(&format!("2026-11-27T00:{minute:02}:00+09:00")));
            let days = [day(first - 1), day(first)];
            assert_eq!(days, [Some(date(2026, 11, 25)), Some(date(2026, 11, 26))], "at {time}");
        }
    }

    #[test]
    fn days_that_passed_are_made_up_for() {
        let now = at("2026-11-27T10:00:00+09:00");
        let due = |checked| seoul().due(checked, now);
        assert_eq!(due(None), [date(2026, 11, 26)]);
        assert_eq!(due(Some(date(2026, 11, 26))), []);
        assert_eq!(due(Some(date(2026, 11, 28))), [], "a clock that went back");
        assert_eq!(due(Some(date(2026, 11, 24))), [date(2026, 11, 25), date(2026, 11, 26)]);
        assert_eq!(due(Some(date(2020, 1, 1))).len(), 31);
    }

    #[test]
    fn a_day_has_as_many_hours_as_its_place_gives_it() {
        let hours = |zone: &str, day| {
            let calendar = Calendar { time_zone: TimeZone::get(zone).expect("known"), ..Calendar::default() };
            let (from, until) = calendar.period(day).expect("a day");
            until.since(from).as_secs() / 3_600
        };
        assert_eq!(hours("Asia/Seoul", date(2026, 3, 29)), 24);
        assert_eq!(hours("Europe/Berlin", date(2026, 3, 29)), 23);
    }
}
