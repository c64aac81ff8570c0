//! What a coupon takes off an order, and how that is spread over its lines and their units: exact to the minor unit, so
//! that whatever goes back in parts adds up to what was paid.

use crate::money::Money;
use crate::product::Discount;

/// Why a coupon takes nothing off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotApplicable {
    /// The order is in another currency than the coupon.
    Currency,
    /// The order costs less than the coupon asks for.
    BelowMinimum,
}

impl Discount {
    /// Minor units that it takes off an order that costs `total`: never more than that, rounded down.
    pub fn of(&self, minimum_amount: Option<i64>, total: Money) -> Result<i64, NotApplicable> {
        if minimum_amount.is_some_and(|minimum| total.amount < minimum) {
            return Err(NotApplicable::BelowMinimum);
        }
        let off = match self {
            Self::Percent { percent, max_amount } => {
                let share = share(total.amount, i64::from(*percent), 100);
                max_amount.map_or(share, |most| share.min(most))
            }
            Self::Amount(money) if money.currency != total.currency => return Err(NotApplicable::Currency),
            Self::Amount(money) => money.amount,
        };
        Ok(off.clamp(0, total.amount))
    }
}

/// `amount * part / whole`, rounded down.
pub(crate) fn share(amount: i64, part: i64, whole: i64) -> i64 {
    let product = i128::from(amount) * i128::from(part);
    i64::try_from(product / i128::from(whole.max(1))).unwrap_or(0)
}

/// A discount on lines that cost so much: the shares add up to it, and none is more than its line costs. What rounding
/// leaves over goes from line to line, so a share is less than one minor unit away from the line's due.
pub fn spread(discount: i64, amounts: &[i64]) -> Vec<i64> {
    let total: i64 = amounts.iter().sum();
    let mut before = 0;
    let share_of = |amount: &i64| {
        let until_before = share(discount, before, total);
        before += amount;
        share(discount, before, total) - until_before
    };
    amounts.iter().map(share_of).collect()
}

/// What `units` units of a line cost after `before` of its `quantity` units went back already, when `discount` of its
/// price was taken off the line: the parts of a line add up to the whole.
pub fn part(line: Line, before: u32, units: u32) -> i64 {
    let quantity = i64::from(line.quantity);
    let costs = line.unit_price.saturating_mul(quantity).saturating_sub(line.discount).max(0);
    let until = |units: u32| share(costs, i64::from(units), quantity);
    until(before.saturating_add(units)) - until(before)
}

/// A line and its share of the discount.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Line {
    /// Units.
    pub quantity: u32,
    /// Minor units for one.
    pub unit_price: i64,
    /// Minor units off all of them.
    pub discount: i64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::money::Currency;

    fn won(amount: i64) -> Money {
        Money::new(amount, Currency::KRW)
    }

    #[test]
    fn what_a_coupon_takes_off() {
        let percent = |percent, max_amount| Discount::Percent { percent, max_amount };
        assert_eq!(percent(10, None).of(None, won(9_999)), Ok(999));
        assert_eq!(percent(10, Some(500)).of(None, won(9_999)), Ok(500));
        assert_eq!(percent(100, None).of(None, won(9_999)), Ok(9_999));
        assert_eq!(percent(10, None).of(Some(10_000), won(9_999)), Err(NotApplicable::BelowMinimum));
        assert_eq!(percent(10, None).of(Some(9_999), won(9_999)), Ok(999));
        assert_eq!(Discount::Amount(won(3_000)).of(None, won(2_000)), Ok(2_000));
        let dollars = Discount::Amount(Money::new(1, "USD".parse().expect("valid")));
        assert_eq!(dollars.of(None, won(2_000)), Err(NotApplicable::Currency));
        assert_eq!(percent(10, None).of(None, won(crate::money::MAX_AMOUNT)), Ok(crate::money::MAX_AMOUNT / 10));
    }

    fn lines() -> impl Strategy<Value = (i64, Vec<(u32, i64)>)> {
        let line = (1_u32..20, 0_i64..2_000_000_000);
        (0_i64..=1_000, proptest::collection::vec(line, 1..12)).prop_map(|(thousandths, lines)| {
            let total: i64 = lines.iter().map(|(quantity, price)| i64::from(*quantity) * price).sum();
            (share(total, thousandths, 1_000), lines)
        })
    }

    proptest! {
        #[test]
        fn shares_add_up((discount, lines) in lines()) {
            let amounts: Vec<i64> = lines.iter().map(|(quantity, price)| i64::from(*quantity) * price).collect();
            let total: i64 = amounts.iter().sum();
            let shares = spread(discount, &amounts);
            prop_assert_eq!(shares.iter().sum::<i64>(), discount);
            for (share, amount) in shares.iter().zip(&amounts) {
                prop_assert!(0 <= *share && share <= amount, "{} of {}", share, amount);
                let due = i128::from(discount) * i128::from(*amount);
                prop_assert!((i128::from(*share) * i128::from(total) - due).abs() < i128::from(total.max(1)));
            }
        }

        #[test]
        fn parts_add_up((discount, lines) in lines(), steps in proptest::collection::vec(1_u32..5, 1..20)) {
            let amounts: Vec<i64> = lines.iter().map(|(quantity, price)| i64::from(*quantity) * price).collect();
            let paid = amounts.iter().sum::<i64>() - discount;
            let mut back = 0;
            for ((quantity, unit_price), discount) in lines.iter().zip(spread(discount, &amounts)) {
                let line = Line { quantity: *quantity, unit_price: *unit_price, discount };
                let mut before = 0;
                for step in steps.iter().cycle() {
                    let units = (*step).min(quantity - before);
                    if units == 0 {
                        break;
                    }
                    let part = part(line, before, units);
                    prop_assert!(0 <= part && part <= unit_price * i64::from(units));
                    back += part;
                    before += units;
                }
            }
            prop_assert_eq!(back, paid);
        }
    }
}
