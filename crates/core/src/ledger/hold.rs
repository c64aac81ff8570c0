//! Units set aside for one order, and what became of them.

use super::event::{Event, Granted, ReleaseReason};
use crate::ids::{AddressId, BodyDigest, OfferId, OfferNumber, OrderId, PaymentId, RefundId, UserId, VoucherId};
use crate::money::Money;
use crate::time::Time;

/// What has become of a hold.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, minicbor::Encode, minicbor::Decode)]
#[cbor(index_only)]
pub enum HoldState {
    /// Set aside for an order that its home offer has not decided; counts as held.
    #[n(0)]
    Prepared,
    /// Set aside until its deadline.
    #[n(1)]
    Held,
    /// Pinned by a payment; no clock releases it. Counts as held.
    #[n(2)]
    Paying,
    /// Sold, and perhaps returned in part.
    #[n(3)]
    Sold,
    /// Given back.
    #[n(4)]
    Released,
    /// Sold and returned whole.
    #[n(5)]
    Returned,
}

impl HoldState {
    /// Whether the units are set aside but not sold.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Prepared | Self::Held | Self::Paying)
    }
}

/// One line of an order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, minicbor::Encode, minicbor::Decode)]
pub struct Line {
    /// The offer.
    #[n(0)]
    pub offer: OfferId,
    /// Units.
    #[n(1)]
    pub quantity: u32,
    /// Price of one unit.
    #[n(2)]
    pub unit_price: Money,
    /// The sequence number of the event that set the units aside on that offer; lines of old orders have none.
    #[n(3)]
    pub seq: Option<u64>,
}

/// Units that came back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, minicbor::Encode, minicbor::Decode)]
pub struct Return {
    /// Names the return.
    #[n(0)]
    pub id: RefundId,
    /// Units.
    #[n(1)]
    pub quantity: u32,
    /// The sequence number of its event.
    #[n(2)]
    pub seq: u64,
}

/// What a gift card pays of an order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, minicbor::Encode, minicbor::Decode)]
pub struct CardPart {
    /// The gift card.
    #[n(0)]
    pub card: VoucherId,
    /// Its account, one of the order's other lines.
    #[n(1)]
    pub account: OfferNumber,
    /// Minor units of the order's currency: as many units of the account.
    #[n(2)]
    pub amount: i64,
}

/// What an order says of its VAT, where that is not as usual.
#[derive(Clone, PartialEq, Eq, Debug, minicbor::Encode, minicbor::Decode)]
pub struct TaxFacts {
    /// Percent of VAT when it was placed.
    #[n(0)]
    pub percent: u8,
    /// The offers of its lines that were free of VAT when it was placed.
    #[n(1)]
    pub free: Vec<OfferNumber>,
}

/// What only some orders have.
#[derive(Clone, PartialEq, Eq, Debug, Default, minicbor::Encode, minicbor::Decode)]
pub struct Facts {
    /// Where goods are sent: a reference, never the address.
    #[n(0)]
    pub address: Option<AddressId>,
    /// The coupon that the discount comes from.
    #[n(1)]
    pub coupon: Option<VoucherId>,
    /// The order's lines on other offers; empty unless this is the home of an order over several.
    #[n(2)]
    pub other_lines: Vec<Line>,
    /// What came back, each id once. Filled by the ledger.
    #[n(3)]
    pub returns: Vec<Return>,
    /// What a gift card pays of the order.
    #[n(4)]
    pub by_card: Option<CardPart>,
    /// What is not as usual of the order's VAT; none where all of it is taxed at [`crate::tax::USUAL_PERCENT`].
    #[n(5)]
    pub tax: Option<TaxFacts>,
    /// Minor units that sending its goods costs; none where it costs nothing.
    #[n(6)]
    pub shipping_fee: Option<i64>,
    /// Days after their delivery within which its goods may be sent back; none where they are
    /// [`crate::order::USUAL_DAYS_TO_RETURN`].
    #[n(7)]
    pub days_to_return: Option<u16>,
}

