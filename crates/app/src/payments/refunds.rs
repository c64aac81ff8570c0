//! Sending money back: once decided, for as long as it takes, never twice, and never called done before it is.
//!
//! The refund's id is the provider's idempotency key and stands in the reason that the provider keeps, so the movement is
//! known again in its list whatever happened to the answer.

use std::sync::Arc;

use async_trait::async_trait;
use firstcome_core::events::RoleEvent;
use firstcome_core::ids::{OrderId, PaymentId, RefundId};
use firstcome_core::ledger::{Command, HoldState, Outcome};
use firstcome_core::money::Money;
use firstcome_core::payment::RefundState;
use firstcome_core::ports::{Committed, LoggedEvent, PortError, ProviderAnswer, ProviderPayment};
use firstcome_core::product::RefundPolicy;
use firstcome_core::records::{Comparison, Direction, Field as _, Query, Record as _, RecordsExt as _, Stored, Unit};

use super::attempt::pause;
use super::rows::{Origin, Payment, Refund, payments_of, refunds_of};
use super::settle::is_sold_to;
use super::{Payments, all};
use crate::consumer::{HandleError, Handler, parse};
use crate::role::Worker;

/// Refunds that one step takes.
const AT_ONCE: u32 = 256;

/// Consumer of `refund.approved` and `refund.refused`: writes the refund down.
pub(super) struct Approved(pub(super) Arc<Payments>);

#[async_trait]
impl Handler<LoggedEvent> for Approved {
    fn name(&self) -> &'static str {
        "payments.refunds"
    }

    async fn handle(&self, items: &[LoggedEvent]) -> Result<Unit, HandleError> {
        let mut unit = Unit::new();
        for event in items.iter().filter(|event| matches!(event.kind.as_str(), "refund.approved" | "refund.refused")) {
            unit.append(self.0.decided(parse(event)?).await?);
        }
        Ok(unit)
    }

    fn committed(&self, _: &[LoggedEvent]) {
        self.0.refund_waits.notify_one();
    }
}

/// The worker that asks the provider.
pub(super) fn worker(payments: Arc<Payments>) -> Worker {
    Worker::new("payments.refunds", move |stop| async move {
        loop {
            if let Err(error) = payments.refund_due().await {
                tracing::warn!(%error, "refunds cannot be looked after now");
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = payments.refund_waits.notified() => {}
                () = tokio::time::sleep(payments.options.poll_every) => {}
            }
        }
    })
}

impl Payments {
    async fn decided(&self, event: RoleEvent) -> Result<Unit, HandleError> {
        match event {
            RoleEvent::RefundApproved { refund, order, amount, to_card, reason, policy, tax_free } => {
                self.approved(refund, (order, amount), (to_card, tax_free), reason, policy).await
            }
            RoleEvent::RefundRefused { refund, order, amount, reason, policy } => {
                self.not_approved(refund, order, amount, reason, policy).await
            }
            _ => Ok(Unit::new()),
        }
    }

    /// A refund that was refused is kept for whoever asks for the payment; nothing is done about it.
    async fn not_approved(
        &self,
        refund: RefundId,
        order: OrderId,
        amount: Money,
        reason: String,
        policy: RefundPolicy,
    ) -> Result<Unit, HandleError> {
        if self.ports.records.load::<Refund>(refund).await?.is_some() {
            return Ok(Unit::new());
        }
        let Some(payment) = self.charged_payment(order).await? else { return Ok(Unit::new()) };
        let now = self.now();
        let row = Refund {
            state: RefundState::Refused,
            due_at: None,
            ..Refund::wanted(refund, (order, payment.payment_id), amount, reason, Some(policy), now)
        };
        Ok(Unit::new().insert(&row))
    }

