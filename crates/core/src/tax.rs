//! VAT: prices contain it. What of an order's money is supplied, what is VAT, and what is free of it, exact to the minor
//! unit, so that whatever goes back in parts adds up to what the order said.
//!
//! The VAT of a taxable amount is its share `percent / (100 + percent)`, rounded to the nearest unit, half up, as the
//! payment provider counts it. It is counted once, of all that is taxable of an order; lines and refunds get what their part
//! adds to it, in turn, so no rounding is ever lost.

use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

use crate::discount::{share, spread};
use crate::ids::OfferNumber;
use crate::ledger::Hold;

/// Percent of VAT in Korea; what the journal means where it says nothing.
pub const USUAL_PERCENT: u8 = 10;

/// What money consists of, in minor units.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Tax {
    /// What is taxable, without its VAT.
    pub supplied: i64,
    /// The VAT.
    pub vat: i64,
    /// What is free of VAT.
    pub tax_free: i64,
}

/// The VAT that a taxable amount contains.
pub fn vat_in(taxable: i64, percent: u8) -> i64 {
    let whole = 100 + i128::from(percent);
    let vat = (2 * i128::from(taxable) * i128::from(percent) + whole) / (2 * whole);
    i64::try_from(vat).unwrap_or(0)
}

impl Tax {
    /// Of an amount that is taxable, and one that is not.
    pub fn of(taxable: i64, tax_free: i64, percent: u8) -> Self {
        let vat = vat_in(taxable, percent);
        Self { supplied: taxable - vat, vat, tax_free }
    }

    /// What is taxable, with its VAT.
    pub fn taxable(self) -> i64 {
        self.supplied + self.vat
    }

    /// All of it.
    pub fn total(self) -> i64 {
        self.taxable() + self.tax_free
    }

    /// What the next part of this is, after `before` of it: `amount`, of which `tax_free` should be free of VAT, or none to
    /// take of both what is left in proportion. A part takes no more of either than is left, and all parts together are the
    /// whole.
    #[must_use]
    pub fn part(self, before: Self, amount: i64, tax_free: Option<i64>, percent: u8) -> Self {
        let left = self - before;
        let (taxable_left, free_left) = (left.taxable().max(0), left.tax_free.max(0));
        let wanted = tax_free.unwrap_or_else(|| share(amount, free_left, taxable_left + free_left));
        let tax_free = wanted.max(amount - taxable_left).min(free_left).clamp(0, amount.max(0));
        let taxable = amount - tax_free;
        let vat = vat_in(before.taxable() + taxable, percent) - before.vat;
        let vat = vat.clamp(0, taxable.max(0));
        Self { supplied: taxable - vat, vat, tax_free }
    }
}

impl Add for Tax {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        let Self { supplied, vat, tax_free } = other;
        Self { supplied: self.supplied + supplied, vat: self.vat + vat, tax_free: self.tax_free + tax_free }
    }
}

impl Sub for Tax {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        let Self { supplied, vat, tax_free } = other;
        Self { supplied: self.supplied - supplied, vat: self.vat - vat, tax_free: self.tax_free - tax_free }
    }
}

impl std::iter::Sum for Tax {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), Add::add)
    }
}

/// A line of an order, and what it costs after its share of the discount.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TaxedLine {
    /// The offer.
    pub offer: OfferNumber,
    /// What it costs, in minor units.
    pub amount: i64,
    /// What of the order's tax it is.
    pub tax: Tax,
}

