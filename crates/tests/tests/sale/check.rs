//! Holds what buyers were told against what the books say, in the manner of Jepsen: what was answered must be there, what
//! was refused must not, what nobody knows may. Pure, so that it can itself be tested with stories made up to be wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::books::{Books, Charge};
use super::history::{History, Kind, Terms, Told, Wish};

/// Something that must not be.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The rule that it breaks.
    pub(crate) rule: &'static str,
    what: String,
}

impl fmt::Debug for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.rule, self.what)
    }
}

/// Everything that is wrong; empty when all agree.
pub(crate) fn check(history: &History, offers: &[Terms], books: &Books) -> Vec<Finding> {
    let mut checker = Checker { history, offers, books, findings: Vec::new() };
    for surprise in &history.surprises {
        checker.report("surprise", surprise.clone());
    }
    checker.answered_orders_are_there();
    checker.nothing_else_is_there();
    checker.stock_is_kept();
    checker.limits_are_kept();
    checker.places_are_taken_once();
    checker.nothing_is_unfinished();
    checker.money_is_matched();
    checker.payments_are_as_told();
    checker.cancels_are_as_told();
    checker.vouchers_are_delivered();
    checker.vouchers_are_used_as_told();
    checker.findings
}

struct Checker<'a> {
    history: &'a History,
    offers: &'a [Terms],
    books: &'a Books,
    findings: Vec<Finding>,
}

