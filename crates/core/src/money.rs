//! Money in whole minor units of its currency; no fractions, no floating point.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The largest amount that is accepted anywhere: 10^15 minor units, so that sums of a million of them fit in 64 bits.
pub const MAX_AMOUNT: i64 = 1_000_000_000_000_000;

/// Three capital letters (ISO 4217), for example `KRW`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

impl Currency {
    /// South Korean won, which has no minor unit: 1 is one won.
    pub const KRW: Self = Self(*b"KRW");

    /// The letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }

    /// How many digits stand behind the point when an amount is written in whole units (ISO 4217).
    pub fn minor_digits(self) -> u32 {
        match &self.0 {
            b"BIF" | b"CLP" | b"DJF" | b"GNF" | b"ISK" | b"JPY" | b"KMF" | b"KRW" | b"PYG" | b"RWF" | b"UGX"
            | b"UYI" | b"VND" | b"VUV" | b"XAF" | b"XOF" | b"XPF" => 0,
            b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" => 3,
            b"CLF" | b"UYW" => 4,
            _ => 2,
        }
    }
}

/// A text is not a currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a currency of three capital letters, for example KRW")]
pub struct InvalidCurrency;

impl std::str::FromStr for Currency {
    type Err = InvalidCurrency;
    fn from_str(text: &str) -> Result<Self, InvalidCurrency> {
        match text.as_bytes() {
            &[a, b, c] if [a, b, c].iter().all(u8::is_ascii_uppercase) => Ok(Self([a, b, c])),
            _ => Err(InvalidCurrency),
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl<C> minicbor::Encode<C> for Currency {
    fn encode<W: minicbor::encode::Write>(
        &self,
        encoder: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        encoder.str(self.as_str())?.ok()
    }
}

impl<'b, C> minicbor::Decode<'b, C> for Currency {
    fn decode(decoder: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        decoder.str()?.parse().map_err(|_| minicbor::decode::Error::message("not a currency"))
    }
}

/// An amount in minor units of a currency.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, minicbor::Encode, minicbor::Decode)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// Minor units: 55000 is 55,000 won, or 550.00 dollars.
    #[n(0)]
    pub amount: i64,
    /// Which money.
    #[n(1)]
    pub currency: Currency,
}

impl Money {
    /// This many minor units of `currency`.
    pub const fn new(amount: i64, currency: Currency) -> Self {
        Self { amount, currency }
    }

    /// The price of `quantity` units, or none when it leaves the accepted range.
    pub fn times(self, quantity: u32) -> Option<Self> {
        let amount = self.amount.checked_mul(i64::from(quantity)).filter(|amount| amount.abs() <= MAX_AMOUNT)?;
        Some(Self { amount, ..self })
    }

    /// The sum, or none when the currencies differ or it leaves the accepted range.
    pub fn plus(self, other: Self) -> Option<Self> {
        let amount = self.amount.checked_add(other.amount).filter(|amount| amount.abs() <= MAX_AMOUNT)?;
        (self.currency == other.currency).then_some(Self { amount, ..self })
    }

    /// The difference, or none when the currencies differ or it leaves the accepted range.
    pub fn minus(self, other: Self) -> Option<Self> {
        self.plus(Self { amount: -other.amount, ..other })
    }

    /// Whether this is an amount that a price may have: not negative, and not absurdly large.
    pub fn is_price(self) -> bool {
        (0..=MAX_AMOUNT).contains(&self.amount)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.amount, self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_refuses_what_does_not_fit() {
        let won = Money::new(55_000, Currency::KRW);
        assert_eq!(won.times(2), Some(Money::new(110_000, Currency::KRW)));
        assert_eq!(Money::new(MAX_AMOUNT, Currency::KRW).times(2), None);
        assert_eq!(won.plus(Money::new(1, "USD".parse().expect("valid"))), None);
        assert_eq!(won.minus(won).map(|zero| zero.amount), Some(0));
    }

    #[test]
    fn currency_is_three_capitals() {
        assert!("krw".parse::<Currency>().is_err());
        assert!("KRWX".parse::<Currency>().is_err());
    }

    #[test]
    fn currencies_have_no_two_three_or_four_digits() {
        for (currency, digits) in [("KRW", 0), ("VUV", 0), ("USD", 2), ("EUR", 2), ("KWD", 3), ("TND", 3), ("CLF", 4)] {
            assert_eq!(currency.parse::<Currency>().map(Currency::minor_digits), Ok(digits), "{currency}");
        }
    }
}
