//! The states of a payment and of a refund, and which may follow which.

use crate::text_enum;

text_enum! {
    /// Where a payment stands. What to do after a crash: `Ready` and `InProgress` are looked up at the provider like
    /// `Unknown`; `Done` is committed in the ledger again; the others are over.
    pub enum PaymentState {
        /// Written down; the ledger has not pinned the hold yet, no money can have moved.
        Ready = "READY",
        /// The hold is pinned and the provider was, or is about to be, asked to collect.
        InProgress = "IN_PROGRESS",
        /// The provider did not answer: money may have moved.
        Unknown = "UNKNOWN",
        /// The money is there.
        Done = "DONE",
        /// The provider said no for good; no money moved, or all of it went back.
        Fail = "FAIL",
        /// Nobody could find out in time: a person must look. The units stay pinned.
        Quarantined = "QUARANTINED",
        /// Part of the money went back.
        PartialCanceled = "PARTIAL_CANCELED",
        /// All of the money went back.
        Canceled = "CANCELED",
    }
}

impl PaymentState {
    /// Whether money may still move, or has moved and is with us.
    pub fn is_live(self) -> bool {
        !matches!(self, Self::Fail | Self::Canceled)
    }

    /// Whether the provider must be asked before anything is concluded.
    pub fn is_undecided(self) -> bool {
        matches!(self, Self::Ready | Self::InProgress | Self::Unknown)
    }

    /// Whether `next` may follow.
    pub fn may_become(self, next: Self) -> bool {
        use PaymentState::{Canceled, Done, Fail, InProgress, PartialCanceled, Quarantined, Ready, Unknown};
        match self {
            Ready => matches!(next, InProgress | Fail | Unknown),
            InProgress => matches!(next, Done | Fail | Unknown),
            Unknown => matches!(next, Done | Fail | Quarantined),
            Quarantined => matches!(next, Done | Fail),
            Done => matches!(next, PartialCanceled | Canceled),
            PartialCanceled => matches!(next, PartialCanceled | Canceled),
            Fail | Canceled => false,
        }
    }
}

text_enum! {
    /// Where a refund stands.
    pub enum RefundState {
        /// Decided; the money has not gone back yet. Tried with the same key until the provider confirms.
        Pending = "PENDING",
        /// The provider confirmed that the money went back.
        Done = "DONE",
        /// What was bought has been used in the meantime; no money goes back.
        Refused = "REFUSED",
        /// The provider refuses for a reason that only a person can clear.
        Quarantined = "QUARANTINED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_never_looks_failed_by_itself() {
        assert!(PaymentState::Unknown.is_live());
        assert!(PaymentState::Unknown.may_become(PaymentState::Done));
        assert!(!PaymentState::Fail.may_become(PaymentState::Done));
        assert!(!PaymentState::Done.may_become(PaymentState::Fail));
    }
}
