//! What becomes of an order, as its buyer is told: announced by the orders role, written by the role that knows the address.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::events::TakenLine;
use crate::ids::OfferNumber;
use crate::ledger::Hold;
use crate::money::Money;
use crate::order::USUAL_DAYS_TO_RETURN;
use crate::records::WrongValue;
use crate::text_enum;

/// How long it is worth telling what became of an order. What is older is from before this was told.
pub const NEWS: Duration = Duration::from_hours(48);

/// Units of one line of an order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StepLine {
    /// The offer.
    pub offer: OfferNumber,
    /// Units.
    pub quantity: u32,
    /// Price of one unit.
    pub unit_price: Money,
}

/// What became of an order. Nothing in it says who the buyer is, nor what people wrote to each other.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// It is paid, or was free.
    Completed {
        /// What was bought.
        lines: Vec<StepLine>,
        /// Minor units taken off.
        discount: i64,
        /// Minor units that a gift card paid.
        by_card: i64,
        /// What it cost.
        total: Money,
    },
    /// What was bought is there to be used: asked for by hand, as [`Step::Completed`] says so too.
    Vouchers,
    /// Its time ran out unpaid, or its payment failed for good.
    Unpaid,
    /// It was withdrawn before it was paid.
    Withdrawn,
    /// Units of it were taken back after it was paid.
    TakenBack {
        /// Which.
        lines: Vec<TakenLine>,
        /// Whether nothing of it is left.
        whole: bool,
    },
    /// Money went back.
    Refunded {
        /// To where it was charged.
        amount: Money,
        /// Minor units that went back to a gift card.
        to_card: i64,
    },
    /// No money goes back: what was bought had been used.
    RefundRefused,
    /// Its goods are with the carrier.
    Shipped {
        /// Who carries them.
        carrier: String,
        /// The carrier's number for the parcel.
        tracking: String,
    },
    /// Its goods are with the buyer.
    Delivered {
        /// Days within which they may be sent back.
        #[serde(default = "usual_days_to_return")]
        days_to_return: u16,
    },
    /// The buyer wants to send goods back.
    ReturnRequested,
    /// The shop waits for them.
    ReturnApproved,
    /// The shop does not take them back.
    ReturnRefused,
    /// They are back.
    ReturnReceived,
}

/// What was announced before shops could say something else.
fn usual_days_to_return() -> u16 {
    USUAL_DAYS_TO_RETURN
}

text_enum! {
    /// What a step is about, for whoever switches some off or wants one again.
    pub enum StepKind {
        /// [`Step::Completed`].
        Completed = "completed",
        /// [`Step::Vouchers`].
        Vouchers = "vouchers",
        /// [`Step::Unpaid`].
        Unpaid = "unpaid",
        /// [`Step::Withdrawn`] and [`Step::TakenBack`].
        Canceled = "canceled",
        /// [`Step::Refunded`].
        Refunded = "refunded",
        /// [`Step::RefundRefused`].
        RefundRefused = "refund_refused",
        /// [`Step::Shipped`].
        Shipped = "shipped",
        /// [`Step::Delivered`].
        Delivered = "delivered",
        /// [`Step::ReturnRequested`].
        ReturnRequested = "return_requested",
        /// [`Step::ReturnApproved`].
        ReturnApproved = "return_approved",
        /// [`Step::ReturnRefused`].
        ReturnRefused = "return_refused",
        /// [`Step::ReturnReceived`].
        ReturnReceived = "return_received",
    }
}

impl StepKind {
    /// Every one of them.
    pub const ALL: [Self; 12] = [
        Self::Completed,
        Self::Vouchers,
        Self::Unpaid,
        Self::Canceled,
        Self::Refunded,
        Self::RefundRefused,
        Self::Shipped,
        Self::Delivered,
        Self::ReturnRequested,
        Self::ReturnApproved,
        Self::ReturnRefused,
        Self::ReturnReceived,
    ];
}

impl Step {
    /// An order is paid, or was free.
    pub fn completed(hold: &Hold) -> Self {
        let own = StepLine { offer: hold.order.home(), quantity: hold.quantity, unit_price: hold.unit_price };
        let others = hold.lines_elsewhere().map(|line| StepLine {
            offer: line.offer.number(),
            quantity: line.quantity,
            unit_price: line.unit_price,
        });
        Self::Completed {
            lines: std::iter::once(own).chain(others).collect(),
            discount: hold.discount,
            by_card: hold.by_card().map_or(0, |part| part.amount),
            total: hold.total(),
        }
    }

    /// What it is about.
    pub fn kind(&self) -> StepKind {
        match self {
            Self::Completed { .. } => StepKind::Completed,
            Self::Vouchers => StepKind::Vouchers,
            Self::Unpaid => StepKind::Unpaid,
            Self::Withdrawn | Self::TakenBack { .. } => StepKind::Canceled,
            Self::Refunded { .. } => StepKind::Refunded,
            Self::RefundRefused => StepKind::RefundRefused,
            Self::Shipped { .. } => StepKind::Shipped,
            Self::Delivered { .. } => StepKind::Delivered,
            Self::ReturnRequested => StepKind::ReturnRequested,
            Self::ReturnApproved => StepKind::ReturnApproved,
            Self::ReturnRefused => StepKind::ReturnRefused,
            Self::ReturnReceived => StepKind::ReturnReceived,
        }
    }
}

/// What buyers are not written about.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Unwritten(Vec<StepKind>);

impl Unwritten {
    /// Whether buyers are not written about this.
    pub fn has(&self, kind: StepKind) -> bool {
        self.0.contains(&kind)
    }
}

/// Kinds separated by commas; `all` of them.
impl std::str::FromStr for Unwritten {
    type Err = WrongValue;

    fn from_str(text: &str) -> Result<Self, WrongValue> {
        if text.trim() == "all" {
            return Ok(Self(StepKind::ALL.to_vec()));
        }
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        names.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_switched_off_by_name() {
        let off: Unwritten = "shipped, refunded".parse().expect("names");
        assert!(off.has(StepKind::Shipped) && off.has(StepKind::Refunded) && !off.has(StepKind::Completed));
        let all: Unwritten = "all".parse().expect("all");
        assert!(StepKind::ALL.into_iter().all(|kind| all.has(kind)));
        assert_eq!("".parse(), Ok(Unwritten::default()));
        assert!("shipping".parse::<Unwritten>().is_err());
    }

    #[test]
    fn what_was_announced_before_means_the_usual_days() {
        let delivered = |text| serde_json::from_str::<Step>(text).expect("a step");
        assert_eq!(delivered(r#"{"step":"delivered"}"#), Step::Delivered { days_to_return: 7 });
        let told = Step::Delivered { days_to_return: 14 };
        assert_eq!(delivered(&serde_json::to_string(&told).expect("a text")), told);
    }
}
