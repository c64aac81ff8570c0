//! An order over several offers: all of its lines are held, or none.
//!
//! The offer with the lowest number is its home and decides alone. The other lines are prepared before it; from its `Held`
//! on, and not before, the order exists. A prepared line is released by nothing but what the home has recorded.
//!
//! | where a crash leaves it | what the home says | what heals it ([`super::sweep`]) |
//! |---|---|---|
//! | lines prepared | nothing | the order is aborted at its home, for ever, then the lines are released |
//! | aborted, lines prepared | `OrderAborted` | the lines are released |
//! | held, lines prepared | `Held` | the lines are promoted, with the order's one deadline; whoever pays does it as well |
//! | expired, lines prepared | `Released` | the lines are promoted, with the order's deadline; the clock releases them |
//! | ended otherwise, lines open | `Released` | the lines are released for the same reason |
//! | free, and not sold whole | `Held` or `Paying` | every line is pinned and committed, the home last |
//!
//! Every step may be repeated, by the request, a twin of it and the sweeper at once.

use std::sync::Arc;

use firstcome_core::ids::{OfferNumber, OrderId, PaymentId, UserId};
use firstcome_core::ledger::{Command, Hold, HoldState, Outcome, ReleaseReason};
use firstcome_core::ports::{PortError, StockLedger};
use futures_util::future::{join_all, try_join_all};

use crate::stock::{Pinned, Stock};

/// The ledger, asked about orders over several offers.
pub(super) struct Lines {
    ledger: Arc<dyn StockLedger>,
    stock: Stock,
}

/// What came of aborting an order.
pub(super) enum Aborted {
    /// It will never exist, and none of its lines is held.
    Yes,
    /// It exists: somebody else has placed it.
    Exists(Hold),
}

fn elsewhere(hold: &Hold) -> impl Iterator<Item = OfferNumber> {
    hold.other_lines().iter().map(|line| line.offer.number())
}

/// Whether an order is free, or paid whole by a gift card, and so is sold as soon as it exists.
pub(super) fn is_free(hold: &Hold) -> bool {
    hold.due().amount == 0
}

impl Lines {
    pub(super) fn new(ledger: Arc<dyn StockLedger>) -> Self {
        Self { stock: Stock(ledger.clone()), ledger }
    }

    /// Does what is left to do for an order that exists. Returns it as it is then.
    pub(super) async fn complete(&self, hold: Hold) -> Result<Hold, PortError> {
        let is_open = matches!(hold.state, HoldState::Held | HoldState::Paying);
        if hold.other_lines().is_empty() || !is_open {
            return Ok(hold);
        }
        let (order, expires_at) = (hold.order, hold.expires_at);
        let promote = |offer| self.ledger.decide(offer, Command::Promote { order, expires_at });
        try_join_all(elsewhere(&hold).map(promote)).await?;
        if !is_free(&hold) {
            return Ok(hold);
        }
        let attempt = PaymentId::derived(&[b"free", &order.0]);
        // Committed first: an earlier try may have come as far as that.
        let sold = self.stock.commit(order, Some(&hold), attempt).await?;
        if !sold && self.stock.begin(&hold, attempt).await? == Pinned::Yes {
            self.stock.commit(order, Some(&hold), attempt).await?;
        }
        Ok(self.ledger.find(order).await?.unwrap_or(hold))
    }

    /// Aborts an order at its home and releases its lines on these offers, unless it exists.
    pub(super) async fn abort(
        &self,
        order: OrderId,
        person: UserId,
        offers: impl IntoIterator<Item = OfferNumber>,
    ) -> Result<Aborted, PortError> {
        if let Outcome::AlreadyHeld(hold) = self.ledger.decide(order.home(), Command::Abort { order, person }).await? {
            return Ok(Aborted::Exists(hold));
        }
        self.release(order, offers, ReleaseReason::Aborted).await?;
        Ok(Aborted::Yes)
    }

    /// Releases an order's lines on these offers. Its home has recorded that it ended.
    pub(super) async fn release(
        &self,
        order: OrderId,
        offers: impl IntoIterator<Item = OfferNumber>,
        reason: ReleaseReason,
    ) -> Result<(), PortError> {
        let release = |offer| self.ledger.decide(offer, Command::Release { order, reason });
        join_all(offers.into_iter().map(release)).await.into_iter().try_for_each(|released| released.map(|_| ()))
    }

    /// Releases every other line of an order that has ended. What cannot be released now is by the sweeper.
    pub(super) async fn release_others(&self, hold: &Hold, reason: ReleaseReason) {
        if let Err(error) = self.release(hold.order, elsewhere(hold), reason).await {
            tracing::debug!(order = %hold.order, %error, "the other lines are released later");
        }
    }

    /// Brings a line that is open to what its home says.
    pub(super) async fn settle(&self, order: OrderId, offer: OfferNumber, person: UserId) -> Result<(), PortError> {
        let hold = match self.ledger.find(order).await? {
            Some(hold) => hold,
            None => match self.abort(order, person, [offer]).await? {
                Aborted::Yes => return Ok(()),
                Aborted::Exists(hold) => hold,
            },
        };
        match (hold.state, hold.reason) {
            // That time has run out is for the clock to say. It does so when the line has the order's deadline.
            (HoldState::Released, ReleaseReason::Expired) => {
                self.ledger.decide(offer, Command::Promote { order, expires_at: hold.expires_at }).await.map(|_| ())
            }
            (HoldState::Released, reason) => self.release(order, [offer], reason).await,
            _ => self.complete(hold).await.map(|_| ()),
        }
    }
}
