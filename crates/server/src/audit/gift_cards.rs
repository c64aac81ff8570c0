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
            (MovementKind::Redeemed | MovementKind::Spent, Some(name)) if !self.names.contains(&name) => {
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
        let follows = match voucher.kind {
            ProductKind::GiftCard => true,
            ProductKind::Coupon => !voucher.voided,
            ProductKind::Ticket | ProductKind::Goods => false,
        };
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
