//! What is left to send back when a part of the money went back at the provider's side before.

use firstcome_core::ports::{Committed, PortError, ProviderAnswer};
use firstcome_core::records::{RecordsExt as _, Stored, Unit};

use super::Payments;
use super::refunds::movement;
use super::rows::{Origin, Payment, Refund, refunds_of};

impl Payments {
    /// The amount of a refund, or what is left of its payment when the provider's side sent back a part of that.
    pub(super) async fn at_most_the_rest(&self, payment: &Payment, amount: i64) -> Result<i64, PortError> {
        let left = payment.amount.saturating_sub(payment.refunded);
        if left <= 0 || left >= amount {
            return Ok(amount);
        }
        let refunds = refunds_of(&*self.ports.records, payment.order_id).await?;
        let without_us = refunds
            .iter()
            .map(|refund| &refund.record)
            .any(|refund| refund.origin == Origin::Provider && refund.payment_id == payment.payment_id);
        Ok(if without_us { left } else { amount })
    }

    /// Before a refund is asked for the first time: a part that went back at the provider's side, and that nobody has told
    /// us of, is booked, and the refund becomes the rest. Whether that happened; then the refund is as due as before.
    ///
    /// Afterwards it would be too late: under one key the provider answers one amount.
    pub(super) async fn becomes_the_rest(&self, refund: &Stored<Refund>, payment: &Payment) -> Result<bool, PortError> {
        if refund.record.tries > 0 {
            return Ok(false);
        }
        let ProviderAnswer::Payment(said) = self.ports.provider.lookup(&payment.payment_key).await else {
            return Ok(false);
        };
        let is_less = 0 < said.balance.amount && said.balance.amount < refund.record.amount;
        if !is_less || movement(&said, &refund.record).is_some() {
            return Ok(false);
        }
        self.follow(payment.order_id, said).await?;
        let Some(payment) = self.ports.records.load::<Payment>(payment.payment_id).await? else { return Ok(false) };
        let amount = self.at_most_the_rest(&payment.record, refund.record.amount).await?;
        if amount == refund.record.amount {
            return Ok(false);
        }
        let record = Refund { amount, updated_at: self.now(), ..refund.record.clone() };
        let rest = Stored { record, version: refund.version };
        Ok(self.ports.records.commit(Unit::new().update(&rest)).await? == Committed::Done)
    }
}
