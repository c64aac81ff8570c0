//! What follows when units of an order have come back: its home hears of the other lines, and when nothing of the order is
//! left its coupon is given back.
//!
//! A coupon took something off the whole order, so it stays spent while any of that is left: a part that goes back costs its
//! share of the discount ([`super::policy`]). With the last unit it is its owner's again, for as long as it is valid.
//!
//! Every command here may be repeated.

use firstcome_core::ids::{OfferNumber, OrderId, RefundId};
use firstcome_core::ledger::{Command, Hold, Outcome};
use firstcome_core::ports::{PortError, StockLedger};

use super::books::Books;
use crate::consumer::HandleError;

/// Notes that a refund has taken its units back. Returns whether nothing of the order is left.
pub(super) async fn note(ledger: &dyn StockLedger, books: &Books, refund: RefundId) -> Result<bool, HandleError> {
    let order = books.hold.order;
    let is_several = books.hold.lines_elsewhere().next().is_some();
    if is_several {
        give_back(ledger, order.home(), order, (refund.noted(), 0)).await?;
    }
    if !is_all_back(ledger, books, refund).await? {
        return Ok(false);
    }
    if is_several {
        give_back(ledger, order.home(), order, (RefundId::of_nothing_left(order), 0)).await?;
    }
    if let Some(account) = coupon_account(&books.hold) {
        // Apart from what goes back to a gift card under the refund's own name.
        give_back(ledger, account, order, (RefundId::derived(&[b"coupon", &order.0]), 1)).await?;
    }
    Ok(true)
}

/// Whether nothing of the order is left, and nothing that was decided to come back is still out.
async fn is_all_back(ledger: &dyn StockLedger, books: &Books, refund: RefundId) -> Result<bool, PortError> {
    if !books.lines_left().is_empty() {
        return Ok(false);
    }
    let Some(hold) = ledger.find(books.hold.order).await? else { return Ok(false) };
    let is_back = |id: RefundId| hold.returns().iter().any(|back| back.id == id || back.id == id.noted());
    Ok(books
        .standing()
        .filter(|other| !other.leaves_delivery())
        .all(|other| other.refund == refund || is_back(other.refund)))
}

/// The account that the order's coupon is a unit of.
fn coupon_account(hold: &Hold) -> Option<OfferNumber> {
    let facts = hold.facts.as_ref().filter(|facts| facts.coupon.is_some())?;
    let card = facts.by_card.map(|part| part.account);
    let numbers = facts.other_lines.iter().map(|line| line.offer.number());
    numbers.into_iter().find(|number| number.is_account() && Some(*number) != card)
}

async fn give_back(
    ledger: &dyn StockLedger,
    offer: OfferNumber,
    order: OrderId,
    (return_id, quantity): (RefundId, u32),
) -> Result<(), HandleError> {
    let command = Command::Return { order, return_id, quantity, restock: true };
    match ledger.decide(offer, command).await? {
        Outcome::Returned { .. } => Ok(()),
        other => Err(HandleError::Rejected(format!("the ledger answered {other:?} to what came back of {order}"))),
    }
}
