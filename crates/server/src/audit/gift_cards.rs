//! Gift cards and coupons: what orders say that they paid with, the accounts of the ledger and the rows of vouchers must be
//! one story; and what was sold is what was charged and what gift cards paid.

use std::collections::{HashMap, HashSet};

use firstcome_app::vouchers::{Movement, MovementKind, Voucher, came_back_as, is_use};
use firstcome_core::ids::{EventId, OfferNumber, OrderId, VoucherId};
use firstcome_core::ledger::{CardPart, Hold, HoldState};
use firstcome_core::product::ProductKind;

use super::journal::Journal;
use super::refunds::Decided;
use super::report::{Report, Sums};

/// Compares orders with the accounts that paid for them.
pub(super) fn check(journal: &Journal, decided: &Decided, report: &mut Report) {
    for order in journal.orders() {
        let Some(part) = order.by_card() else { continue };
        let place = format!("gift card of order {}", order.order);
        let paid = journal.holds.get(&(order.order, part.account));
        let is_sold = matches!(order.state, HoldState::Sold | HoldState::Returned);
        if let Some(why) = disagrees(part, paid) {
            report.differ(place, why.to_owned());
        } else if is_sold && order.due().amount < 0 {
            report.differ(place, "has paid more than the order cost".to_owned());
        } else if is_sold {
            let back = paid.map_or(0, |hold| i64::from(hold.returned()));
            let sums = report.money.entry(order.unit_price.currency.to_string()).or_default();
            sums.gift_cards_back = sums.gift_cards_back.saturating_add(back);
            let (done, pending) = decided.to_card(order.order);
            if back != done && (done..=done + pending).contains(&back) {
                report.flying(place, "is about to get money back, or the order is to hear of it".to_owned());
            } else if back != done {
                report.differ(place, format!("got {back} back, but {done} was decided"));
            } else if pending > 0 {
                report.flying(place, "is about to get money back".to_owned());
            }
        }
    }
    let differ = |(_, sums): &(&String, &Sums)| sums.sold != sums.charged.saturating_add(sums.by_gift_card);
    let wrong: Vec<String> = report.money.iter().filter(differ).map(|(currency, _)| currency.clone()).collect();
    for currency in wrong {
        let why = "what was sold is not what was charged and what gift cards paid".to_owned();
        report.differ(format!("money in {currency}"), why);
    }
}

fn disagrees(part: CardPart, paid: Option<&Hold>) -> Option<&'static str> {
    let Some(paid) = paid else { return Some("was never asked for what the order says that it paid") };
    if paid.person.0 != part.card.0 {
        return Some("is another one than the order says");
    }
    (i64::from(paid.quantity) != part.amount).then_some("was asked for another amount than the order says")
}

/// What of each voucher is spent, as the accounts say.
pub(super) struct Spent {
    spent: HashMap<VoucherId, i64>,
    holds: HashMap<VoucherId, Vec<(OrderId, OfferNumber)>>,
    /// What units were taken under, and the rows that they came back as.
    names: HashSet<OrderId>,
    returns: HashSet<EventId>,
}

impl Spent {
    pub(super) fn read(journal: &Journal) -> Self {
        let (mut spent, mut holds): (HashMap<_, i64>, HashMap<_, Vec<_>>) = Default::default();
        let (mut names, mut returns) = (HashSet::new(), HashSet::new());
        for (key, hold) in journal.holds.iter().filter(|((_, offer), hold)| offer.is_account() && is_use(hold)) {
            let voucher = VoucherId(hold.person.0);
            holds.entry(voucher).or_default().push(*key);
            if matches!(hold.state, HoldState::Sold | HoldState::Returned) {
                *spent.entry(voucher).or_default() += i64::from(hold.units());
                names.insert(hold.order);
                returns.extend(hold.returns().iter().map(|back| came_back_as(back.id)));
            }
        }
        Self { spent, holds, names, returns }
    }

    /// What a row says of units that the journal did not say when it was read, a moment ago.
    pub(super) fn ahead(&self, movement: &Movement) -> i64 {
        match (movement.kind, movement.name) {
            (MovementKind::Redeemed | MovementKind::Spent | MovementKind::Refunded, Some(name))
                if !self.names.contains(&name) =>
            {
                movement.amount
            }
            (MovementKind::Returned, _) if !self.returns.contains(&movement.id) => -movement.amount,
            _ => 0,
        }
    }

