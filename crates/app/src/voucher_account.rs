//! The account of vouchers in the ledger: who spends a coupon or a gift card, and that nobody spends it twice.
//!
//! Every offer that sells coupons or gift cards has an account beside it ([`OfferNumber::account`]): an offer of the ledger
//! that nobody buys, with a limit per voucher. A coupon may have one unit of it, a gift card as many as minor units were put
//! on it. Whoever takes units has spent them, so a coupon is used once and a balance never overdrawn by the same proof that
//! sells a unit once; and what a card has left is decided in one place, for a checkout, a till and a refund of the card in
//! the same millisecond, whichever processes they run in. The rows of vouchers follow the journal.
//!
//! # A gift card as a means of payment
//! The account is one more line of the order ([`crate::orders`], `lines`), the card takes the place of the person, and as
//! many units as it pays are the quantity. [`Hold::by_card`] says so on the order's home, [`Hold::due`] what is left for the
//! provider. So what becomes of the money of the card follows from what becomes of the order, by the rules of its lines:
//!
//! | step | decided by | a crash here leaves | healed by |
//! |---|---|---|---|
//! | reserve: the account's line is prepared, for what the order costs or the card has left | the account's lane | a prepared line and no order | the sweeper of lines aborts the order and releases it |
//! | the order is held at its home, with the card's part | the home's lane | the line still prepared | the sweeper promotes it; so does whoever pays |
//! | nothing is due: the order is pinned and committed at once | the ledger | pinned, or lines committed and the home not | the sweeper goes on |
//! | something is due: every line is pinned, the provider collects it | the home's lane, then the provider | pinned, perhaps charged | payments ask the provider until it knows |
//! | charged: every line is committed, the home last | payments | some lines committed | the consumer of `payment.done` goes on |
//! | declined: every line is unpinned | the provider | some still pinned | the consumer of `payment.failed` goes on |
//! | not paid in time, canceled | the ledger's clock, the buyer | the home released, the card still reserved | the account's own clock has the same deadline; the sweeper |
//! | paid too late | the ledger | | units *and* what the card pays are taken again, all or none; else the charge is refunded |
//! | the price changes while the order is placed: the home's lane refuses it, and it is decided anew | the home's lane | a prepared line and no order | the sweeper |
//!
//! # Back again
//! A refund goes to the charge first, and to the card only what the charge does not have (`orders/books.rs`): money is the
//! better thing to have, no card expires with it on it, and nobody makes money of a gift card by returning goods, because no
//! more than what was charged ever goes back as money. How much goes where is decided with the refund and written with it.
//! Payments carry both out, under the refund's id: the account gets a `Return` of so many units, the provider a cancel.
//! The order of the two does not matter, and each may be repeated.
//!
//! # At a till, and back with the order that bought it
//! A till, and whoever takes a card or coupon back with the order that it was bought by, take units without an order, under a
//! name that no order has. A till takes first and then writes the voucher's row; whoever reads the journal writes the same
//! when the till died in between. A card is taken back whole or not at all, so not while an order has reserved some of it.
//! An owner who [gives up](Purpose::MoneyBack) what is left of a card takes it as a till does; only whoever reads the journal
//! writes the row, and tells the orders role to send money back, in one commit.

use firstcome_core::ids::{EventId, OfferId, OfferNumber, OrderId, RefundId, UserId, VoucherId};
use firstcome_core::ledger::{Command, Granted, Hold, HoldRequest, HoldState, MAX_ACCOUNT, Outcome, Refusal, Terms};
use firstcome_core::money::{Currency, Money};
use firstcome_core::ports::{PortError, StockLedger};
use firstcome_core::time::Time;

/// Until an unpaid order gives back what it has reserved, unless its home says otherwise.
const HOLD_FOR_MS: u32 = 900_000;

/// Why units are taken without an order. The journal keeps it, so that whoever reads there knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    /// To use the voucher at a till.
    Use,
    /// It goes back with the order that it was bought by.
    TakeBack,
    /// Its owner gives up what is left, for so many percent of what that had cost.
    MoneyBack(u8),
}

/// Stands before the percent in the digest of [`Purpose::MoneyBack`].
const MONEY_BACK: u64 = 1 << 8;

impl Purpose {
    /// What stands for it in the place of a request's digest.
    fn digest(self) -> u64 {
        match self {
            Self::Use => 1,
            Self::TakeBack => 2,
            Self::MoneyBack(percent) => MONEY_BACK | u64::from(percent),
        }
    }
}

/// Percent for which units that were granted without an order were given up, if they were.
pub(crate) fn given_up_for(granted: &Granted) -> Option<u8> {
    u8::try_from(granted.digest ^ MONEY_BACK).ok()
}

/// The voucher that units granted without an order use; none when it was taken back.
pub(crate) fn used_by(granted: &Granted) -> Option<VoucherId> {
    (granted.digest != Purpose::TakeBack.digest()).then_some(VoucherId(granted.person.0))
}

