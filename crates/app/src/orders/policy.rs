//! What goes back: how much of a line's price by the policy that it was sold under, and what a line's price is when a
//! discount was taken off the whole order.

use firstcome_core::discount::{Line, part, spread};
use firstcome_core::events::TakenLine;
use firstcome_core::ids::OfferNumber;
use firstcome_core::ledger::Hold;
use firstcome_core::product::{RefundPolicy, zone_or};
use firstcome_core::time::Time;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::books::{Books, SoldLine, sold_lines};
use super::terms::RefundTerms;

/// What goes back for some units.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Due {
    /// What they had cost. The parts of an order add up to what it had cost, to the unit.
    pub(super) cost: i64,
    /// What goes back of it.
    pub(super) amount: i64,
    /// What of the amount is free of VAT.
    pub(super) tax_free: i64,
}

/// What is left of a gift card, and given up for money.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct GivenUp {
    /// The offer that sold it.
    pub(super) offer: OfferNumber,
    /// Minor units that are left.
    pub(super) units: i64,
    /// Minor units that were put on it.
    pub(super) face: i64,
    /// Percent of what they had cost that go back.
    pub(super) percent: u8,
}

/// What goes back for a gift card that is given up: a share of what one unit of its line had cost, rounded down.
pub(super) fn for_given_up(hold: &Hold, card: GivenUp) -> i64 {
    let of_line = with_discounts(hold).into_iter().find(|(offer, _)| *offer == card.offer);
    let cost = of_line.map_or(0, |(_, line)| part(line, 0, 1));
    share(cost, i128::from(card.units) * i128::from(card.percent), i128::from(card.face) * 100)
}

/// Percent that go back so many days before the visit.
fn by_days(days: i32) -> u8 {
    match days {
        10.. => 100,
        7..=9 => 90,
        3..=6 => 80,
        1..=2 => 70,
        ..=0 => 0,
    }
}

/// Days from now to a visit, by the calendar of a time zone.
fn days_until(visit: &str, now: Time, time_zone: &TimeZone) -> Option<i32> {
    let visit: Date = visit.parse().ok()?;
    now.date(time_zone)?.until(visit).ok().map(|span| span.get_days())
}

/// Percent of the price that go back when units are given back now.
pub(super) fn percent(terms: &RefundTerms, now: Time, of_shop: &TimeZone) -> u8 {
    match terms.policy {
        RefundPolicy::FullUntilUsed | RefundPolicy::Withdrawal => 100,
        RefundPolicy::ByVisitDate => {
            let zone = zone_or(terms.time_zone.as_deref(), of_shop);
            terms.visit_date.as_ref().and_then(|visit| days_until(visit, now, &zone)).map_or(0, by_days)
        }
        RefundPolicy::None => 0,
    }
}

/// `part` of `whole` of an amount, rounded down.
pub(super) fn share(amount: i64, part: i128, whole: i128) -> i64 {
    let shared = if whole == 0 { 0 } else { i128::from(amount) * part / whole };
    i64::try_from(shared).unwrap_or(i64::MAX)
}

/// The lines of an order, each with its share of the order's discount.
fn with_discounts(hold: &Hold) -> Vec<(OfferNumber, Line)> {
    let sold = sold_lines(hold);
    let amounts: Vec<i64> =
        sold.iter().map(|line| line.unit_price.amount.saturating_mul(i64::from(line.quantity))).collect();
    let line = |(line, discount): (SoldLine, i64)| {
        let SoldLine { offer, quantity, unit_price } = line;
        (offer, Line { quantity, unit_price: unit_price.amount, discount })
    };
    sold.into_iter().zip(spread(hold.discount, &amounts)).map(line).collect()
}

/// What goes back for these units, of which each line gives back the percent that it is sold under. Never more than what is
/// left of the order's money, and never less than nothing.
pub(super) fn due(books: &Books, lines: &[TakenLine], percent: impl Fn(OfferNumber) -> u8) -> Due {
    let total = books.hold.total().amount - books.hold.shipping_fee();
    let sold = with_discounts(&books.hold);
    let cost = |line: &TakenLine| {
        let of_line = sold.iter().find(|(offer, _)| *offer == line.offer);
        (line.offer, of_line.map_or(0, |(_, sold)| part(*sold, books.taken_of(line.offer), line.quantity)))
    };
    let earlier = || books.standing().filter_map(|refund| refund.taken.as_ref());
    let mut costs: Vec<(OfferNumber, i64)> = lines.iter().map(cost).collect();
    if lines == books.lines_left() {
        // What is taken last is what the others have left, also when one that was refused lay between them.
        let others: i64 = earlier().map(|taken| taken.0.cost).chain(costs.iter().map(|(_, cost)| *cost)).sum();
        costs.iter_mut().rev().take(1).for_each(|(_, last)| *last += total - others);
    }
    let cost = costs.iter().map(|(_, cost)| cost).sum();
    let amounts: Vec<(OfferNumber, i64)> =
        costs.iter().map(|(offer, cost)| (*offer, share(*cost, i128::from(percent(*offer)), 100))).collect();
    let back = amounts.iter().map(|(_, amount)| amount).sum::<i64>() + books.fee_back(lines);
    let amount = back.clamp(0, books.left());
    let tax_free = amounts.iter().filter(|(offer, _)| books.is_tax_free(*offer)).map(|(_, amount)| amount).sum();
    Due { cost, amount, tax_free }
}

