//! What sending goods costs: once for an order that has any, or nothing from an amount on.
//!
//! An order keeps what it was placed under, as a part of what it costs. It goes back with the cancel that leaves no goods to
//! be sent, before anything has left; a return keeps it, because the goods were sent. Nothing is ever asked for later: an
//! order that is canceled in part down to less than the amount stays free of it.

use firstcome_core::discount::spread;
use firstcome_core::events::TakenLine;
use firstcome_core::ledger::Hold;
use firstcome_core::money::{Currency, Money};
use firstcome_core::product::ProductKind;

use super::Orders;
use super::basket::Basket;
use super::books::Books;
use super::facts::OfferFacts;

/// What sending goods costs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Shipping {
    /// Won; 0 for nothing. Orders in other currencies are sent for nothing.
    pub fee: i64,
    /// From so many won of goods on, after their discount, nothing; none for always the fee.
    pub free_from: Option<i64>,
}

impl Shipping {
    /// What an order costs to send whose goods cost so much; none when it has no goods.
    pub(super) fn of(self, goods: Option<Money>) -> i64 {
        let Some(goods) = goods.filter(|goods| goods.currency == Currency::KRW) else { return 0 };
        if self.free_from.is_some_and(|amount| goods.amount >= amount) { 0 } else { self.fee }
    }
}

/// What the goods among these lines cost, after a discount on all of them; none when there are none.
pub(super) fn goods_of<'a>(lines: impl Iterator<Item = (&'a OfferFacts, Money, u32)>, discount: i64) -> Option<Money> {
    let lines: Vec<_> = lines.collect();
    let prices: Vec<i64> =
        lines.iter().map(|(_, price, quantity)| price.amount.saturating_mul(i64::from(*quantity))).collect();
    let shares = spread(discount, &prices);
    let costs = lines.iter().zip(prices.iter().zip(shares)).filter(|((offer, ..), _)| offer.kind == ProductKind::Goods);
    let mut costs = costs.map(|((_, price, _), (cost, share))| Money::new(cost - share, price.currency)).peekable();
    let currency = costs.peek()?.currency;
    Some(Money::new(costs.map(|cost| cost.amount).sum(), currency))
}

impl Orders {
    /// Whether sending this could cost something.
    pub(super) fn may_cost_shipping(&self, basket: &Basket) -> bool {
        self.ports.shop.shipping.fee > 0 && basket.has_goods()
    }
}

impl Books {
    /// What sending the order had cost and goes back when these units do: all of it with the last of its goods, while
    /// nothing has left.
    pub(super) fn fee_back(&self, lines: &[TakenLine]) -> i64 {
        let fee = self.hold.shipping_fee();
        let is_back = self.standing().any(|refund| refund.shipping_fee.is_some());
        if fee == 0 || is_back || self.after.shipping.is_some() {
            return 0;
        }
        let mut left = self.lines_left().into_iter().filter(|line| self.is_goods(line.offer));
        let stays = |left: TakenLine| {
            let taken = lines.iter().find(|line| line.offer == left.offer).map_or(0, |line| line.quantity);
            taken < left.quantity
        };
        if left.any(stays) { 0 } else { fee }
    }
}

/// The fee of an order as people are shown it.
pub(super) fn fee_of(hold: &Hold) -> Option<Money> {
    let fee = hold.shipping_fee();
    (fee > 0).then(|| Money::new(fee, hold.unit_price.currency))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goods_of_little_cost_the_fee() {
        let shipping = Shipping { fee: 3_000, free_from: Some(50_000) };
        let won = |amount| Some(Money::new(amount, Currency::KRW));
        assert_eq!((shipping.of(None), shipping.of(won(0)), shipping.of(won(49_999))), (0, 3_000, 3_000));
        assert_eq!(shipping.of(won(50_000)), 0);
        assert_eq!(Shipping { free_from: None, ..shipping }.of(won(1_000_000)), 3_000);
        let dollars = Money::new(100, "USD".parse().expect("a currency"));
        assert_eq!(shipping.of(Some(dollars)), 0);
        assert_eq!(Shipping::default().of(won(1)), 0);
    }
}