/// Whether units of an account are, or are to be, used; not those that were taken so that nobody uses them.
pub fn is_use(hold: &Hold) -> bool {
    hold.digest != Purpose::TakeBack.digest()
}

/// Under which a voucher's code is known outside of its role: nobody can tell the code from it.
pub(crate) fn code_hash(code: &str) -> EventId {
    EventId::derived(&[b"coupon code", code.as_bytes()])
}

/// A voucher and the account that knows what is left of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct VoucherAccount {
    /// The offer that sold it.
    pub(crate) offer: OfferNumber,
    /// The voucher.
    pub(crate) voucher: VoucherId,
    /// The units that it may have, as every other voucher of its offer: one use, or minor units.
    pub(crate) face: i64,
}

/// What came of taking units.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Taken {
    /// They are taken now.
    Now,
    /// They were taken under this name before: so many.
    Before(i64),
    /// So many are left, which is less.
    TooFew(i64),
    /// The name was used for another voucher.
    Otherwise,
}

impl VoucherAccount {
    /// The account as lines of orders name it.
    pub(crate) fn id(&self) -> OfferId {
        OfferId::numbered(Time(0), self.number(), [0; 6])
    }

    /// Its number.
    pub(crate) fn number(&self) -> OfferNumber {
        self.offer.account()
    }

    fn limit(&self) -> u32 {
        u32::try_from(self.face).unwrap_or(u32::MAX)
    }

    /// What is asked of the account to take units for an order.
    pub(crate) fn request(&self, units: i64, order: OrderId, digest: u64) -> HoldRequest {
        let quantity = u32::try_from(units).unwrap_or(u32::MAX);
        HoldRequest {
            order,
            person: UserId(self.voucher.0),
            quantity,
            unit_price: None,
            digest,
            discount: 0,
            facts: None,
        }
    }

    /// Opens the account, once, and again when vouchers are sold with another value on them: that is only done while
    /// nobody has one.
    pub(crate) async fn open(&self, ledger: &dyn StockLedger) -> Result<(), PortError> {
        let present = ledger.snapshot(self.number()).await?.map(|state| state.offer.terms);
        // Accounts of coupons were opened for one unit at a time before gift cards had some.
        if present.is_some_and(|terms| terms.limit_per_person == Some(self.limit()) && terms.max_per_order == u32::MAX)
        {
            return Ok(());
        }
        let terms = Terms {
            offer: self.id(),
            version: present.map_or(0, |terms| terms.version) + 1,
            initial_stock: MAX_ACCOUNT,
            price: Money::new(0, Currency::KRW),
            limit_per_person: Some(self.limit()),
            max_per_order: u32::MAX,
            opens_at: Time(0),
            closes_at: None,
            hold_for_ms: HOLD_FOR_MS,
            usable_until: None,
        };
        ledger.decide(self.number(), Command::SetTerms(terms)).await.map(|_| ())
    }

    /// Units that are left, as far as is known at this moment.
    pub(crate) async fn left(&self, ledger: &dyn StockLedger) -> Result<i64, PortError> {
        // More than anybody may have is refused, with what there is, and leaves no trace.
        match self.take(ledger, i64::from(u32::MAX), OrderId::NIL, Purpose::Use).await? {
            Taken::TooFew(left) => Ok(left),
            other => Err(PortError::Unavailable(format!("the account of vouchers answered {other:?} to a question"))),
        }
    }

    /// Takes units for good, without an order. `name` names what for: the same is answered the same.
    pub(crate) async fn take(
        &self,
        ledger: &dyn StockLedger,
        units: i64,
        name: OrderId,
        purpose: Purpose,
    ) -> Result<Taken, PortError> {
        self.open(ledger).await?;
        match ledger.decide(self.number(), Command::Hold(self.request(units, name, purpose.digest()))).await? {
            Outcome::Granted(_) => Ok(Taken::Now),
            Outcome::AlreadyHeld(hold) if hold.state == HoldState::Sold => Ok(Taken::Before(i64::from(hold.quantity))),
            // Given back: nothing is ever taken under this name again.
            Outcome::AlreadyHeld(_) | Outcome::KeyReused => Ok(Taken::Otherwise),
            Outcome::Refused(Refusal::OverLimit { limit, owned }) => Ok(Taken::TooFew(left(limit, owned))),
            other => Err(PortError::Unavailable(format!("the account of vouchers answered {other:?}"))),
        }
    }

    /// Undoes [`VoucherAccount::take`].
    pub(crate) async fn give_back(
        &self,
        ledger: &dyn StockLedger,
        units: i64,
        name: OrderId,
        return_id: RefundId,
    ) -> Result<(), PortError> {
        let quantity = self.request(units, name, 0).quantity;
        let back = Command::Return { order: name, return_id, quantity, restock: true };
        ledger.decide(self.number(), back).await.map(|_| ())
    }
}

/// What a voucher has left that may have so many units and has taken some.
pub(crate) fn left(limit: u32, owned: u32) -> i64 {
    i64::from(limit.saturating_sub(owned))
}