/// A hold. Kept small: at an opening there are hundreds of thousands in memory (see `docs/performance.md`).
#[derive(Clone, PartialEq, Eq, Debug, minicbor::Encode, minicbor::Decode)]
pub struct Hold {
    /// The order that the units are for.
    #[n(0)]
    pub order: OrderId,
    /// Whose order.
    #[n(1)]
    pub person: UserId,
    /// The live or last payment attempt; [`PaymentId::NIL`] before the first.
    #[n(2)]
    pub attempt: PaymentId,
    /// Units granted.
    #[n(3)]
    pub quantity: u32,
    /// Price of one unit when it was granted.
    #[n(4)]
    pub unit_price: Money,
    /// Minor units taken off the whole order.
    #[n(5)]
    pub discount: i64,
    /// Digest of the request.
    #[n(6)]
    pub digest: BodyDigest,
    /// When the order was granted.
    #[n(7)]
    pub created_at: Time,
    /// The deadline of the hold.
    #[n(8)]
    pub expires_at: Time,
    /// The sequence number of the event that granted it: the order's place in line.
    #[n(9)]
    pub granted_seq: u64,
    /// The sequence number of the last event about it.
    #[n(10)]
    pub seq: u64,
    /// The version of the terms that it was granted under.
    #[n(11)]
    pub terms_version: u32,
    /// What has become of it.
    #[n(12)]
    pub state: HoldState,
    /// Why it was released; only meaningful in [`HoldState::Released`].
    #[n(13)]
    pub reason: ReleaseReason,
    /// What only some orders have.
    #[n(14)]
    pub facts: Option<Box<Facts>>,
}

impl Hold {
    /// The hold that a granting event creates, or none for any other event.
    pub fn created_by(event: &Event, seq: u64, at: Time) -> Option<Self> {
        match event {
            Event::Held(granted) => Some(Self::granted(granted, HoldState::Held, seq, at)),
            Event::Prepared(granted) => Some(Self::granted(granted, HoldState::Prepared, seq, at)),
            Event::Sold(granted) => Some(Self::granted(granted, HoldState::Sold, seq, at)),
            Event::OrderAborted { order, person } => Some(Self::aborted(*order, *person, seq, at)),
            _ => None,
        }
    }

    fn granted(granted: &Granted, state: HoldState, seq: u64, at: Time) -> Self {
        Self {
            order: granted.order,
            person: granted.person,
            attempt: PaymentId::NIL,
            quantity: granted.quantity,
            unit_price: granted.unit_price,
            discount: granted.discount,
            digest: granted.digest,
            created_at: at,
            expires_at: granted.expires_at,
            granted_seq: seq,
            seq,
            terms_version: granted.terms_version,
            state,
            reason: ReleaseReason::Expired,
            facts: granted.facts.clone(),
        }
    }

    fn aborted(order: OrderId, person: UserId, seq: u64, at: Time) -> Self {
        Self {
            order,
            person,
            attempt: PaymentId::NIL,
            quantity: 0,
            unit_price: Money::new(0, crate::money::Currency::KRW),
            discount: 0,
            digest: 0,
            created_at: at,
            expires_at: at,
            granted_seq: seq,
            seq,
            terms_version: 0,
            state: HoldState::Released,
            reason: ReleaseReason::Aborted,
            facts: None,
        }
    }

    /// Applies a later event about this order. Events about other orders, and those that create a hold, change nothing.
    pub fn evolve(&mut self, event: &Event, seq: u64) {
        match event {
            Event::Promoted { expires_at, .. } | Event::Reclaimed { expires_at, .. } => {
                self.state = HoldState::Held;
                self.expires_at = *expires_at;
            }
            Event::PaymentBegun { attempt, .. } => {
                self.state = HoldState::Paying;
                self.attempt = *attempt;
            }
            Event::PaymentEnded { .. } => self.state = HoldState::Held,
            Event::Committed { attempt, .. } => {
                self.state = HoldState::Sold;
                self.attempt = *attempt;
            }
            Event::Released { reason, .. } => {
                self.state = HoldState::Released;
                self.reason = *reason;
            }
            Event::Returned { return_id, quantity, .. } => {
                let returns = &mut self.facts.get_or_insert_default().returns;
                returns.push(Return { id: *return_id, quantity: *quantity, seq });
                if self.returned() == self.quantity {
                    self.state = HoldState::Returned;
                }
            }
            Event::Held(_)
            | Event::Sold(_)
            | Event::Prepared(_)
            | Event::OrderAborted { .. }
            | Event::TermsSet(_)
            | Event::Adjusted { .. }
            | Event::Frozen
            | Event::Unfrozen => return,
        }
        self.seq = seq;
    }