    async fn approved(
        &self,
        refund: RefundId,
        (order, amount): (OrderId, Money),
        (to_card, tax_free): (i64, i64),
        reason: String,
        policy: Option<RefundPolicy>,
    ) -> Result<Unit, HandleError> {
        if let Some(known) = self.ports.records.load::<Refund>(refund).await? {
            return self.beside_a_cancel(known, to_card).await;
        }
        if to_card > 0 {
            self.give_back_to_card(refund, order, to_card).await?;
        }
        let now = self.now();
        let payment = self.charged_payment(order).await?;
        let paid = payment.as_ref().map_or(PaymentId::NIL, |payment| payment.payment_id);
        let mut row = Refund::wanted(refund, (order, paid), amount, reason, policy, now);
        row.to_card = (to_card > 0).then_some(to_card);
        row.tax_free = (tax_free > 0).then_some(tax_free);
        if amount.amount == 0 {
            // A free order, or one of which only the gift card gets back: nothing is to be sent.
            row.state = RefundState::Done;
            row.due_at = None;
            let event = row.was_done();
            return Ok(Unit::new().insert(&row).event(&event, now));
        }
        let Some(payment) = payment else {
            return Err(HandleError::Rejected(format!("{order} has no payment that money could go back from")));
        };
        row.amount = self.at_most_the_rest(&payment, row.amount).await?;
        Ok(Unit::new().insert(&row))
    }

    /// The provider has sent back what it had charged before anybody decided that: what a gift card had paid beside goes back
    /// now. Of any other refund that is known everything is done or on its way.
    async fn beside_a_cancel(&self, known: Stored<Refund>, to_card: i64) -> Result<Unit, HandleError> {
        if known.record.origin != Origin::Provider || known.record.to_card.is_some() || to_card <= 0 {
            return Ok(Unit::new());
        }
        let (order, refund, now) = (known.record.order_id, known.record.refund_id, self.now());
        self.give_back_to_card(refund, order, to_card).await?;
        // That the charge went back is told already.
        let amount = Money::new(0, known.record.currency);
        let event = RoleEvent::RefundDone { refund, order, amount, to_card: Some(to_card) };
        let record = Refund { to_card: Some(to_card), updated_at: now, ..known.record };
        Ok(Unit::new().update(&Stored { record, version: known.version }).event(&event, now))
    }

    /// What a gift card gets back is on it again at once.
    async fn give_back_to_card(&self, refund: RefundId, order: OrderId, amount: i64) -> Result<(), HandleError> {
        let part = self.ports.ledger.find(order).await?.and_then(|hold| hold.by_card());
        let (Some(part), Ok(quantity)) = (part, u32::try_from(amount)) else {
            return Err(HandleError::Rejected(format!("no gift card has paid {amount} of {order}")));
        };
        let back = Command::Return { order, return_id: refund, quantity, restock: true };
        match self.ports.ledger.decide(part.account, back).await? {
            Outcome::Returned { .. } => Ok(()),
            other => Err(HandleError::Rejected(format!("the account of a gift card answered {other:?} to a return"))),
        }
    }

    /// The payment that an order's money goes back from: the one that paid for it, also when all of it went back already.
    async fn charged_payment(&self, order: OrderId) -> Result<Option<Payment>, PortError> {
        let mut charged = payments_of(&*self.ports.records, order).await?;
        charged.retain(|payment| payment.record.state.is_charged());
        charged.sort_by_key(|payment| payment.record.created_at);
        let live = charged.iter().position(|payment| payment.record.live.is_some());
        Ok(live.map(|place| charged.swap_remove(place)).or(charged.pop()).map(|payment| payment.record))
    }

    /// Asks the provider about the refunds whose turn it is. Returns how many.
    pub(super) async fn refund_due(&self) -> Result<usize, PortError> {
        let due = Query::all(Refund::TABLE, AT_ONCE)
            .is("state", RefundState::Pending)
            .filter("due_at", Comparison::AtMost(self.now().to_value()))
            .order_by("due_at", Direction::Ascending);
        let refunds = self.ports.records.list::<Refund>(due).await?;
        all(refunds.into_iter().map(|refund| self.send_back(refund)), self.options.calls).await
    }

