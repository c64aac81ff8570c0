//! Money against the journal: each charge is one sale or one refund, each sale of something that costs money one charge
//! and what its gift card has paid ([`super::gift_cards`]).

use std::collections::{HashMap, HashSet};

use firstcome_app::payments::{Payment, Refund};
use firstcome_core::ids::{OrderId, PaymentId, RefundId, UserId};
use firstcome_core::ledger::{Hold, HoldState};
use firstcome_core::payment::{PaymentState, RefundState};
use firstcome_core::ports::{PortError, Records};

use super::books::every;
use super::journal::Journal;
use super::refunds::Decided;
use super::report::Report;

/// What went back of a payment, and what is on its way.
#[derive(Clone, Copy, Default)]
struct Back {
    done: i64,
    pending: i64,
    /// One of what is on its way that nothing moves any more.
    stuck: Option<RefundId>,
}

pub(super) async fn check(
    journal: &Journal,
    records: &dyn Records,
    decided: &Decided,
    report: &mut Report,
) -> Result<(), PortError> {
    let mut back: HashMap<PaymentId, Back> = HashMap::new();
    let mut sources: Vec<(RefundId, PaymentId, OrderId)> = Vec::new();
    every::<Refund>(records, |refund| {
        if refund.amount > 0 {
            sources.push((refund.refund_id, refund.payment_id, refund.order_id));
        }
        let entry = back.entry(refund.payment_id).or_default();
        match refund.state {
            RefundState::Done => entry.done += refund.amount,
            RefundState::Pending => entry.pending += refund.amount,
            RefundState::Quarantined => {
                entry.pending += refund.amount;
                entry.stuck = Some(refund.refund_id);
            }
            RefundState::Refused => {}
        }
    })
    .await?;
    let mut payments: HashMap<PaymentId, Payment> = HashMap::new();
    every::<Payment>(records, |payment| {
        report.payments += 1;
        let back = back.get(&payment.payment_id).copied().unwrap_or_default();
        judge(&payment, back, journal.whole_order(payment.order_id).as_ref(), decided, report);
        payments.insert(payment.payment_id, payment);
    })
    .await?;
    for (refund, payment, order) in sources {
        if payments.get(&payment).is_none_or(|payment| payment.order_id != order) {
            let place = format!("refund {refund} of order {order}");
            report.differ(place, format!("payment {payment}, which it comes from, is not one of the order"));
        }
    }
    let gone = compare_charges(payments.values(), report);
    for hold in journal.orders().filter(|hold| matches!(hold.state, HoldState::Sold | HoldState::Returned)) {
        let sums = report.money.entry(hold.unit_price.currency.to_string()).or_default();
        let charge = payments.get(&hold.attempt);
        sums.take(hold, charge.map_or((0, 0), |payment| (payment.amount, payment.refunded)));
        if hold.due().amount == 0 {
            continue;
        }
        let place = format!("order {}", hold.order);
        match payments.get(&hold.attempt) {
            None => report.differ(place, "is sold, but nobody paid for it".to_owned()),
            Some(payment) if hold.state == HoldState::Sold && gone.contains(&payment.payment_id) => {
                report.differ(place, "is delivered, but all of its money went back".to_owned());
            }
            Some(payment) if payment.money_is(hold) => {}
            Some(payment) => {
                let paid = payment.amount;
                report.differ(place, format!("{} of it were due, but {paid} was paid", hold.due()));
            }
        }
    }
    Ok(())
}

/// What the provider collected once stands in the books once. An attempt that failed is no charge. Returns the rows of a
/// charge that stands there twice and of which all went back, by whichever row.
fn compare_charges<'a>(payments: impl Iterator<Item = &'a Payment>, report: &mut Report) -> HashSet<PaymentId> {
    let mut gone = HashSet::new();
    let mut charges: HashMap<&str, &Payment> = HashMap::new();
    for payment in payments.filter(|payment| payment.state != PaymentState::Fail) {
        let Some(other) = charges.insert(&payment.payment_key, payment) else { continue };
        let place = format!("charge {} of order {}", payment.payment_key, payment.order_id);
        let (one, two) = (payment.payment_id.min(other.payment_id), payment.payment_id.max(other.payment_id));
        report.differ(place, format!("stands in the books twice, as {one} and as {two}"));
        if payment.refunded.saturating_add(other.refunded) >= payment.amount {
            gone.extend([one, two]);
        }
    }
    gone
}

trait Money {
    fn money_is(&self, hold: &Hold) -> bool;
}

impl Money for Payment {
    fn money_is(&self, hold: &Hold) -> bool {
        let due = hold.due();
        self.order_id == hold.order && self.amount == due.amount && self.currency == due.currency
    }
}

