//! Money against the journal: each charge is one sale or one refund, each sale of something that costs money one charge.

use std::collections::HashMap;

use firstcome_app::payments::{Payment, Refund};
use firstcome_core::ids::PaymentId;
use firstcome_core::ledger::{Hold, HoldState};
use firstcome_core::payment::{PaymentState, RefundState};
use firstcome_core::ports::{PortError, Records};

use super::books::every;
use super::journal::Journal;
use super::report::Report;

/// What went back of a payment, and what is on its way.
#[derive(Clone, Copy, Default)]
struct Back {
    done: i64,
    pending: i64,
}

pub(super) async fn check(journal: &Journal, records: &dyn Records, report: &mut Report) -> Result<(), PortError> {
    let mut back: HashMap<PaymentId, Back> = HashMap::new();
    every::<Refund>(records, |refund| {
        let entry = back.entry(refund.payment_id).or_default();
        match refund.state {
            RefundState::Done => entry.done += refund.amount,
            RefundState::Pending | RefundState::Quarantined => entry.pending += refund.amount,
            RefundState::Refused => {}
        }
    })
    .await?;
    let mut payments: HashMap<PaymentId, Payment> = HashMap::new();
    every::<Payment>(records, |payment| {
        report.payments += 1;
        let back = back.get(&payment.payment_id).copied().unwrap_or_default();
        judge(&payment, back, journal.order(payment.order_id), report);
        payments.insert(payment.payment_id, payment);
    })
    .await?;
    for hold in journal.orders().filter(|hold| matches!(hold.state, HoldState::Sold | HoldState::Returned)) {
        if hold.total().amount == 0 {
            continue;
        }
        let place = format!("order {}", hold.order);
        match payments.get(&hold.attempt) {
            None => report.differ(place, "is sold, but nobody paid for it".to_owned()),
            Some(payment) if payment.money_is(hold) => {}
            Some(payment) => {
                let paid = payment.amount;
                report.differ(place, format!("costs {}, but {paid} was paid", hold.total()));
            }
        }
    }
    Ok(())
}

trait Money {
    fn money_is(&self, hold: &Hold) -> bool;
}

impl Money for Payment {
    fn money_is(&self, hold: &Hold) -> bool {
        let total = hold.total();
        self.order_id == hold.order && self.amount == total.amount && self.currency == total.currency
    }
}

fn judge(payment: &Payment, back: Back, hold: Option<&Hold>, report: &mut Report) {
    let place = format!("payment {} of order {}", payment.payment_id, payment.order_id);
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
    let returned = hold.is_some_and(|hold| hold.attempt == payment.payment_id && hold.state == HoldState::Returned);
    match payment.state {
        PaymentState::Ready | PaymentState::InProgress | PaymentState::Unknown => {
            report.flying(place, "the provider has not decided yet".to_owned());
        }
        PaymentState::Quarantined => report.flying(place, "a person must look at it".to_owned()),
        PaymentState::Fail if delivered || returned => report.differ(place, "failed, but its order is sold".to_owned()),
        PaymentState::Fail => {}
        PaymentState::Canceled if back.done != payment.amount => {
            report.differ(place, "is canceled, but not all of it went back".to_owned());
        }
        PaymentState::Canceled if delivered => {
            report.differ(place, "went back, but its order is still delivered".to_owned());
        }
        PaymentState::Canceled => {}
        PaymentState::Done | PaymentState::PartialCanceled if back.pending > 0 => {
            report.flying(place, "its refund is under way".to_owned());
        }
        PaymentState::Done | PaymentState::PartialCanceled if !delivered => {
            report.differ(place, "is paid, but there is neither a delivery nor a refund".to_owned());
        }
        PaymentState::Done | PaymentState::PartialCanceled => {}
    }
}