    pub(super) async fn send_back(&self, mut refund: Stored<Refund>) -> Result<(), PortError> {
        let Some(payment) = self.ports.records.load::<Payment>(refund.record.payment_id).await? else {
            return self.quarantine(refund, "there is no such payment".to_owned()).await;
        };
        if self.becomes_the_rest(&refund, &payment.record).await? {
            self.refund_waits.notify_one();
            return Ok(());
        }
        if refund.record.origin == Origin::Undeliverable && self.is_delivered_after_all(&refund).await? {
            return Ok(());
        }
        let to = self.refund_account(&payment.record).await?;
        if payment.record.is_transfer() && to.is_none() {
            return self.quarantine(refund, "nobody can tell any more where the deposit came from".to_owned()).await;
        }
        let tax_free = self.tax_free_of(&refund.record, &payment.record).await?;
        // Kept with whatever comes of it: the next refund counts with what was told of this one.
        refund.record.tax_free = (tax_free > 0).then_some(tax_free);
        let Refund { refund_id, reason, .. } = &refund.record;
        let (key, money) = (&payment.record.payment_key, refund.record.money());
        match self.ports.provider.cancel(*refund_id, key, money, tax_free, reason, to.as_ref()).await {
            ProviderAnswer::Payment(said) => match movement(&said, &refund.record) {
                Some(transaction) => self.sent_back(refund, payment, transaction).await,
                None => self.try_again(refund, "the provider's answer does not show the refund".to_owned()).await,
            },
            ProviderAnswer::Unknown { reason } => self.try_again(refund, reason).await,
            ProviderAnswer::Refused { code, message } => {
                self.refused(refund, payment, format!("{code}: {message}")).await
            }
        }
    }

    /// Nothing could be delivered, it was decided, and in the same moment another process delivered: the money stays. One that
    /// pins the order from now on finds the decision, and delivers nothing.
    async fn is_delivered_after_all(&self, refund: &Stored<Refund>) -> Result<bool, PortError> {
        let Refund { order_id, payment_id, .. } = refund.record;
        let Some(hold) = self.ports.ledger.find(order_id).await? else { return Ok(false) };
        if is_sold_to(&hold, payment_id) {
            tracing::warn!(order = %order_id, attempt = %payment_id, "delivered after all; the money stays");
            self.ports.records.commit(Unit::new().update(refund).delete(&refund.record)).await?;
            return Ok(true);
        }
        let is_pinned = hold.state == HoldState::Paying && hold.attempt == payment_id;
        if is_pinned {
            let now = self.now();
            let record = Refund { due_at: Some(now + pause(0)), updated_at: now, ..refund.record.clone() };
            self.ports.records.commit(Unit::new().update(&Stored { record, version: refund.version })).await?;
        }
        Ok(is_pinned)
    }

    /// The provider refuses. Perhaps because the money went back before: its list tells.
    async fn refused(&self, refund: Stored<Refund>, payment: Stored<Payment>, words: String) -> Result<(), PortError> {
        let ProviderAnswer::Payment(said) = self.ports.provider.lookup(&payment.record.payment_key).await else {
            return self.try_again(refund, words).await;
        };
        let known = refunds_of(&*self.ports.records, refund.record.order_id).await?;
        if let Some(transaction) = moved(&said, &refund.record, &known) {
            return self.sent_back(refund, payment, transaction).await;
        }
        let of_payment = known.iter().filter(|row| row.record.payment_id == refund.record.payment_id);
        let done = of_payment.filter(|row| row.record.state == RefundState::Done);
        if done.map(|row| row.record.amount).sum::<i64>() >= payment.record.amount {
            return self.nothing_left(refund).await;
        }
        self.quarantine(refund, words).await
    }

