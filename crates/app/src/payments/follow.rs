//! Following what the provider says of a payment, whoever brought the news: a notice, a lookup, a reconciliation.
//!
//! Every step is safe to repeat: rows for what the provider did without us are named after the provider's names.

use firstcome_core::events::RoleEvent;
use firstcome_core::ids::{OrderId, PaymentId, RefundId, UserId};
use firstcome_core::money::Money;
use firstcome_core::payment::PaymentMethod::{BankTransfer, Checkout};
use firstcome_core::payment::{Asked, PaymentState, RefundState, Verdict, judge};
use firstcome_core::ports::{Committed, PortError, ProviderAnswer, ProviderCancel, ProviderPayment, ProviderStatus};
use firstcome_core::product::RefundPolicy;
use firstcome_core::records::{RecordsExt as _, Stored, Unit};
use firstcome_core::time::Time;

use super::Payments;
use super::rows::{Origin, Payment, Refund, attempt_of, refunds_of};

impl Payments {
    /// Brings the books to what the provider says of a payment of `order`.
    pub(super) async fn follow(&self, order: OrderId, payment: ProviderPayment) -> Result<(), PortError> {
        let attempt = match attempt_of(&*self.ports.records, order, &payment.payment_key).await? {
            None => self.named_by(order, &payment).await?,
            attempt => attempt,
        };
        let known = match attempt {
            Some(attempt) if attempt.record.state.is_undecided() && attempt.record.is_transfer() => {
                self.follow_account(attempt, &payment).await?
            }
            Some(attempt) if attempt.record.state.is_undecided() => {
                let answer = ProviderAnswer::Payment(payment.clone());
                match judge(Asked::Lookup, &answer, |payment| attempt.record.is(payment)) {
                    // The confirmation is under way, or the resolver sends it again.
                    Verdict::Waiting | Verdict::Silent { .. } => return Ok(()),
                    verdict => self.conclude(attempt, verdict, None).await?,
                }
            }
            Some(attempt) => attempt,
            None if matches!(payment.status, ProviderStatus::Done | ProviderStatus::PartialCanceled) => {
                self.adopt(order, &payment).await?
            }
            None => return Ok(()),
        };
        if !known.record.state.is_charged() {
            return Ok(());
        }
        if payment.status == ProviderStatus::WaitingForDeposit {
            // A bank that took its word back: its deposit counts as not made, and the order may be delivered already.
            let Payment { payment_id, .. } = known.record;
            tracing::error!(%order, payment = %payment_id, "the provider takes a deposit back: a person must look at its books");
        }
        self.follow_cancels(known, &payment).await
    }

    /// A charge that we never asked for: written as DONE, so that its money is delivered for or sent back.
    async fn adopt(&self, order: OrderId, payment: &ProviderPayment) -> Result<Stored<Payment>, PortError> {
        let payment_id = PaymentId::derived(&[b"charged without us", payment.payment_key.as_bytes()]);
        let person = self.ports.ledger.find(order).await?.map_or(UserId::NIL, |hold| hold.person);
        let now = self.now();
        let mut charge = Payment {
            payment_id,
            order_id: order,
            person,
            payment_key: payment.payment_key.clone(),
            digest: 0,
            amount: payment.total.amount,
            currency: payment.total.currency,
            state: PaymentState::Done,
            live: Some(order),
            refunded: 0,
            code: None,
            message: None,
            tries: 0,
            due_at: Some(now + self.options.look_again_after),
            created_at: now,
            updated_at: now,
            method: Some(if payment.account.is_some() { BankTransfer } else { Checkout }),
            tax_free: Some(payment.charged_tax_free()).filter(|free| *free > 0),
        };
        tracing::warn!(%order, payment = %payment_id, "charged without a confirmation of ours");
        let event = RoleEvent::PaymentDone { order, attempt: payment_id, amount: charge.money() };
        // Another attempt may hold the order's place; then this charge is one too many, and is sent back.
        for live in [Some(order), None] {
            charge.live = live;
            let unit = Unit::new().insert(&charge).event(&event, now);
            if self.ports.records.commit(unit).await? == Committed::Done {
                return Ok(Stored { record: charge, version: 1 });
            }
            if let Some(present) = self.ports.records.load::<Payment>(payment_id).await? {
                return Ok(present);
            }
        }
        Err(PortError::Unavailable("a charge could not be written down".to_owned()))
    }

