//! The ledger's side of a payment, over every line of an order.
//!
//! An order is decided by its home offer; its other lines are on other offers. All lines are pinned before money moves,
//! the home first: who finds it pinned keeps away from the others. All are committed after it moved, the home last: an
//! order that is sold has every line sold. If it did not move they are unpinned, the home last as well: while any line is
//! pinned, the home is. Every command here may be repeated.

use std::sync::Arc;

use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::{OfferNumber, OrderId, PaymentId};
use firstcome_core::ledger::{Command, Hold, Outcome, Refusal};
use firstcome_core::ports::{PortError, StockLedger};
use firstcome_core::time::Time;

/// The ledger.
pub(crate) struct Stock(pub(crate) Arc<dyn StockLedger>);

/// What came of pinning an order's units.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pinned {
    /// They are pinned for the attempt.
    Yes,
    /// They are not, and none is left pinned for it.
    No(ErrorCode),
    /// They are not either, and never will be: what was ordered could be used no more.
    Over,
}

/// The offers of an order's lines, the home first.
fn lines(order: OrderId, hold: Option<&Hold>) -> impl DoubleEndedIterator<Item = OfferNumber> + Send {
    let others: Vec<OfferNumber> =
        hold.map(|hold| hold.other_lines().iter().map(|line| line.offer.number()).collect()).unwrap_or_default();
    std::iter::once(order.home()).chain(others)
}

impl Stock {
    /// Pins every line. Units of an expired order are taken again, if there are any and they can be used still. An overloaded
    /// ledger means that nothing is pinned; after any other error some lines may be.
    pub(crate) async fn begin(&self, hold: &Hold, attempt: PaymentId) -> Result<Pinned, PortError> {
        let mut any = false;
        for offer in lines(hold.order, Some(hold)) {
            match self.begin_line(offer, hold, attempt).await {
                Ok(Pinned::Yes) => any = true,
                Ok(refused) => {
                    if any {
                        self.end(hold.order, Some(hold), attempt).await.map_err(uncertain)?;
                    }
                    return Ok(refused);
                }
                Err(error) => return Err(if any { uncertain(error) } else { error }),
            }
        }
        Ok(Pinned::Yes)
    }

    async fn begin_line(&self, offer: OfferNumber, hold: &Hold, attempt: PaymentId) -> Result<Pinned, PortError> {
        let order = hold.order;
        let begin = Command::BeginPayment { order, attempt };
        let mut outcome = self.0.decide(offer, begin.clone()).await?;
        if outcome == Outcome::Unknown && offer != order.home() {
            // The order exists, but nobody has told this line yet.
            self.0.decide(offer, Command::Promote { order, expires_at: hold.expires_at }).await?;
            outcome = self.0.decide(offer, begin.clone()).await?;
        }
        if outcome != Outcome::Expired {
            return Ok(pinned(&outcome, attempt));
        }
        // Of several lines one may be gone: then none must be held for the others' sake.
        let pinned_at_once = (!hold.other_lines().is_empty()).then_some(attempt);
        match self.0.decide(offer, Command::Reclaim { order, attempt: pinned_at_once }).await? {
            // Pinned in the meantime, perhaps by a twin for this very attempt: asking again tells.
            Outcome::Held(_) | Outcome::PaymentInProgress { .. } => {}
            outcome => return Ok(pinned(&outcome, attempt)),
        }
        Ok(pinned(&self.0.decide(offer, begin).await?, attempt))
    }

    /// From when on what an order is for can be used no more, as far as this process has read; the first line's end counts.
    pub(crate) async fn usable_until(&self, hold: &Hold) -> Result<Option<Time>, PortError> {
        let mut first: Option<Time> = None;
        for offer in lines(hold.order, Some(hold)) {
            let state = self.0.snapshot(offer).await?;
            let end = state.and_then(|state| state.offer.terms.usable_until);
            first = first.into_iter().chain(end).min();
        }
        Ok(first)
    }

    /// Unpins every line that the attempt pinned.
    pub(crate) async fn end(&self, order: OrderId, hold: Option<&Hold>, attempt: PaymentId) -> Result<(), PortError> {
        for offer in lines(order, hold).rev() {
            self.0.decide(offer, Command::EndPayment { order, attempt }).await?;
        }
        Ok(())
    }

    /// Commits every line; whether the order is the attempt's now.
    pub(crate) async fn commit(
        &self,
        order: OrderId,
        hold: Option<&Hold>,
        attempt: PaymentId,
    ) -> Result<bool, PortError> {
        for offer in lines(order, hold).rev() {
            match self.0.decide(offer, Command::Commit { order, attempt }).await? {
                Outcome::Committed { .. } => {}
                Outcome::AlreadyCommitted { attempt: paid_by, .. } if paid_by == attempt => {}
                _ => return Ok(false),
            }
        }
        Ok(true)
    }
}

/// A part was done: whoever hears this must not conclude that nothing was.
fn uncertain(error: PortError) -> PortError {
    match error {
        PortError::Overloaded => PortError::Unavailable("overloaded after some lines were pinned".to_owned()),
        other => other,
    }
}

fn pinned(outcome: &Outcome, attempt: PaymentId) -> Pinned {
    match outcome {
        Outcome::Paying(_) => Pinned::Yes,
        // A line of it is committed already.
        Outcome::AlreadySold { attempt: by } if *by == attempt => Pinned::Yes,
        Outcome::Refused(Refusal::Closed) => Pinned::Over,
        Outcome::PaymentInProgress { .. } => Pinned::No(ErrorCode::PaymentInProgress),
        Outcome::AlreadySold { .. } => Pinned::No(ErrorCode::AlreadyPaid),
        Outcome::Unknown => Pinned::No(ErrorCode::NotFound),
        _ => Pinned::No(ErrorCode::HoldExpired),
    }
}
