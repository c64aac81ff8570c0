//! What the law adds to advertising, and the hours at which it rests.

use std::time::Duration;

use firstcome_core::time::Time;

use super::{Advertising, Sender};

/// How long an e-mail is tried at most: advertising that comes a day late is none.
const USEFUL_FOR: Duration = Duration::from_hours(24);

/// The subject with the mark that it must begin with.
pub(super) fn subject(subject: &str) -> String {
    format!("(광고) {}", subject.trim())
}

/// The text with who sends it, and the way out.
pub(super) fn body(text: &str, sender: &Sender, way_out: &str) -> String {
    let Sender { name, contact } = sender;
    format!(
        "{}\n\
         \n\
         --\n\
         {name} · {contact}\n\
         광고 수신에 동의하셔서 보내 드립니다. 원하지 않으시면 아래 주소에서 무료로, 로그인 없이 수신을 거부하실 수 있습니다.\n\
         You get this because you agreed to advertising. To get no more of it, free of charge and without logging in:\n\
         {way_out}\n",
        text.trim_end()
    )
}

impl Advertising {
    /// How long from now an e-mail may be delivered; none when the shop is quiet.
    pub(super) fn open_for(&self, at_night: bool, now: Time) -> Option<Duration> {
        if at_night || self.quiet_from == self.quiet_until {
            return Some(USEFUL_FOR);
        }
        // A time that no calendar has is no time for advertising.
        let local = now.zoned(&self.time_zone)?;
        let minutes = |hour: i8| i64::from(hour) * 60;
        let of_day = minutes(local.hour()) + i64::from(local.minute());
        let left = (minutes(self.quiet_from) - of_day).rem_euclid(24 * 60);
        let length = (minutes(self.quiet_from) - minutes(self.quiet_until)).rem_euclid(24 * 60);
        let is_open = left > 0 && left <= length;
        // The minute that runs counts as gone.
        is_open.then(|| Duration::from_secs((left - 1).unsigned_abs() * 60)).filter(|left| !left.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rests_from_nine_to_eight_in_the_shops_time() {
        let advertising =
            Advertising { time_zone: jiff::tz::TimeZone::get("Asia/Seoul").unwrap(), ..Advertising::default() };
        let at = |text: &str| text.parse::<Time>().unwrap();
        for (now, open) in [
            ("2026-11-27T07:59:59+09:00", None),
            ("2026-11-27T08:00:00+09:00", Some(Duration::from_mins(13 * 60 - 1))),
            ("2026-11-27T20:58:59+09:00", Some(Duration::from_mins(1))),
            ("2026-11-27T20:59:00+09:00", None),
            ("2026-11-27T21:00:00+09:00", None),
            ("2026-11-27T23:59:59+09:00", None),
        ] {
            assert_eq!(advertising.open_for(false, at(now)), open, "{now}");
            assert_eq!(advertising.open_for(true, at(now)), Some(USEFUL_FOR));
        }
        let always = Advertising { quiet_from: 0, quiet_until: 0, ..advertising };
        assert_eq!(always.open_for(false, at("2026-11-27T03:00:00+09:00")), Some(USEFUL_FOR));
    }
}