impl Checker<'_> {
    fn report(&mut self, rule: &'static str, what: String) {
        self.findings.push(Finding { rule, what });
    }

    fn terms(&self, offer: &str) -> Option<&Terms> {
        self.offers.iter().find(|terms| terms.offer == offer)
    }

    fn answered_orders_are_there(&mut self) {
        for wish in &self.history.wishes {
            let Told::Ok(placed) = &wish.order else { continue };
            match self.books.orders.get(&placed.id) {
                None => self.report("lost_order", format!("{} was answered and is gone: {wish:?}", placed.id)),
                Some(row) => {
                    let told = (wish.buyer, &wish.offer, wish.quantity, placed.amount, placed.seq);
                    let found = (row.buyer, &row.offer, row.quantity, row.amount, row.seq);
                    if told != found {
                        self.report("changed_order", format!("{}: told {told:?}, found {found:?}", placed.id));
                    }
                }
            }
            match &wish.again {
                Told::Ok(id) if *id != placed.id => {
                    self.report("another_answer", format!("key {}: first {}, then {id}", wish.key, placed.id));
                }
                Told::No(code) => {
                    self.report("another_answer", format!("key {}: {}, then {code}", wish.key, placed.id));
                }
                Told::Ok(_) | Told::Unknown => {}
            }
        }
    }

    fn nothing_else_is_there(&mut self) {
        let mut known: BTreeMap<&str, &str> = BTreeMap::new();
        for wish in &self.history.wishes {
            let ids =
                wish.order.ok().map(|placed| placed.id.as_str()).into_iter().chain(wish.again.ok().map(String::as_str));
            for id in ids {
                if known.insert(id, &wish.key).is_some_and(|other| other != wish.key) {
                    self.report("shared_order", format!("{id} was given to two keys, one is {}", wish.key));
                }
            }
        }
        for (id, row) in &self.books.orders {
            if !known.contains_key(id.as_str()) {
                self.report("phantom_order", format!("{id} was never answered: {row:?}"));
            }
        }
    }

    fn stock_is_kept(&mut self) {
        for terms in self.offers {
            let Some(counters) = self.books.counters.get(&terms.offer).copied() else {
                self.report("lost_offer", terms.offer.clone());
                continue;
            };
            let orders = || self.books.orders.values().filter(|row| row.offer == terms.offer);
            let held: i64 = orders().filter(|row| row.holds()).map(|row| i64::from(row.quantity)).sum();
            let sold: i64 = orders().filter(|row| row.is_completed()).map(|row| i64::from(row.quantity)).sum();
            let stock = terms.stock + self.history.restocked.get(&terms.offer).copied().unwrap_or(0);
            let place = format!("{}: stock {stock}, orders hold {held} and bought {sold}, {counters:?}", terms.offer);
            if held + sold > stock || counters.held + counters.sold > counters.stock || counters.available < 0 {
                self.report("oversold", place.clone());
            }
            if counters.available + counters.held + counters.sold != counters.stock || counters.stock != stock {
                self.report("stock_changed", place.clone());
            }
            if (held, sold) != (counters.held, counters.sold) {
                self.report("ledger_and_orders_differ", place);
            }
        }
    }

    fn limits_are_kept(&mut self) {
        let mut owned: BTreeMap<(usize, &str), u32> = BTreeMap::new();
        for row in self.books.orders.values().filter(|row| row.holds() || row.is_completed()) {
            *owned.entry((row.buyer, &row.offer)).or_default() += row.quantity;
        }
        for ((buyer, offer), quantity) in owned {
            if let Some(limit) = self.terms(offer).and_then(|terms| terms.limit).filter(|limit| quantity > *limit) {
                self.report("over_limit", format!("buyer {buyer} has {quantity} of {offer}, may have {limit}"));
            }
        }
    }

    fn places_are_taken_once(&mut self) {
        let mut taken = BTreeMap::new();
        for (id, row) in &self.books.orders {
            if let Some(other) = taken.insert((&row.offer, row.seq), id) {
                self.report(
                    "place_taken_twice",
                    format!("{id} and {other} are both number {} of {}", row.seq, row.offer),
                );
            }
        }
    }

    fn nothing_is_unfinished(&mut self) {
        for (id, row) in &self.books.orders {
            let waits = row.state == "PAYING" || (row.state == "PENDING" && row.overdue);
            let asks = matches!(row.payment.as_deref(), Some("READY" | "IN_PROGRESS" | "UNKNOWN" | "QUARANTINED"));
            let owes = row.refunds.iter().any(|state| matches!(state.as_str(), "PENDING" | "QUARANTINED"));
            if waits || asks || owes {
                self.report("unfinished", format!("{id}: {row:?}"));
            }
            let long = self.terms(&row.offer).is_some_and(|terms| !terms.short_hold);
            if long && row.state == "EXPIRED" {
                self.report("expired_early", format!("{id}: {row:?}"));
            }
        }
    }

    fn charges(&self, order: &str) -> impl Iterator<Item = &Charge> {
        self.books.charges.iter().filter(move |charge| charge.order == order && charge.moved())
    }

    fn money_is_matched(&mut self) {
        for charge in self.books.charges.iter().filter(|charge| charge.moved()) {
            let back: i64 = charge.cancels.iter().sum();
            if back > charge.total || charge.total - back != charge.balance || charge.cancels.len() > 1 {
                self.report("refunded_twice", format!("{charge:?}"));
            }
            match self.books.orders.get(&charge.order) {
                None => self.report("charge_without_order", format!("{charge:?}")),
                Some(row) if charge.is_kept() && !row.is_completed() => {
                    self.report("charge_without_delivery", format!("{charge:?} for {row:?}"));
                }
                Some(row) if charge.is_kept() && (charge.balance != row.amount || charge.total != row.amount) => {
                    self.report("wrong_amount", format!("{charge:?} for {row:?}"));
                }
                Some(_) => {}
            }
        }
        for (id, row) in &self.books.orders {
            let kept = self.charges(id).filter(|charge| charge.is_kept()).count();
            if kept > 1 {
                self.report("double_charge", format!("{id} was charged {kept} times"));
            }
            if row.is_completed() && row.amount > 0 && kept == 0 {
                self.report("delivery_without_charge", format!("{id}: {row:?}"));
            }
        }
    }

    fn payments_are_as_told(&mut self) {
        for wish in &self.history.wishes {
            for payment in &wish.payments {
                let charge = self.books.charges.iter().find(|charge| charge.payment_key == payment.card);
                if let Told::Ok(_) = &payment.told
                    && !charge.is_some_and(Charge::moved)
                {
                    self.report("lost_payment", format!("{payment:?} was answered as done: {charge:?}"));
                }
                if matches!(&payment.told, Told::No(_)) && charge.is_some_and(Charge::is_kept) {
                    self.report("charged_after_refusal", format!("{payment:?}: {charge:?}"));
                }
                let differs = match (&payment.told, &payment.again) {
                    (Told::Ok(first), Told::Ok(then)) => first != then,
                    (Told::Ok(_), Told::No(_)) => true,
                    _ => false,
                };
                if differs {
                    self.report("another_answer", format!("{payment:?}"));
                }
            }
            self.paid_order_is_kept(wish);
        }
    }

    /// Who was told that the payment is done has the goods, unless they asked for the money back.
    fn paid_order_is_kept(&mut self, wish: &Wish) {
        let Some(row) = wish.order.ok().and_then(|placed| self.books.orders.get(&placed.id)) else { return };
        let paid = wish.payments.iter().any(|payment| payment.told.ok().is_some());
        let may_be_back = wish.cancel.is_some() && row.state == "CANCELED";
        if paid && !row.is_completed() && !may_be_back {
            self.report("paid_and_not_delivered", format!("{wish:?}: {row:?}"));
        }
    }

    fn cancels_are_as_told(&mut self) {
        for (order, answer) in &self.books.refused_cancels {
            self.report("another_answer", format!("the cancel of {order} was done, and again it is {answer}"));
        }
        for wish in &self.history.wishes {
            let Some(row) = wish.order.ok().and_then(|placed| self.books.orders.get(&placed.id)) else { continue };
            let refused = row.refunds.iter().any(|state| state == "REFUSED");
            let used = wish.uses.iter().any(|usage| !matches!(usage.told, Told::No(_)));
            match &wish.cancel {
                Some(Told::Ok(())) if row.state != "CANCELED" && !(refused && used) => {
                    self.report("cancel_lost", format!("{wish:?}: {row:?}"));
                }
                None if row.state == "CANCELED" => {
                    self.report("canceled_by_nobody", format!("{wish:?}: {row:?}"));
                }
                Some(Told::No(_)) if row.state == "CANCELED" => {
                    self.report("canceled_after_refusal", format!("{wish:?}: {row:?}"));
                }
                _ => {}
            }
        }
    }

    fn vouchers_are_delivered(&mut self) {
        let mut codes = BTreeSet::new();
        let mut delivered: BTreeMap<&str, u32> = BTreeMap::new();
        for voucher in &self.books.vouchers {
            if !codes.insert(&voucher.code) {
                self.report("double_delivery", format!("two vouchers have the code {}", voucher.code));
            }
            match self.books.orders.get(&voucher.order) {
                None => self.report("voucher_without_order", format!("{voucher:?}")),
                Some(row) if row.buyer != voucher.buyer => self.report("given_to_another", format!("{voucher:?}")),
                Some(_) => {}
            }
            if voucher.state != "CANCELED" {
                *delivered.entry(&voucher.order).or_default() += 1;
            }
        }
        for (id, row) in &self.books.orders {
            let digital = self.terms(&row.offer).is_some_and(|terms| terms.kind.is_digital());
            let due = if digital && row.is_completed() { row.quantity } else { 0 };
            let count = delivered.get(id.as_str()).copied().unwrap_or(0);
            match count.cmp(&due) {
                std::cmp::Ordering::Less => self.report("not_delivered", format!("{id}: {count} of {due}: {row:?}")),
                std::cmp::Ordering::Greater => {
                    self.report("double_delivery", format!("{id}: {count}, not {due}: {row:?}"));
                }
                std::cmp::Ordering::Equal => {}
            }
        }
    }

    fn vouchers_are_used_as_told(&mut self) {
        for wish in self.history.wishes.iter().filter(|wish| !wish.uses.is_empty()) {
            let Some(kind) = self.terms(&wish.offer).map(|terms| terms.kind) else { continue };
            let codes: BTreeSet<&str> = wish.uses.iter().map(|usage| usage.code.as_str()).collect();
            for code in codes {
                let uses = || wish.uses.iter().filter(|usage| usage.code == code);
                if uses().any(|usage| usage.told.is_unknown()) {
                    continue;
                }
                let Some(voucher) = self.books.vouchers.iter().find(|voucher| voucher.code == code) else {
                    self.report("lost_voucher", format!("{code} of {wish:?}"));
                    continue;
                };
                let done = uses().filter(|usage| usage.told.ok().is_some());
                let agrees = match kind {
                    Kind::GiftCard { face } => {
                        let spent: i64 = done.filter_map(|usage| usage.amount).sum();
                        voucher.balance == Some(face - spent) || (voucher.state == "CANCELED" && spent == 0)
                    }
                    _ => done.count() == usize::from(voucher.state == "USED"),
                };
                if !agrees {
                    self.report("balance_differs", format!("{voucher:?}, but {wish:?}"));
                }
            }
        }
    }
}
