//! Texts, money and times as people of a language write them. In templates: `page.t("...")`, `page.money(price)`.

use firstcome_core::money::Money;
use firstcome_core::time::Time;
use jiff::Zoned;
use jiff::civil::Weekday;

use super::assets;
use super::language::Language;
use super::visitor::Visitor;

impl Visitor {
    /// The text of this name.
    pub(super) fn t(&self, name: &str) -> String {
        self.language.text(name)
    }

    /// The text of `prefix-value`: the name of a state or kind. An unknown value is shown as it is.
    pub(super) fn name(&self, prefix: &str, value: &str) -> String {
        self.language.find(&format!("{prefix}-{value}"), &[]).unwrap_or_else(|| value.to_owned())
    }

    /// A text about `$count` things, which it shows as `$shown`.
    pub(super) fn count(&self, name: &str, count: impl Count) -> String {
        let count = count.count();
        self.language.text_with(name, &[("count", count.into()), ("shown", grouped(count).into())])
    }

    /// A text about one `$value`.
    pub(super) fn say(&self, name: &str, value: impl AsRef<str>) -> String {
        self.language.text_with(name, &[("value", value.as_ref().into())])
    }

    /// A number with its thousands apart.
    pub(super) fn number(&self, number: impl Count) -> String {
        grouped(number.count())
    }

    /// An amount of money.
    pub(super) fn money(&self, money: &Money) -> String {
        let (currency, digits) = (money.currency.as_str(), money.currency.minor_digits());
        let (sign, amount) = (if money.amount < 0 { "-" } else { "" }, money.amount.unsigned_abs());
        let unit = 10_u64.pow(digits);
        let whole = grouped(i64::try_from(amount / unit).unwrap_or(i64::MAX));
        let width = digits as usize;
        let fraction = if digits == 0 { String::new() } else { format!(".{:0width$}", amount % unit) };
        match (self.language, currency) {
            (Language::Korean, "KRW") => format!("{sign}{whole}원"),
            (Language::English, "KRW") => format!("{sign}₩{whole}"),
            _ => format!("{sign}{currency}\u{a0}{whole}{fraction}"),
        }
    }

    fn zoned(&self, time: &Time) -> Option<Zoned> {
        time.zoned(&self.shop.options.time_zone)
    }

    /// A moment in the shop's time zone: day, weekday, hour and minute, and the year unless it is this one.
    pub(super) fn when(&self, time: &Time) -> String {
        let Some(at) = self.zoned(time) else { return time.to_string() };
        let this_year = self.zoned(&self.shop.options.clock.now()).is_some_and(|now| now.year() == at.year());
        moment(&at, !this_year, self.language)
    }

    /// The time of day to the second.
    pub(super) fn clock(&self, time: &Time) -> String {
        self.zoned(time).map(|at| at.strftime("%H:%M:%S").to_string()).unwrap_or_default()
    }

    /// A day with its year.
    pub(super) fn date(&self, time: &Time) -> String {
        let Some(at) = self.zoned(time) else { return time.to_string() };
        match self.language {
            Language::Korean => format!("{}년 {}월 {}일", at.year(), at.month(), at.day()),
            Language::English => format!("{} {} {}", at.day(), month(at.month()), at.year()),
        }
    }

    /// A day as the API writes it (`2026-12-24`).
    pub(super) fn day(&self, day: &str) -> String {
        let Ok(date) = day.parse::<jiff::civil::Date>() else { return day.to_owned() };
        let weekday = weekday(date.weekday(), self.language);
        match self.language {
            Language::Korean => format!("{}년 {}월 {}일({weekday})", date.year(), date.month(), date.day()),
            Language::English => format!("{weekday} {} {} {}", date.day(), month(date.month()), date.year()),
        }
    }

    /// Minutes, or hours where they are whole.
    pub(super) fn minutes(&self, seconds: &u32) -> String {
        match seconds {
            seconds if *seconds >= 3600 && seconds % 3600 == 0 => {
                self.count("duration-hours", i64::from(seconds / 3600))
            }
            seconds if *seconds >= 60 && seconds % 60 == 0 => self.count("duration-minutes", i64::from(seconds / 60)),
            seconds => self.count("duration-seconds", i64::from(*seconds)),
        }
    }

    /// Where a file of the pages is.
    pub(super) fn asset(&self, file: &str) -> String {
        format!("/assets/{}/{file}", *assets::VERSION)
    }
}

/// Something that counts; templates pass references.
pub(super) trait Count {
    /// As a number.
    fn count(self) -> i64;
}

macro_rules! counts {
    ($($kind:ty),*) => {$(
        impl Count for $kind { fn count(self) -> i64 { i64::try_from(self).unwrap_or(i64::MAX) } }
    )*};
}
counts!(i64, u64, u32, u16, usize);

impl<T: Count + Copy> Count for &T {
    fn count(self) -> i64 {
        (*self).count()
    }
}

fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn moment(at: &Zoned, with_year: bool, language: Language) -> String {
    let (day, hour, minute) = (at.day(), at.hour(), at.minute());
    let weekday = weekday(at.weekday(), language);
    match language {
        Language::Korean => {
            let year = if with_year { format!("{}년 ", at.year()) } else { String::new() };
            format!("{year}{}월 {day}일({weekday}) {hour:02}:{minute:02}", at.month())
        }
        Language::English => {
            let year = if with_year { format!(" {}", at.year()) } else { String::new() };
            format!("{weekday} {day} {}{year}, {hour:02}:{minute:02}", month(at.month()))
        }
    }
}

fn weekday(day: Weekday, language: Language) -> &'static str {
    let place = usize::from(day.to_monday_zero_offset().unsigned_abs()) % 7;
    match language {
        Language::Korean => ["월", "화", "수", "목", "금", "토", "일"][place],
        Language::English => ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"][place],
    }
}

fn month(month: i8) -> &'static str {
    const NAMES: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    NAMES[usize::from(month.unsigned_abs()).saturating_sub(1) % 12]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_year_is_said() {
        let at: Zoned = "2027-01-02T09:05[Asia/Seoul]".parse().expect("valid");
        assert_eq!(moment(&at, false, Language::English), "Sat 2 Jan, 09:05");
        assert_eq!(moment(&at, true, Language::English), "Sat 2 Jan 2027, 09:05");
        assert_eq!(moment(&at, true, Language::Korean), "2027년 1월 2일(토) 09:05");
    }

    #[test]
    fn thousands_are_apart() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(-1_234_567), "-1,234,567");
    }
}