/// The lines of an order, its home first, with what each is of the order's tax. `untaxed` tells of which offers nothing is
/// ever taxed; of which nothing was when the order was placed the order says itself.
pub fn lines_of(hold: &Hold, untaxed: impl Fn(OfferNumber) -> bool) -> Vec<TaxedLine> {
    let own = (hold.order.home(), i64::from(hold.quantity).saturating_mul(hold.unit_price.amount));
    let price = |quantity: u32, unit: i64| i64::from(quantity).saturating_mul(unit);
    let elsewhere =
        hold.lines_elsewhere().map(|line| (line.offer.number(), price(line.quantity, line.unit_price.amount)));
    let lines: Vec<(OfferNumber, i64)> = std::iter::once(own).chain(elsewhere).collect();
    let prices: Vec<i64> = lines.iter().map(|(_, price)| *price).collect();
    let percent = hold.vat_percent();
    let (mut before, whole) = (Tax::default(), Tax { supplied: i64::MAX / 2, vat: 0, tax_free: i64::MAX / 2 });
    let mut taxed = |(offer, amount): (OfferNumber, i64)| {
        let is_free = hold.is_tax_free(offer) || untaxed(offer);
        let tax = whole.part(before, amount, Some(if is_free { amount } else { 0 }), percent);
        before = before + tax;
        TaxedLine { offer, amount, tax }
    };
    let discounted = lines.into_iter().zip(spread(hold.discount, &prices));
    discounted.map(|((offer, price), discount)| taxed((offer, price - discount))).collect()
}

/// The tax of a whole order: of its lines, and of what sending it costs, which is taxed.
pub fn of_order(hold: &Hold, untaxed: impl Fn(OfferNumber) -> bool) -> Tax {
    let lines: Tax = lines_of(hold, untaxed).iter().map(|line| line.tax).sum();
    lines + of_shipping(hold, lines)
}

/// What of that which is left to pay is free of VAT, beside a gift card: as much as of the whole order, in proportion.
pub fn free_to_pay(hold: &Hold, tax: Tax) -> i64 {
    share(tax.tax_free, hold.due().amount, hold.total().amount)
}

