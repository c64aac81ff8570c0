//! What the payment provider believes. It outlives every crash of the shop.

use std::collections::BTreeMap;
use std::time::Duration;

use firstcome_core::ids::{OrderId, RefundId};
use firstcome_core::money::Money;
use firstcome_core::ports::{ProviderAnswer, ProviderCancel, ProviderPayment, ProviderStatus};
use firstcome_core::time::Time;

/// How long a buyer's payment waits for our confirmation.
const PATIENCE: Duration = Duration::from_secs(600);

/// One payment, as the provider knows it.
#[derive(Clone, Debug)]
pub(super) struct Charge {
    pub(super) payment: ProviderPayment,
    /// The code with which it will be declined.
    pub(super) declined: Option<&'static str>,
    expires_at: Time,
}

/// A request that is still on its way to the provider: whoever sent it has heard nothing.
#[derive(Clone, Debug)]
pub(super) enum Late {
    Confirm(String, OrderId, Money),
    Cancel(RefundId, String, i64),
}

/// What the provider believes.
#[derive(Default, Debug)]
pub(super) struct Books {
    pub(super) charges: BTreeMap<String, Charge>,
    pub(super) late: Vec<Late>,
    /// Payments whose change has not been announced.
    pub(super) notices: Vec<(String, String, &'static str)>,
}

pub(super) fn refused(code: &str) -> ProviderAnswer {
    ProviderAnswer::Refused { code: code.to_owned(), message: "no".to_owned() }
}

/// Whether money came, and perhaps went back since.
pub(super) fn has_moved(status: ProviderStatus) -> bool {
    matches!(status, ProviderStatus::Done | ProviderStatus::PartialCanceled | ProviderStatus::Canceled)
}

impl Books {
    /// A buyer pays in the widget; the shop must confirm.
    pub(super) fn pay(&mut self, key: &str, order: &str, total: Money, declined: Option<&'static str>, now: Time) {
        let payment = ProviderPayment {
            payment_key: key.to_owned(),
            order_id: order.to_owned(),
            status: ProviderStatus::InProgress,
            total,
            balance: total,
            tax_free: 0,
            cancels: Vec::new(),
            account: None,
        };
        let charge = Charge { payment, declined, expires_at: now + PATIENCE };
        self.charges.entry(key.to_owned()).or_insert(charge);
    }

    /// The money comes without a confirmation, as a deposit does.
    pub(super) fn deposit(&mut self, key: &str) {
        if let Some(charge) = self.charges.get_mut(key) {
            charge.payment.status = ProviderStatus::Done;
            self.announce(key);
        }
    }

    fn announce(&mut self, key: &str) {
        let Some(charge) = self.charges.get(key) else { return };
        let status = match charge.payment.status {
            ProviderStatus::Done => "DONE",
            ProviderStatus::Canceled => "CANCELED",
            ProviderStatus::PartialCanceled => "PARTIAL_CANCELED",
            ProviderStatus::Aborted => "ABORTED",
            _ => "EXPIRED",
        };
        self.notices.push((key.to_owned(), charge.payment.order_id.clone(), status));
    }

    /// What was not confirmed in time is over.
    pub(super) fn expire(&mut self, now: Time) {
        let waits = |charge: &&mut Charge| charge.payment.status == ProviderStatus::InProgress;
        for charge in self.charges.values_mut().filter(waits).filter(|charge| charge.expires_at <= now) {
            charge.payment.status = ProviderStatus::Expired;
        }
    }

    pub(super) fn found(&self, wanted: impl Fn(&ProviderPayment) -> bool) -> ProviderAnswer {
        let found = self.charges.values().map(|charge| &charge.payment).rfind(|payment| wanted(payment));
        found.map_or_else(|| refused("NOT_FOUND_PAYMENT"), |payment| ProviderAnswer::Payment(payment.clone()))
    }

    pub(super) fn confirm(&mut self, key: &str, order: OrderId, amount: Money) -> ProviderAnswer {
        let Some(charge) = self.charges.get_mut(key) else { return refused("NOT_FOUND_PAYMENT") };
        let payment = &mut charge.payment;
        if payment.order_id != order.to_string() || payment.total != amount {
            return refused("INVALID_REQUEST");
        }
        match (payment.status, charge.declined) {
            (ProviderStatus::InProgress, Some(code)) => {
                payment.status = ProviderStatus::Aborted;
                self.announce(key);
                refused(code)
            }
            (ProviderStatus::InProgress, None) => {
                payment.status = ProviderStatus::Done;
                let answer = ProviderAnswer::Payment(payment.clone());
                self.announce(key);
                answer
            }
            (ProviderStatus::Aborted, Some(code)) => refused(code),
            (ProviderStatus::Expired, _) => refused("NOT_FOUND_PAYMENT_SESSION"),
            // What the client makes of ALREADY_PROCESSED_PAYMENT.
            _ => ProviderAnswer::Payment(payment.clone()),
        }
    }

    /// Sends money back; the same refund once. None is a cancel in the provider's console.
    pub(super) fn cancel(&mut self, key: &str, amount: i64, refund: Option<RefundId>) -> ProviderAnswer {
        let Some(payment) = self.charges.get_mut(key).map(|charge| &mut charge.payment) else {
            return refused("NOT_FOUND_PAYMENT");
        };
        if refund.is_some() && payment.cancels.iter().any(|cancel| cancel.refund == refund) {
            return ProviderAnswer::Payment(payment.clone());
        }
        if payment.status == ProviderStatus::Canceled {
            return refused("ALREADY_CANCELED_PAYMENT");
        }
        if !has_moved(payment.status) || amount > payment.balance.amount {
            return refused("NOT_CANCELABLE_AMOUNT");
        }
        payment.balance.amount -= amount;
        let transaction = format!("{key}-{}", payment.cancels.len());
        payment.cancels.push(ProviderCancel { transaction, amount, tax_free: 0, refund });
        let over = payment.balance.amount == 0;
        payment.status = if over { ProviderStatus::Canceled } else { ProviderStatus::PartialCanceled };
        let answer = ProviderAnswer::Payment(payment.clone());
        self.announce(key);
        answer
    }

    /// A request that was on its way arrives. False when there is none.
    pub(super) fn arrive_late(&mut self) -> bool {
        match self.late.pop() {
            Some(Late::Confirm(key, order, amount)) => drop(self.confirm(&key, order, amount)),
            Some(Late::Cancel(refund, key, amount)) => drop(self.cancel(&key, amount, Some(refund))),
            None => return false,
        }
        true
    }
}