    /// What came back so far.
    pub fn returns(&self) -> &[Return] {
        self.facts.as_ref().map_or(&[], |facts| &facts.returns)
    }

    /// Units that came back so far.
    pub fn returned(&self) -> u32 {
        self.returns().iter().map(|entry| entry.quantity).sum()
    }

    /// Units that count against the person's limit: held or sold, and not returned.
    pub fn units(&self) -> u32 {
        match self.state {
            HoldState::Prepared | HoldState::Held | HoldState::Paying => self.quantity,
            HoldState::Sold => self.quantity - self.returned(),
            HoldState::Released | HoldState::Returned => 0,
        }
    }

    /// The order's other lines; empty unless it is an order over several offers and this its home.
    pub fn other_lines(&self) -> &[Line] {
        self.facts.as_ref().map_or(&[], |facts| &facts.other_lines)
    }

    /// The order's lines on other offers that sell something: all of them but the accounts of its coupon and gift card.
    pub fn lines_elsewhere(&self) -> impl Iterator<Item = &Line> {
        self.other_lines().iter().filter(|line| !line.offer.number().is_account())
    }

    /// Units that the whole order has on an offer. Only meaningful on the home offer.
    pub fn quantity_on(&self, offer: OfferNumber) -> u32 {
        let other = || self.other_lines().iter().find(|line| line.offer.number() == offer);
        if offer == self.order.home() { self.quantity } else { other().map_or(0, |line| line.quantity) }
    }

    /// Whether the order never came to exist: another line of it could not be held.
    pub fn is_aborted(&self) -> bool {
        self.state == HoldState::Released && self.reason == ReleaseReason::Aborted
    }

    /// What sending its goods costs, in minor units. Only meaningful on the home offer.
    pub fn shipping_fee(&self) -> i64 {
        self.facts.as_ref().and_then(|facts| facts.shipping_fee).unwrap_or(0)
    }

    /// What the whole order costs, after its discount and with what sending it costs. Only meaningful on the home offer.
    pub fn total(&self) -> Money {
        let others: i64 = self
            .other_lines()
            .iter()
            .map(|line| line.unit_price.amount.saturating_mul(i64::from(line.quantity)))
            .fold(0, i64::saturating_add);
        let own = self.unit_price.amount.saturating_mul(i64::from(self.quantity));
        let lines = own.saturating_add(others).saturating_sub(self.discount).max(0);
        Money::new(lines.saturating_add(self.shipping_fee()), self.unit_price.currency)
    }

    /// What a gift card pays of it. Only meaningful on the home offer.
    pub fn by_card(&self) -> Option<CardPart> {
        self.facts.as_ref().and_then(|facts| facts.by_card)
    }

    /// Percent of VAT that its prices contain.
    pub fn vat_percent(&self) -> u8 {
        self.tax().map_or(crate::tax::USUAL_PERCENT, |tax| tax.percent)
    }

    /// Days after their delivery within which its goods may be sent back. Only meaningful on the home offer.
    pub fn days_to_return(&self) -> u16 {
        let facts = self.facts.as_ref();
        facts.and_then(|facts| facts.days_to_return).unwrap_or(crate::order::USUAL_DAYS_TO_RETURN)
    }

    /// Whether its line on an offer was free of VAT when it was placed.
    pub fn is_tax_free(&self, offer: OfferNumber) -> bool {
        self.tax().is_some_and(|tax| tax.free.contains(&offer))
    }

    fn tax(&self) -> Option<&TaxFacts> {
        self.facts.as_ref().and_then(|facts| facts.tax.as_ref())
    }

    /// What is left to pay with other money. Only meaningful on the home offer.
    pub fn due(&self) -> Money {
        let total = self.total();
        let by_card = self.by_card().map_or(0, |part| part.amount);
        Money::new(total.amount.saturating_sub(by_card), total.currency)
    }
}
