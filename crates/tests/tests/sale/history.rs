//! What was asked and what was answered: what buyers can swear to.

use std::collections::BTreeMap;

/// What somebody was told. `Unknown` when the answer was lost: it may have happened or not.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) enum Told<T> {
    /// Nobody knows.
    #[default]
    Unknown,
    /// It is done; it must be found.
    Ok(T),
    /// It was refused with this code; it must not be found.
    No(String),
}

impl<T> Told<T> {
    pub(crate) fn ok(&self) -> Option<&T> {
        if let Self::Ok(value) = self { Some(value) } else { None }
    }

    pub(crate) fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }
}

/// What is on sale.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) offer: String,
    pub(crate) kind: Kind,
    pub(crate) price: i64,
    pub(crate) stock: i64,
    pub(crate) limit: Option<u32>,
    /// Whether holds end during the test.
    pub(crate) short_hold: bool,
}

/// What of a product matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    GiftCard { face: i64 },
    Ticket,
    Coupon,
    Goods,
}

impl Kind {
    /// Whether a unit is delivered as a voucher.
    pub(crate) fn is_digital(self) -> bool {
        self != Self::Goods
    }
}

/// An order as it was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) id: String,
    pub(crate) amount: i64,
    pub(crate) seq: u64,
}

/// Everything that one buyer did about one order, which is one idempotency key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    pub(crate) buyer: usize,
    pub(crate) offer: String,
    pub(crate) quantity: u32,
    pub(crate) key: String,
    pub(crate) order: Told<Placed>,
    /// The order that the same request was answered with later, after all the crashes.
    pub(crate) again: Told<String>,
    pub(crate) payments: Vec<Payment>,
    pub(crate) cancel: Option<Told<()>>,
    pub(crate) uses: Vec<Use>,
}

/// One attempt to pay.
#[derive(Clone, Debug, Default)]
pub(crate) struct Payment {
    /// The provider's key of it.
    pub(crate) card: String,
    pub(crate) key: String,
    /// The payment's id.
    pub(crate) told: Told<String>,
    /// The id that the same request was answered with later.
    pub(crate) again: Told<String>,
}

/// One redemption of a voucher.
#[derive(Clone, Debug, Default)]
pub(crate) struct Use {
    pub(crate) code: String,
    pub(crate) key: String,
    pub(crate) amount: Option<i64>,
    pub(crate) told: Told<()>,
}

/// Everything that was done in a sale.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// What may have led to an order. Wishes that were refused are only counted.
    pub(crate) wishes: Vec<Wish>,
    /// How often which refusal came.
    pub(crate) refused: BTreeMap<String, u64>,
    /// Units added per offer.
    pub(crate) restocked: BTreeMap<String, i64>,
    /// Answers that should not have come at all.
    pub(crate) surprises: Vec<String>,
    /// How many answers were lost.
    pub(crate) lost: u64,
    /// How many said only to ask again.
    pub(crate) busy: u64,
}

impl History {
    /// Orders that were answered.
    pub(crate) fn placed(&self) -> usize {
        self.wishes.iter().filter(|wish| wish.order.ok().is_some()).count()
    }

    /// Payments that were answered as done.
    pub(crate) fn paid(&self) -> usize {
        self.wishes.iter().flat_map(|wish| &wish.payments).filter(|payment| payment.told.ok().is_some()).count()
    }
}

/// The idempotency key with which an order is canceled.
pub(crate) fn cancel_key(order: &str) -> String {
    format!("cancel-{order}")
}