    /// Compares a row with its account. `position` is how far the journal was read for it, `ahead` what has happened since
    /// it was read here.
    pub(super) fn check(
        &self,
        journal: &Journal,
        (voucher, ahead): (&Voucher, i64),
        position: i64,
        report: &mut Report,
    ) {
        // Of a coupon that was taken back by force the row does not follow its account any more.
        let follows = voucher.has_account() && (voucher.kind == ProductKind::GiftCard || !voucher.voided);
        let spent = self.spent.get(&voucher.id).copied().unwrap_or_default();
        let agrees = voucher.face - voucher.balance - ahead == spent;
        if !follows || agrees && ahead == 0 {
            return;
        }
        let place = format!("balance of voucher {} of order {}", voucher.id, voucher.order);
        let why = format!("{spent} are spent by its account, but its row says {} of {}", voucher.balance, voucher.face);
        let is_news = |key: &(OrderId, OfferNumber)| journal.is_news(*key, position);
        let is_behind = self.holds.get(&voucher.id).is_some_and(|holds| holds.iter().any(is_news));
        if agrees || is_behind { report.flying(place, why) } else { report.differ(place, why) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use firstcome_core::ids::{PaymentId, RefundId, UserId};
    use firstcome_core::ledger::{Event, Facts, Granted};
    use firstcome_core::money::{Currency, Money};
    use firstcome_core::testkit::Auditor;
    use firstcome_core::time::Time;

    use super::*;

    const HOME: OfferNumber = OfferNumber(1);
    const CARD: VoucherId = VoucherId([5; 16]);

    fn hold(offer: OfferNumber, person: UserId, quantity: u32, by_card: Option<i64>) -> Hold {
        let part = |amount| CardPart { card: CARD, account: OfferNumber(2).account(), amount };
        let granted = Granted {
            order: OrderId::of_request(UserId([1; 16]), "key", 0, HOME),
            person,
            quantity,
            unit_price: Money::new(if offer == HOME { 1_000 } else { 0 }, Currency::KRW),
            discount: 0,
            digest: 7,
            expires_at: Time(9),
            terms_version: 1,
            facts: by_card.map(|amount| Box::new(Facts { by_card: Some(part(amount)), ..Facts::default() })),
        };
        let held = Hold::created_by(&Event::Held(granted), 1, Time(1)).expect("it grants");
        Hold { state: HoldState::Sold, attempt: PaymentId([3; 16]), ..held }
    }

    /// An order of 1,000 that says that a card paid so much, and what its account says.
    fn journal(says: i64, account: Option<(VoucherId, u32, u32)>) -> Journal {
        let order = hold(HOME, UserId([1; 16]), 1, Some(says));
        let number = OfferNumber(2).account();
        let paid = account.map(|(card, quantity, back)| {
            let mut paid = hold(number, UserId(card.0), quantity, None);
            let returned =
                Event::Returned { order: paid.order, return_id: RefundId([8; 16]), quantity: back, restock: true };
            (0..back.min(1)).for_each(|_| paid.evolve(&returned, 2));
            ((paid.order, number), paid)
        });
        Journal {
            audit: Auditor::default().finish(),
            holds: paid.into_iter().chain([((order.order, HOME), order)]).collect(),
            positions: HashMap::new(),
            terms: BTreeMap::new(),
            offer_positions: BTreeMap::new(),
            records: 0,
            witness_missing: false,
            strays: Vec::new(),
        }
    }

    fn found(journal: &Journal, charge: i64) -> usize {
        let mut report = Report::default();
        for order in journal.orders() {
            report.money.entry("KRW".to_owned()).or_default().take(order, (charge, 0));
        }
        check(journal, &Decided::default(), &mut report);
        report.disagreements.len()
    }

    #[test]
    fn what_a_card_paid_is_what_its_account_says() {
        assert_eq!(found(&journal(400, Some((CARD, 400, 0))), 600), 0);
        assert_eq!(found(&journal(400, Some((CARD, 400, 0))), 500), 1, "too little was charged");
        assert_eq!(found(&journal(400, None), 600), 1, "never asked");
        assert_eq!(found(&journal(400, Some((CARD, 399, 0))), 600), 1, "another amount");
        assert_eq!(found(&journal(400, Some((VoucherId([6; 16]), 400, 0))), 600), 1, "another card");
        assert_eq!(found(&journal(400, Some((CARD, 400, 1))), 600), 1, "back, and nobody decided it");
        assert_eq!(found(&journal(1_001, Some((CARD, 1_001, 0))), -1), 1, "more than it cost");
    }

    #[test]
    fn a_row_says_what_its_account_says() {
        let journal = journal(400, Some((CARD, 400, 0)));
        let spent = Spent::read(&journal);
        let voucher = |balance| Voucher {
            id: CARD,
            code: String::new(),
            order: OrderId::NIL,
            user: UserId([1; 16]),
            kind: ProductKind::GiftCard,
            product_name: String::new(),
            face: 1_000,
            currency: Currency::KRW,
            balance,
            valid_until: Time(9),
            voided: false,
            issued_at: Time(1),
            offer: Some(OfferNumber(2)),
        };
        let found = |balance, ahead| {
            let mut report = Report::default();
            spent.check(&journal, (&voucher(balance), ahead), 100, &mut report);
            (report.disagreements.len(), report.in_flight.len())
        };
        assert_eq!(found(600, 0), (0, 0));
        assert_eq!(found(601, 0), (1, 0), "spent, and still on it");
        assert_eq!(found(500, 0), (1, 0), "gone, and nobody spent it");
        assert_eq!(found(500, 100), (0, 1), "spent since the journal was read");
    }
}