#[cfg(test)]
mod tests {
    use firstcome_core::ids::{OrderId, RefundId, UserId, VoucherId};
    use firstcome_core::ledger::{CardPart, Event, Facts, Granted, HoldState};
    use firstcome_core::money::{Currency, Money};
    use firstcome_core::payment::RefundState;

    use super::super::refund::{Refund, Taken};
    use super::*;

    const OFFER: OfferNumber = OfferNumber(1);

    fn visit(date: &str) -> RefundTerms {
        let visit_date = Some(date.to_owned());
        RefundTerms { policy: RefundPolicy::ByVisitDate, visit_date, ..RefundTerms::first(OFFER) }
    }

    #[test]
    fn the_nearer_the_visit_the_less_goes_back() {
        // Noon in Seoul on the 1st of December.
        let now = Time::from_millis("2026-12-01T03:00:00Z".parse::<jiff::Timestamp>().unwrap().as_millisecond());
        let seoul = TimeZone::get("Asia/Seoul").unwrap();
        for (day, expected) in [
            ("2027-03-01", 100),
            ("2026-12-11", 100),
            ("2026-12-10", 90),
            ("2026-12-08", 90),
            ("2026-12-07", 80),
            ("2026-12-04", 80),
            ("2026-12-03", 70),
            ("2026-12-02", 70),
            ("2026-12-01", 0),
            ("2026-11-30", 0),
            ("2025-12-02", 0),
        ] {
            assert_eq!(percent(&visit(day), now, &seoul), expected, "{day}");
        }
    }

    #[test]
    fn days_begin_where_the_shop_is() {
        let now = Time::from_millis("2026-12-01T14:59:59Z".parse::<jiff::Timestamp>().unwrap().as_millisecond());
        let seoul = TimeZone::get("Asia/Seoul").unwrap();
        assert_eq!(percent(&visit("2026-12-02"), now, &seoul), 70, "a second before midnight in Seoul");
        let next = now + std::time::Duration::from_secs(1);
        assert_eq!(percent(&visit("2026-12-02"), next, &seoul), 0, "the day has begun");
        assert_eq!(percent(&visit("2026-12-02"), next, &TimeZone::UTC), 70);
        let there = RefundTerms { time_zone: Some("America/New_York".to_owned()), ..visit("2026-12-02") };
        assert_eq!(percent(&there, next, &seoul), 70, "where the offer is, when it says so");
    }

    #[test]
    fn other_policies_know_no_days() {
        let of = |policy| percent(&RefundTerms { policy, ..RefundTerms::first(OFFER) }, Time(0), &TimeZone::UTC);
        assert_eq!(of(RefundPolicy::FullUntilUsed), 100);
        assert_eq!(of(RefundPolicy::Withdrawal), 100);
        assert_eq!(of(RefundPolicy::None), 0);
        assert_eq!(of(RefundPolicy::ByVisitDate), 0, "a ticket without a day cannot be given back by days");
    }

    fn sold(quantity: u32, unit_price: i64, discount: i64) -> Hold {
        let person = UserId([3; 16]);
        let granted = Granted {
            order: OrderId::of_request(person, "key", 0, OFFER),
            person,
            quantity,
            unit_price: Money::new(unit_price, Currency::KRW),
            discount,
            digest: 0,
            expires_at: Time(9),
            terms_version: 1,
            facts: None,
        };
        let held = Hold::created_by(&Event::Held(granted), 1, Time(1)).expect("it grants");
        Hold { state: HoldState::Sold, ..held }
    }