fn judge(payment: &Payment, back: Back, hold: Option<&Hold>, decided: &Decided, report: &mut Report) {
    let place = format!("payment {} of order {}", payment.payment_id, payment.order_id);
    // A charge that came without a request of ours may have met an order that nobody had placed.
    let nobody = payment.person == UserId::NIL && payment.digest == 0;
    if hold.is_none_or(|hold| hold.person != payment.person) && !nobody {
        report.differ(place.clone(), "who paid is not who ordered".to_owned());
    }
    if back.done != payment.refunded || back.done + back.pending > payment.amount {
        report.differ(
            place.clone(),
            format!(
                "{} went back by its refunds, {} by its own row, of {}",
                back.done, payment.refunded, payment.amount
            ),
        );
    }
    let delivered = hold.is_some_and(|hold| hold.attempt == payment.payment_id && hold.state == HoldState::Sold);
    let leading = hold.is_some_and(|hold| hold.attempt == payment.payment_id && hold.state == HoldState::Paying);
    let returned = hold.is_some_and(|hold| hold.attempt == payment.payment_id && hold.state == HoldState::Returned);
    match payment.state {
        PaymentState::Ready | PaymentState::InProgress | PaymentState::Unknown => {
            report.flying(place, "the provider has not decided yet".to_owned());
        }
        PaymentState::Quarantined => report.flying(place, format!("{} needs a person", payment.payment_id)),
        PaymentState::Fail if delivered || returned => report.differ(place, "failed, but its order is sold".to_owned()),
        PaymentState::Fail => {}
        PaymentState::Canceled if back.done != payment.amount => {
            report.differ(place, "is canceled, but not all of it went back".to_owned());
        }
        // All of it went back in parts that leave a delivery, by decision.
        PaymentState::Canceled if delivered && decided.sent_back(payment.order_id) >= payment.amount => {}
        PaymentState::Canceled if delivered => {
            report.differ(place, "went back, but its order is still delivered".to_owned());
        }
        PaymentState::Canceled => {}
        PaymentState::Done | PaymentState::PartialCanceled if back.pending > 0 => {
            let under_way = || "its refund is under way".to_owned();
            report.flying(
                place,
                back.stuck.map_or_else(under_way, |refund| format!("its refund {refund} needs a person")),
            );
        }
        PaymentState::Done | PaymentState::PartialCanceled if leading => {
            report.flying(place, "is paid, and its order is still to be completed".to_owned());
        }
        // Some of it was kept, by the policy that the order was sold under.
        PaymentState::Done | PaymentState::PartialCanceled if returned && decided.took_all(payment.order_id) => {}
        PaymentState::Done | PaymentState::PartialCanceled if !delivered => {
            report.differ(place, "is paid, but there is neither a delivery nor a refund".to_owned());
        }
        PaymentState::Done | PaymentState::PartialCanceled => {}
    }
}

#[cfg(test)]
mod tests {
    use firstcome_core::money::Currency;
    use firstcome_core::time::Time;

    use super::*;

    fn payment(number: u8, payment_key: &str, state: PaymentState) -> Payment {
        Payment {
            payment_id: PaymentId([number; 16]),
            order_id: OrderId([9; 16]),
            person: UserId([8; 16]),
            payment_key: payment_key.to_owned(),
            digest: 0,
            amount: 1_000,
            currency: Currency::KRW,
            state,
            live: None,
            refunded: if state == PaymentState::Canceled { 1_000 } else { 0 },
            code: None,
            message: None,
            tries: 0,
            due_at: None,
            created_at: Time(1),
            updated_at: Time(1),
            method: None,
            tax_free: None,
        }
    }

    /// The places that are named, and how many rows of a charge are there whose money went back.
    fn found(payments: &[Payment]) -> (Vec<String>, usize) {
        let mut report = Report::default();
        let gone = compare_charges(payments.iter(), &mut report);
        (report.disagreements.into_keys().collect(), gone.len())
    }

    #[test]
    fn a_charge_that_stands_in_two_rows_is_named() {
        let paid = payment(1, "key", PaymentState::Done);
        let again = payment(2, "key", PaymentState::Canceled);
        let (named, gone) = found(&[paid.clone(), again]);
        assert_eq!((named.len(), gone), (1, 2), "{named:?}");
        assert!(named[0].contains("charge key of"), "{named:?}");
        let (named, gone) = found(&[paid.clone(), payment(5, "key", PaymentState::Done)]);
        assert_eq!((named.len(), gone), (1, 0), "{named:?}");
        let failed = payment(3, "key", PaymentState::Fail);
        let another = payment(4, "another", PaymentState::Canceled);
        assert_eq!(found(&[paid, failed, another]), (Vec::new(), 0));
    }

    #[test]
    fn money_that_went_back_in_part_leaves_the_delivery() {
        let mut report = Report::default();
        let part = Payment { refunded: 400, ..payment(1, "key", PaymentState::PartialCanceled) };
        let whole = payment(1, "key", PaymentState::Canceled);
        let sold = sold_by(part.payment_id);
        judge(&part, Back { done: 400, ..Back::default() }, Some(&sold), &Decided::default(), &mut report);
        assert!(report.disagreements.is_empty() && report.in_flight.is_empty(), "{report:?}");
        judge(&whole, Back { done: 1_000, ..Back::default() }, Some(&sold), &Decided::default(), &mut report);
        assert_eq!(report.disagreements.len(), 1, "delivered, and all of the money is back");
    }

    #[test]
    fn a_refund_that_nothing_moves_any_more_needs_a_person() {
        let refund = RefundId([7; 16]);
        for (stuck, told) in [(None, "under way".to_owned()), (Some(refund), format!("{refund} needs a person"))] {
            let mut report = Report::default();
            let paid = payment(1, "key", PaymentState::Done);
            let back = Back { pending: 1_000, stuck, ..Back::default() };
            judge(&paid, back, Some(&sold_by(paid.payment_id)), &Decided::default(), &mut report);
            let why: Vec<_> = report.in_flight.into_values().collect();
            assert!(why.len() == 1 && why[0].contains(&told), "{why:?}");
        }
    }

    fn sold_by(attempt: PaymentId) -> Hold {
        let granted = firstcome_core::ledger::Granted {
            order: OrderId([9; 16]),
            person: UserId([8; 16]),
            quantity: 1,
            unit_price: firstcome_core::money::Money::new(1_000, Currency::KRW),
            discount: 0,
            digest: 0,
            expires_at: Time(9),
            terms_version: 1,
            facts: None,
        };
        let held = Hold::created_by(&firstcome_core::ledger::Event::Held(granted), 1, Time(1)).expect("it grants");
        Hold { state: HoldState::Sold, attempt, ..held }
    }
}