/// What sending an order adds to the tax of its lines.
pub fn of_shipping(hold: &Hold, lines: Tax) -> Tax {
    Tax::of(lines.taxable() + hold.shipping_fee(), lines.tax_free, hold.vat_percent()) - lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ids::{OfferId, OrderId, UserId};
    use crate::ledger::{Event, Facts, Granted, Line, TaxFacts};
    use crate::money::{Currency, Money};
    use crate::time::Time;

    #[test]
    fn vat_is_rounded_to_the_nearest_unit_half_up() {
        // As the payment provider's own examples have it: 9,026 won contain 821, 30,000 contain 2,727.
        for (taxable, percent, vat) in [
            (9_026, 10, 821),
            (30_000, 10, 2_727),
            (54_468, 10, 4_952),
            (11, 10, 1),
            (5, 10, 0),
            (6, 10, 1),
            (10_000, 0, 0),
            (3, 100, 2),
            (0, 10, 0),
            (crate::money::MAX_AMOUNT, 10, 90_909_090_909_091),
        ] {
            assert_eq!(vat_in(taxable, percent), vat, "{taxable} at {percent} %");
        }
        assert_eq!(Tax::of(9_026, 974, 10), Tax { supplied: 8_205, vat: 821, tax_free: 974 });
    }

    #[test]
    fn a_part_takes_no_more_of_either_than_is_left() {
        let whole = Tax::of(1_100, 500, 10);
        let part = |before, amount, free| whole.part(before, amount, free, 10);
        assert_eq!(part(Tax::default(), 800, None), Tax { supplied: 500, vat: 50, tax_free: 250 }, "in proportion");
        assert_eq!(part(Tax::default(), 800, Some(800)).tax_free, 500);
        assert_eq!(part(Tax::default(), 1_200, Some(0)).tax_free, 100);
        let rest = part(Tax::of(1_099, 0, 10), 501, Some(500));
        assert_eq!(rest, Tax { supplied: 1, vat: 0, tax_free: 500 });
    }

    fn order(lines: &[(u32, i64, bool)], discount: i64, percent: u8, fee: i64) -> Hold {
        let money = |amount| Money::new(amount, Currency::KRW);
        let number = |place: usize| OfferNumber(place as u32 + 1);
        let other = |(place, (quantity, price, _)): (usize, &(u32, i64, bool))| Line {
            offer: OfferId::numbered(Time(1), number(place), [0; 6]),
            quantity: *quantity,
            unit_price: money(*price),
            seq: None,
        };
        let other_lines = lines.iter().enumerate().skip(1).map(other).collect();
        let free = lines.iter().enumerate().filter(|(_, line)| line.2).map(|(place, _)| number(place)).collect();
        let tax = Some(TaxFacts { percent, free });
        let granted = Granted {
            order: OrderId::of_request(UserId([3; 16]), "key", 0, number(0)),
            person: UserId([3; 16]),
            quantity: lines[0].0,
            unit_price: money(lines[0].1),
            discount,
            digest: 0,
            expires_at: Time(9),
            terms_version: 1,
            facts: Some(Box::new(Facts { other_lines, tax, shipping_fee: Some(fee), ..Facts::default() })),
        };
        Hold::created_by(&Event::Held(granted), 1, Time(1)).expect("it grants")
    }

    #[test]
    fn each_line_is_taxed_or_not() {
        let hold = order(&[(1, 9_026, false), (2, 487, true), (1, 1_000, false)], 0, 10, 0);
        let lines = lines_of(&hold, |offer| offer == OfferNumber(3));
        assert_eq!(lines.iter().map(|line| line.tax.vat).collect::<Vec<_>>(), [821, 0, 0]);
        assert_eq!(
            of_order(&hold, |offer| offer == OfferNumber(3)),
            Tax { supplied: 8_205, vat: 821, tax_free: 1_974 }
        );
        assert_eq!(of_order(&hold, |_| false), Tax::of(10_026, 974, 10));
    }

    fn orders() -> impl Strategy<Value = (Vec<(u32, i64, bool)>, i64, u8, i64)> {
        let line = (1_u32..20, 0_i64..2_000_000, any::<bool>());
        let percent = prop_oneof![Just(10_u8), Just(0), 1_u8..=100];
        let lines = proptest::collection::vec(line, 1..12);
        (0_i64..=1_000, lines, percent, 0_i64..5_000).prop_map(|(thousandths, lines, percent, fee)| {
            let total = lines.iter().map(|(quantity, price, _)| i64::from(*quantity) * price).sum();
            (lines, share(total, thousandths, 1_000), percent, fee)
        })
    }

    proptest! {
        #[test]
        fn the_tax_of_an_order_is_what_it_costs((lines, discount, percent, fee) in orders()) {
            let hold = order(&lines, discount, percent, fee);
            let taxed = lines_of(&hold, |_| false);
            let whole = of_order(&hold, |_| false);
            prop_assert_eq!(whole.total(), hold.total().amount);
            prop_assert_eq!(whole, Tax::of(whole.taxable(), whole.tax_free, percent), "counted once, of all of it");
            for line in taxed {
                prop_assert_eq!(line.tax.total(), line.amount);
                prop_assert!(line.tax.vat >= 0 && line.tax.supplied >= 0 && line.tax.tax_free >= 0, "{:?}", line);
                let own = vat_in(line.tax.taxable(), percent);
                prop_assert!((line.tax.vat - own).abs() <= 1, "{:?}: alone it would be {}", line, own);
            }
        }

        #[test]
        fn parts_add_up_to_the_whole(
            (lines, discount, percent, fee) in orders(),
            parts in proptest::collection::vec((0_i64..=1_000, proptest::option::of(0_i64..=1_000)), 0..12),
        ) {
            let whole = of_order(&order(&lines, discount, percent, fee), |_| false);
            let mut back = Tax::default();
            let last = (1_000, Some(1_000));
            for (thousandths, free) in parts.into_iter().chain([last]) {
                let amount = share((whole - back).total(), thousandths, 1_000);
                let part = whole.part(back, amount, free.map(|free| share(amount, free, 1_000)), percent);
                prop_assert_eq!(part.total(), amount);
                prop_assert!(part.vat >= 0 && part.supplied >= 0 && part.tax_free >= 0, "{:?}", part);
                back = back + part;
            }
            prop_assert_eq!(back, whole);
        }
    }
}