    /// Takes so many units one after the other. Returns the books, and what went back for each.
    fn take(hold: &Hold, quantities: &[u32], percent: u8) -> (Vec<Refund>, Vec<i64>) {
        let (mut refunds, mut amounts) = (Vec::new(), Vec::new());
        for (number, quantity) in quantities.iter().enumerate() {
            let books = Books::of(hold.clone(), refunds.clone());
            let lines = vec![TakenLine { offer: OFFER, quantity: *quantity, of: hold.quantity }];
            let Due { cost, amount, tax_free } = due(&books, &lines, |_| percent);
            let id = RefundId::derived(&[&number.to_be_bytes()]);
            let taken = Taken { lines, restock: true, cost, tax_free: Some(tax_free), ..Taken::default() };
            refunds.push(books.refund(id, taken, amount, RefundPolicy::FullUntilUsed, String::new(), Time(2)));
            amounts.push(amount);
        }
        (refunds, amounts)
    }

    #[test]
    fn the_parts_of_an_order_add_up_to_what_it_cost() {
        let hold = sold(3, 1_000, 100);
        assert_eq!(take(&hold, &[1, 1, 1], 100).1, [966, 967, 967]);
        assert_eq!(take(&hold, &[2, 1], 100).1, [1_933, 967]);
        assert_eq!(take(&hold, &[3], 100).1, [2_900]);
        assert_eq!(take(&hold, &[1, 2], 70).1, [676, 1_353], "each part is rounded down");
        let (refunds, _) = take(&hold, &[1, 2], 100);
        assert_eq!(refunds.iter().map(Refund::is_whole).collect::<Vec<_>>(), [false, true]);
        assert_eq!(Books::of(hold, refunds).left(), 0);
    }

    /// The same order; a gift card paid so much of it.
    fn beside_card(hold: Hold, amount: i64) -> Hold {
        let by_card = Some(CardPart { card: VoucherId([5; 16]), account: OFFER.account(), amount });
        Hold { facts: Some(Box::new(Facts { by_card, ..Facts::default() })), ..hold }
    }

    #[test]
    fn money_goes_back_to_the_charge_first_and_the_rest_to_the_card() {
        let parts = |hold: &Hold, quantities: &[u32], percent| {
            let (refunds, _) = take(hold, quantities, percent);
            refunds.iter().map(|refund| (refund.from_charge().amount, refund.to_card())).collect::<Vec<_>>()
        };
        let hold = beside_card(sold(3, 1_000, 100), 1_234);
        assert_eq!(parts(&hold, &[1, 1, 1], 100), [(966, 0), (700, 267), (0, 967)]);
        assert_eq!(parts(&hold, &[3], 100), [(1_666, 1_234)]);
        assert_eq!(parts(&hold, &[3], 50), [(1_450, 0)], "what the shop keeps it keeps of the card");
        assert_eq!(parts(&beside_card(sold(2, 500, 0), 1_000), &[1, 1], 100), [(0, 500), (0, 500)]);
        let (refunds, _) = take(&hold, &[1, 1], 100);
        assert_eq!(Books::of(hold, refunds).card_left(), 967);
    }

    #[test]
    fn a_gift_card_that_is_given_up_gives_back_its_share_of_what_it_had_cost() {
        let given_up =
            |hold: &Hold, units, percent| for_given_up(hold, GivenUp { offer: OFFER, units, face: 10_000, percent });
        assert_eq!(given_up(&sold(2, 9_000, 1_000), 10_000, 90), 7_650);
        assert_eq!(given_up(&sold(2, 9_000, 1_000), 3_999, 100), 3_399, "rounded down");
        assert_eq!(given_up(&sold(1, 0, 0), 10_000, 90), 0, "it had cost nothing");
    }

    #[test]
    fn a_part_that_was_refused_is_given_back_later() {
        let hold = sold(7, 999, 50);
        let (mut refunds, _) = take(&hold, &[2, 3], 100);
        refunds[0].state = RefundState::Refused;
        let books = Books::of(hold.clone(), refunds.clone());
        assert_eq!(books.lines_left(), [TakenLine { offer: OFFER, quantity: 4, of: 7 }]);
        let rest = due(&books, &books.lines_left(), |_| 100);
        assert_eq!(rest.amount + refunds[1].amount, hold.total().amount);
    }

    #[test]
    fn money_that_went_back_without_units_is_not_sent_twice() {
        let hold = sold(2, 500, 0);
        let books = Books::of(hold.clone(), Vec::new());
        let id = RefundId([7; 16]);
        let goodwill = books.refund(id, Taken::default(), 700, RefundPolicy::FullUntilUsed, String::new(), Time(2));
        assert!(goodwill.leaves_delivery() && !goodwill.is_whole());
        let books = Books::of(hold, vec![goodwill]);
        let rest = due(&books, &books.lines_left(), |_| 100);
        assert_eq!(rest, Due { cost: 1_000, amount: 300, tax_free: 0 });
    }
}
