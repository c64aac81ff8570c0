//! Minor units as the provider writes them: whole units of currencies without a minor unit, decimals of the others.

use firstcome_core::money::{Currency, MAX_AMOUNT, Money};
use serde_json::Number;

/// An amount as the provider wants it.
pub(crate) fn to_number(money: Money) -> Number {
    let unit = 10_i64.pow(money.currency.minor_digits());
    if money.amount % unit == 0 {
        return Number::from(money.amount / unit);
    }
    // An amount below 10^15 has 15 digits, and these a double keeps wherever the point stands.
    Number::from_f64(money.amount as f64 / unit as f64).unwrap_or_else(|| Number::from(0))
}

/// Reads an amount of the provider's; none when it is not a whole number of minor units.
pub(super) fn from_number(number: &Number, currency: Currency) -> Option<Money> {
    let text = number.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let fraction = fraction.trim_end_matches('0');
    let missing = currency.minor_digits().checked_sub(u32::try_from(fraction.len()).ok()?)?;
    let digits: i64 = format!("{whole}{fraction}").parse().ok()?;
    let amount = digits.checked_mul(10_i64.pow(missing)).filter(|amount| (0..=MAX_AMOUNT).contains(amount))?;
    Some(Money::new(amount, currency))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, currency: &str) -> Option<i64> {
        let number: Number = serde_json::from_str(text).expect("a number");
        from_number(&number, currency.parse().expect("a currency")).map(|money| money.amount)
    }

    #[test]
    fn round_trip() {
        for (amount, currency, text) in [
            (55_000, "KRW", "55000"),
            (18_156, "USD", "181.56"),
            (18_150, "USD", "181.5"),
            (18_100, "USD", "181"),
            (18_156, "KWD", "18.156"),
            (MAX_AMOUNT - 1, "KWD", "999999999999.999"),
        ] {
            let money = Money::new(amount, currency.parse().expect("a currency"));
            assert_eq!(to_number(money).to_string(), text);
            assert_eq!(read(text, currency), Some(amount));
        }
    }

    #[test]
    fn refuses_what_is_not_whole() {
        assert_eq!(read("1.5", "KRW"), None);
        assert_eq!(read("0.001", "USD"), None);
        assert_eq!(read("-5", "KRW"), None);
        assert_eq!(read("1e30", "KRW"), None);
        assert_eq!(read("9223372036854775807", "USD"), None);
        assert_eq!(read("55000.0", "KRW"), Some(55_000));
    }
}