    /// Money that went back at the provider's side gets a row, and the order hears of it.
    async fn follow_cancels(&self, payment: Stored<Payment>, said: &ProviderPayment) -> Result<(), PortError> {
        if said.cancels.is_empty() || said.total != payment.record.money() {
            return Ok(());
        }
        let known = refunds_of(&*self.ports.records, payment.record.order_id).await?;
        let is_ours = |cancel: &ProviderCancel| {
            known.iter().any(|refund| {
                let refund = &refund.record;
                cancel.refund == Some(refund.refund_id) || refund.transaction.as_ref() == Some(&cancel.transaction)
            })
        };
        let unknown = said.cancels.iter().filter(|cancel| !is_ours(cancel));
        let mut waiting: Vec<&Stored<Refund>> = known.iter().filter(|refund| is_waited_for(refund, &payment)).collect();
        let (mut meant, mut foreign) = (Vec::new(), Vec::new());
        for cancel in unknown {
            let fits = |refund: &&Stored<Refund>| cancel.refund.is_none() && refund.record.amount == cancel.amount;
            match waiting.iter().position(fits) {
                Some(place) => meant.push((waiting.swap_remove(place), cancel)),
                None => foreign.push(cancel),
            }
        }
        if meant.is_empty() && foreign.is_empty() {
            return Ok(());
        }
        let (now, currency) = (self.now(), payment.record.currency);
        let (order, whole) = (payment.record.order_id, said.balance.amount == 0);
        let attempt = Some(payment.record.payment_id);
        let mut unit = Unit::new();
        for (place, cancel) in foreign.iter().enumerate() {
            // Of several movements the last one is what leaves nothing: the delivery is taken back once.
            let whole = whole && place + 1 == foreign.len();
            let refund = foreign_refund(&payment.record, cancel, now);
            let amount = Money::new(cancel.amount, currency);
            let event = RoleEvent::CanceledByProvider { refund: refund.refund_id, order, amount, whole, attempt };
            unit = unit.insert(&refund).event(&event, now);
        }
        let mut went_back: i64 = foreign.iter().map(|cancel| cancel.amount).sum();
        for (refund, cancel) in meant {
            let done = refund.record.clone().found(cancel, now);
            if refund.record.state == RefundState::Quarantined {
                went_back += cancel.amount;
                unit = unit.event(&done.was_done(), now);
            }
            unit = unit.update(&Stored { record: done, version: refund.version });
        }
        // A refund of ours that was stuck is for nothing when all of the money is back.
        let stuck = waiting.into_iter().filter(|refund| whole && refund.record.state == RefundState::Quarantined);
        for refund in stuck {
            let nothing = Refund { amount: 0, state: RefundState::Done, updated_at: now, ..refund.record.clone() };
            unit = unit.event(&nothing.was_done(), now);
            let updated = unit.update(&Stored { record: nothing, version: refund.version });
            // A gift card has got its part by it, which stays in the books for that.
            unit = if refund.record.to_card.is_none() { updated.delete(&refund.record) } else { updated };
        }
        let next = self.after_refund(&payment.record, went_back);
        tracing::warn!(%order, payment = %next.payment_id, amount = went_back, "canceled at the provider's side");
        let unit = move |update: Unit| {
            let mut update = update;
            update.append(unit);
            update
        };
        self.replace(&payment, next, unit).await.map(|_| ())
    }

    /// The payment after this much more of it went back.
    pub(super) fn after_refund(&self, payment: &Payment, amount: i64) -> Payment {
        let refunded = payment.refunded.saturating_add(amount).min(payment.amount);
        let state = PaymentState::after_refunds(payment.amount, refunded);
        let over = state == PaymentState::Canceled;
        Payment {
            state,
            refunded,
            live: if over { None } else { payment.live },
            due_at: if over { None } else { payment.due_at },
            updated_at: self.now(),
            ..payment.clone()
        }
    }
}

/// Whether somebody may send a refund back in the provider's console, or has said that it went back by whatever way.
fn is_waited_for(refund: &Stored<Refund>, payment: &Stored<Payment>) -> bool {
    refund.record.payment_id == payment.record.payment_id
        && (refund.record.state == RefundState::Quarantined || refund.record.was_moved_by_hand())
}

impl Refund {
    /// The same, with the movement at the provider that it is.
    fn found(self, cancel: &ProviderCancel, now: Time) -> Self {
        Self {
            state: RefundState::Done,
            transaction: Some(cancel.transaction.clone()),
            tax_free: told_free(cancel),
            message: None,
            due_at: None,
            updated_at: now,
            ..self
        }
    }
}

fn foreign_refund(payment: &Payment, cancel: &ProviderCancel, now: Time) -> Refund {
    Refund {
        refund_id: RefundId::derived(&[&payment.payment_id.0, cancel.transaction.as_bytes()]),
        payment_id: payment.payment_id,
        order_id: payment.order_id,
        amount: cancel.amount,
        currency: payment.currency,
        state: RefundState::Done,
        origin: Origin::Provider,
        policy: Some(RefundPolicy::FullUntilUsed),
        reason: "Canceled at the provider's side".to_owned(),
        transaction: Some(cancel.transaction.clone()),
        message: None,
        tries: 0,
        due_at: None,
        created_at: now,
        updated_at: now,
        to_card: None,
        tax_free: told_free(cancel),
    }
}

fn told_free(cancel: &ProviderCancel) -> Option<i64> {
    (cancel.tax_free > 0).then_some(cancel.tax_free)
}
