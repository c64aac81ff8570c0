//! What we have of a day and the provider has not listed: it is asked about by its name.

use firstcome_core::ids::PaymentId;
use firstcome_core::payment::{PaymentState, RefundState, is_not_found};
use firstcome_core::ports::{Movement, PortError, ProviderAnswer, ProviderPayment};
use firstcome_core::records::{Comparison, Direction, Field as _, Query, Record as _, RecordsExt as _, Unit};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::check::{Check, Stop, TOGETHER, name};
use super::compare::Difference;
use super::rows::FindingClass;
use crate::payments::Payments;
use crate::payments::rows::{Payment, Refund};

impl Check<'_> {
    /// What we have of the day, and the provider has not listed.
    pub(super) async fn ours(&mut self) -> Result<(), Stop> {
        let charged = [PaymentState::Done, PaymentState::PartialCanceled, PaymentState::Canceled];
        let charged = Comparison::IsOneOf(charged.iter().map(PaymentState::to_value).collect());
        let mut query = self.of_day(Query::all(Payment::TABLE, TOGETHER as u32), "created_at");
        loop {
            let rows =
                self.payments.ports.records.list::<Payment>(query.clone().filter("state", charged.clone())).await?;
            let unlisted = rows.iter().map(|row| &row.record);
            let unlisted = unlisted
                .filter(|payment| !self.listed.contains(&name(Movement::Charge, &payment.payment_key)))
                .cloned()
                .collect();
            self.ask_about(unlisted, Vec::new()).await?;
            let Some(last) = rows.last().filter(|_| rows.len() == TOGETHER) else { break };
            query = query.after(Some((last.record.created_at.to_value(), last.record.key())));
        }
        let mut query = self.of_day(Query::all(Refund::TABLE, TOGETHER as u32), "updated_at");
        loop {
            let done = query.clone().is("state", RefundState::Done);
            let rows = self.payments.ports.records.list::<Refund>(done).await?;
            let unlisted = rows.iter().map(|row| row.record.clone()).filter(|refund| self.is_unlisted(refund));
            // Of what a person has seen at the buyer's there is their word, and nothing at the provider.
            let (by_hand, unlisted): (Vec<_>, Vec<_>) = unlisted.partition(Refund::was_moved_by_hand);
            self.run.record.matched += by_hand.len() as u64;
            self.ask_about(Vec::new(), unlisted).await?;
            let Some(last) = rows.last().filter(|_| rows.len() == TOGETHER) else { return Ok(()) };
            query = query.after(Some((last.record.updated_at.to_value(), last.record.key())));
        }
    }

    fn of_day(&self, query: Query, column: &'static str) -> Query {
        query
            .filter(column, Comparison::AtLeast(self.from.to_value()))
            .filter(column, Comparison::Less(self.until.to_value()))
            .order_by(column, Direction::Ascending)
    }

    /// Whether money went back for a refund, by our books, that the provider has not listed.
    fn is_unlisted(&self, refund: &Refund) -> bool {
        let moved = refund.amount > 0 && refund.payment_id != PaymentId::NIL;
        let is_listed = |transaction: &String| self.listed.contains(&name(Movement::Cancel, transaction));
        moved && !refund.transaction.as_ref().is_some_and(is_listed)
    }

    /// Asks the provider about what it has not listed, by its name.
    async fn ask_about(&mut self, charges: Vec<Payment>, cancels: Vec<Refund>) -> Result<(), Stop> {
        let payments = self.payments;
        let charges = charges.into_iter().map(|payment| async move {
            let said = payments.said_of(&payment).await?;
            Ok::<_, PortError>(unlisted_charge(payment, said))
        });
        let charges: Vec<_> = stream::iter(charges).buffered(payments.options.calls).try_collect().await?;
        let cancels = cancels.into_iter().map(|refund| async move {
            let payment = payments.ports.records.load::<Payment>(refund.payment_id).await?;
            let Some(payment) = payment.map(|stored| stored.record) else {
                return Ok(unlisted_cancel(refund, None, None));
            };
            let said = payments.said_of(&payment).await?;
            Ok::<_, PortError>(unlisted_cancel(refund, Some(payment), said))
        });
        let cancels: Vec<_> = stream::iter(cancels).buffered(payments.options.calls).try_collect().await?;
        let mut unit = Unit::new();
        for difference in charges.into_iter().chain(cancels).flatten() {
            unit.append(self.found(None, difference));
        }
        self.keep(unit).await
    }
}

impl Payments {
    /// What the provider says of a payment; none when it knows none of that name.
    async fn said_of(&self, payment: &Payment) -> Result<Option<ProviderPayment>, PortError> {
        match self.ports.provider.lookup(&payment.payment_key).await {
            ProviderAnswer::Payment(said) => Ok(Some(said)),
            ProviderAnswer::Refused { code, .. } if is_not_found(&code) => Ok(None),
            ProviderAnswer::Refused { code, .. } => {
                Err(PortError::Unavailable(format!("a lookup was refused: {code}")))
            }
            ProviderAnswer::Unknown { reason } => Err(PortError::Unavailable(reason)),
        }
    }
}

fn unlisted_charge(ours: Payment, said: Option<ProviderPayment>) -> Option<Difference> {
    let (class, detail) = match said {
        Some(said) if said.status.is_charged() && ours.is(&said) => return None,
        Some(said) if said.status.is_charged() => {
            (FindingClass::Mismatch, "order, amount or currency are not the same")
        }
        _ => (FindingClass::MissingAtProvider, "we say that it was collected, and the provider does not"),
    };
    Some(Difference { class, detail: detail.to_owned(), payment: Some(ours), refund: None })
}

fn unlisted_cancel(ours: Refund, payment: Option<Payment>, said: Option<ProviderPayment>) -> Option<Difference> {
    let cancels = said.map(|said| said.cancels).unwrap_or_default();
    let (class, detail) = match cancels.iter().find(|cancel| ours.transaction.as_ref() == Some(&cancel.transaction)) {
        Some(cancel) if cancel.amount == ours.amount => return None,
        Some(_) => (FindingClass::Mismatch, "the amounts are not the same"),
        None => (FindingClass::MissingAtProvider, "we say that it went back, and the provider does not"),
    };
    Some(Difference { class, detail: detail.to_owned(), payment, refund: Some(ours) })
}