    /// All of the money went back by other refunds, which are booked: the buyer has it, and this one is for nothing.
    async fn nothing_left(&self, refund: Stored<Refund>) -> Result<(), PortError> {
        let now = self.now();
        let unit = if refund.record.to_card.is_none() {
            let event = refund.record.was_done();
            Unit::new().update(&refund).delete(&refund.record).event(&event, now)
        } else {
            // A gift card has got its part by this one, which stays in the books for that.
            let nothing = Refund {
                amount: 0,
                state: RefundState::Done,
                message: None,
                due_at: None,
                updated_at: now,
                ..refund.record
            };
            let event = nothing.was_done();
            Unit::new().update(&Stored { record: nothing, version: refund.version }).event(&event, now)
        };
        self.ports.records.commit(unit).await.map(|_| ())
    }

    async fn sent_back(
        &self,
        refund: Stored<Refund>,
        payment: Stored<Payment>,
        transaction: String,
    ) -> Result<(), PortError> {
        // After a conflict the refund is still due: asked again under the same key, it is answered the same.
        self.booked(refund, payment, transaction).await.map(|_| ())
    }

    /// Books that a refund went back; false when it or its payment has changed since it was read.
    pub(super) async fn booked(
        &self,
        refund: Stored<Refund>,
        payment: Stored<Payment>,
        transaction: String,
    ) -> Result<bool, PortError> {
        let now = self.now();
        let amount = refund.record.amount;
        let done = Stored {
            record: Refund {
                state: RefundState::Done,
                transaction: Some(transaction),
                message: None,
                due_at: None,
                updated_at: now,
                ..refund.record.clone()
            },
            version: refund.version,
        };
        let event = done.record.was_done();
        let next = Stored { record: self.after_refund(&payment.record, amount), version: payment.version };
        let unit = Unit::new().update(&done).update(&next).event(&event, now);
        let is_booked = self.ports.records.commit(unit).await? == Committed::Done;
        if is_booked {
            self.metrics.refunds_done.inc();
        }
        Ok(is_booked)
    }

    async fn try_again(&self, refund: Stored<Refund>, words: String) -> Result<(), PortError> {
        let now = self.now();
        let tries = refund.record.tries.saturating_add(1);
        let record = Refund {
            tries,
            message: Some(words),
            due_at: Some(now + pause(tries)),
            updated_at: now,
            ..refund.record.clone()
        };
        self.ports.records.commit(Unit::new().update(&Stored { record, version: refund.version })).await.map(|_| ())
    }

    async fn quarantine(&self, refund: Stored<Refund>, words: String) -> Result<(), PortError> {
        let now = self.now();
        let Refund { refund_id, order_id, .. } = refund.record;
        tracing::error!(refund = %refund_id, order = %order_id, words, "a refund is refused: a person must look at it");
        let record = Refund {
            state: RefundState::Quarantined,
            message: Some(words.clone()),
            due_at: None,
            updated_at: now,
            ..refund.record.clone()
        };
        let event = RoleEvent::RefundQuarantined { refund: refund_id, order: order_id, reason: words };
        let unit = Unit::new().update(&Stored { record, version: refund.version }).event(&event, now);
        if self.ports.records.commit(unit).await? == Committed::Done {
            self.metrics.refunds_quarantined.inc();
        }
        Ok(())
    }
}

/// The same; or someone sent the same amount back in the provider's console, and nobody has booked it yet: the buyer has it.
pub(super) fn moved(said: &ProviderPayment, refund: &Refund, known: &[Stored<Refund>]) -> Option<String> {
    let is_unbooked =
        |transaction: &String| !known.iter().any(|row| row.record.transaction.as_ref() == Some(transaction));
    let in_console = || {
        let same = said.cancels.iter().filter(|cancel| cancel.amount == refund.amount && cancel.refund.is_none());
        same.map(|cancel| &cancel.transaction).find(|transaction| is_unbooked(transaction)).cloned()
    };
    movement(said, refund).or_else(in_console)
}

/// The provider's name for the movement of a refund, if it is in the provider's list.
pub(super) fn movement(said: &ProviderPayment, refund: &Refund) -> Option<String> {
    let made = |id: RefundId| said.cancels.iter().find(|cancel| cancel.refund == Some(id));
    made(refund.refund_id).filter(|cancel| cancel.amount == refund.amount).map(|cancel| cancel.transaction.clone())
}
