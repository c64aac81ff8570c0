//! A person says what became of a bank transfer.

use firstcome_core::payment::is_not_found;
use firstcome_core::ports::{ProviderAnswer, ProviderPayment, ProviderStatus};
use firstcome_core::records::Stored;

use super::Case;
use super::resolve::no_charge;
use crate::http::Outcome;
use crate::payments::Payments;
use crate::payments::rows::Payment;
use crate::payments::transfer::first_late_look;

impl Payments {
    /// Whether the provider says that a deposit is there; none when it does not say.
    pub(super) async fn is_deposited(&self, attempt: &Payment) -> Option<bool> {
        let provider = &self.ports.provider;
        let is_unnamed = attempt.is_unnamed();
        let answer = if is_unnamed {
            provider.lookup_order(attempt.order_id).await
        } else {
            provider.lookup(&attempt.payment_key).await
        };
        let is_it = |said: &ProviderPayment| if is_unnamed { attempt.is_paid_into(said) } else { attempt.is(said) };
        match answer {
            ProviderAnswer::Payment(said) if is_it(&said) => {
                Some(matches!(said.status, ProviderStatus::Done | ProviderStatus::PartialCanceled))
            }
            ProviderAnswer::Refused { code, .. } if is_not_found(&code) => Some(false),
            _ => None,
        }
    }

    /// Goes on with a bank transfer as if the provider had said so.
    pub(super) async fn found_deposit(&self, attempt: Stored<Payment>, is_there: bool) -> Outcome<Stored<Payment>> {
        if !is_there {
            let (code, message) = no_charge();
            // One that the provider has opened may still be paid into.
            let again = attempt.record.named().map(|_| first_late_look(self.now()));
            return Ok(self.give_up_account(attempt, code, message, again).await?);
        }
        // Without the provider's name nothing could go back, and its notice would be of another charge.
        if attempt.record.is_unnamed() {
            let detail = "The provider has not told what it calls the account: ask again";
            return Err(Case::Payment(attempt).is_not(detail));
        }
        Ok(self.deposited(attempt).await?)
    }
}
