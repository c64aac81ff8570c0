//! The account of a coupon in the ledger. Every offer that sells coupons has one beside it ([`OfferNumber::account`]), of
//! which each of its coupons may have one unit: whoever takes the unit uses the coupon, at a checkout, at a till, or by
//! giving it back with its order. So a coupon is used once by the same proof that sells a unit once.

use firstcome_core::ids::{EventId, OfferId, OfferNumber, OrderId, RefundId, UserId, VoucherId};
use firstcome_core::ledger::{Command, Granted, HoldRequest, HoldState, MAX_STOCK, Outcome, Refusal, Terms};
use firstcome_core::money::{Currency, Money};
use firstcome_core::ports::{PortError, StockLedger};
use firstcome_core::time::Time;

/// Why a coupon is taken without an order. The journal keeps it, so that whoever reads there knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    /// It is used at a till.
    Use,
    /// It goes back with the order that it was bought by.
    TakeBack,
}

impl Purpose {
    /// What stands for it in the place of a request's digest.
    fn digest(self) -> u64 {
        match self {
            Self::Use => 1,
            Self::TakeBack => 2,
        }
    }
}

/// The coupon that units granted without an order use; none when it was taken back.
pub(crate) fn used_by(granted: &Granted) -> Option<VoucherId> {
    (granted.digest != Purpose::TakeBack.digest()).then_some(VoucherId(granted.person.0))
}

/// The account as lines of orders name it.
pub(crate) fn account(offer: OfferNumber) -> OfferId {
    OfferId::numbered(Time(0), offer.account(), [0; 6])
}

/// Under which a coupon's code is known outside of its role: nobody can tell the code from it.
pub(crate) fn code_hash(code: &str) -> EventId {
    EventId::derived(&[b"coupon code", code.as_bytes()])
}

/// What is asked of the account to use a coupon for an order.
pub(crate) fn request(voucher: VoucherId, order: OrderId, digest: u64) -> HoldRequest {
    HoldRequest { order, person: UserId(voucher.0), quantity: 1, unit_price: None, digest, discount: 0, facts: None }
}

/// Opens the account, once.
pub(crate) async fn open(ledger: &dyn StockLedger, offer: OfferNumber) -> Result<(), PortError> {
    if ledger.snapshot(offer.account()).await?.is_some() {
        return Ok(());
    }
    let terms = Terms {
        offer: account(offer),
        version: 1,
        initial_stock: MAX_STOCK,
        price: Money::new(0, Currency::KRW),
        limit_per_person: Some(1),
        max_per_order: 1,
        opens_at: Time(0),
        closes_at: None,
        hold_for_ms: 900_000,
    };
    ledger.decide(offer.account(), Command::SetTerms(terms)).await.map(|_| ())
}

/// Takes a coupon for good, without an order. `name` names what for: the same is answered the same. False when it is used
/// or reserved otherwise.
pub(crate) async fn take(
    ledger: &dyn StockLedger,
    offer: OfferNumber,
    voucher: VoucherId,
    name: OrderId,
    purpose: Purpose,
) -> Result<bool, PortError> {
    open(ledger, offer).await?;
    match ledger.decide(offer.account(), Command::Hold(request(voucher, name, purpose.digest()))).await? {
        Outcome::Granted(_) => Ok(true),
        Outcome::AlreadyHeld(hold) => Ok(hold.state == HoldState::Sold),
        Outcome::Refused(Refusal::OverLimit { .. }) => Ok(false),
        other => Err(PortError::Unavailable(format!("the account of a coupon answered {other:?}"))),
    }
}

/// Undoes [`take`]; the same name cannot take it again.
pub(crate) async fn give_back(
    ledger: &dyn StockLedger,
    offer: OfferNumber,
    name: OrderId,
    return_id: RefundId,
) -> Result<(), PortError> {
    let back = Command::Return { order: name, return_id, quantity: 1, restock: true };
    ledger.decide(offer.account(), back).await.map(|_| ())
}
