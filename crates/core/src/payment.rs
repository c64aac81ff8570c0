//! The states of a payment and of a refund, which may follow which, and what a provider's answer means.

use crate::ports::{ProviderAnswer, ProviderPayment, ProviderStatus};
use crate::text_enum;

text_enum! {
    /// Where a payment stands. What to do after a crash: `Ready`, `InProgress` and `Unknown` are looked up at the
    /// provider and concluded by its answer; `Done` is committed in the ledger again; the others are over.
    pub enum PaymentState {
        /// Written down; the ledger has not pinned the hold yet, no money can have moved.
        Ready = "READY",
        /// The hold is pinned, or about to be, and the provider was, or is about to be, asked to collect. Written before
        /// both, so that a crash between the two is found.
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
        matches!(self, Self::Ready | Self::InProgress | Self::Unknown | Self::Quarantined)
    }

    /// Whether the money came, and perhaps went back since.
    pub fn is_charged(self) -> bool {
        matches!(self, Self::Done | Self::PartialCanceled | Self::Canceled)
    }

    /// Whether `next` may follow.
    pub fn may_become(self, next: Self) -> bool {
        use PaymentState::{Canceled, Done, Fail, InProgress, PartialCanceled, Quarantined, Ready, Unknown};
        match self {
            Ready => matches!(next, InProgress | Fail | Unknown),
            InProgress => matches!(next, Done | Fail | Unknown | Quarantined),
            Unknown => matches!(next, Unknown | Done | Fail | Quarantined),
            Quarantined => matches!(next, Quarantined | Done | Fail),
            Done => matches!(next, PartialCanceled | Canceled),
            PartialCanceled => matches!(next, PartialCanceled | Canceled),
            Fail | Canceled => false,
        }
    }

    /// What a payment of `amount` minor units is after `refunded` of them went back.
    pub fn after_refunds(amount: i64, refunded: i64) -> Self {
        match refunded {
            ..=0 => Self::Done,
            some if some < amount => Self::PartialCanceled,
            _ => Self::Canceled,
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

/// What the provider was asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    /// How the payment stands. Its refusal says something about the payment only when it names one that is not there.
    Lookup,
    /// To collect the money. Its refusal is final.
    Confirm,
}

/// What a provider's answer means for an attempt that is not decided.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The money is there.
    Charged,
    /// No money moved, and none will by this payment.
    Refused {
        /// The provider's code.
        code: String,
        /// The provider's words.
        message: String,
    },
    /// The provider waits for our confirmation: send it, with the same key as before.
    Waiting,
    /// Nothing may be concluded.
    Silent {
        /// What was seen.
        reason: String,
    },
}

/// Codes by which a provider says that it has no such payment.
const NOT_FOUND: [&str; 2] = ["NOT_FOUND_PAYMENT", "NOT_FOUND"];

/// Whether a refusal says that the provider has no such payment.
pub fn is_not_found(code: &str) -> bool {
    NOT_FOUND.contains(&code)
}

/// What an answer means. `expected` tells whether a payment is the one that was asked about: order, amount, currency.
pub fn judge(asked: Asked, answer: &ProviderAnswer, expected: impl Fn(&ProviderPayment) -> bool) -> Verdict {
    let no = |code: &str, message: &str| Verdict::Refused { code: code.to_owned(), message: message.to_owned() };
    match answer {
        ProviderAnswer::Unknown { reason } => Verdict::Silent { reason: reason.clone() },
        ProviderAnswer::Refused { code, message } if asked == Asked::Confirm || is_not_found(code) => no(code, message),
        ProviderAnswer::Refused { code, .. } => Verdict::Silent { reason: format!("the lookup was refused: {code}") },
        ProviderAnswer::Payment(payment) if !expected(payment) => {
            Verdict::Silent { reason: "the provider's payment is not the one that was asked about".to_owned() }
        }
        ProviderAnswer::Payment(payment) => match payment.status {
            ProviderStatus::Done | ProviderStatus::PartialCanceled => Verdict::Charged,
            ProviderStatus::Ready | ProviderStatus::InProgress => Verdict::Waiting,
            ProviderStatus::WaitingForDeposit => Verdict::Silent { reason: "waiting for a deposit".to_owned() },
            ProviderStatus::Canceled => no("CANCELED", "The payment was canceled at the provider"),
            ProviderStatus::Aborted => no("ABORTED", "The payment was not approved"),
            ProviderStatus::Expired => no("EXPIRED", "The payment was not confirmed in time"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::{Currency, Money};

    #[test]
    fn unknown_never_looks_failed_by_itself() {
        assert!(PaymentState::Unknown.is_live());
        assert!(PaymentState::Unknown.may_become(PaymentState::Done));
        assert!(!PaymentState::Fail.may_become(PaymentState::Done));
        assert!(!PaymentState::Done.may_become(PaymentState::Fail));
        assert!(PaymentState::Quarantined.is_live() && PaymentState::Quarantined.is_undecided());
    }

    #[test]
    fn refunds_add_up() {
        assert_eq!(PaymentState::after_refunds(10, 0), PaymentState::Done);
        assert_eq!(PaymentState::after_refunds(10, 9), PaymentState::PartialCanceled);
        assert_eq!(PaymentState::after_refunds(10, 10), PaymentState::Canceled);
    }

    fn payment(status: ProviderStatus) -> ProviderAnswer {
        let total = Money::new(10, Currency::KRW);
        ProviderAnswer::Payment(ProviderPayment {
            payment_key: "key".to_owned(),
            order_id: "order".to_owned(),
            status,
            total,
            balance: total,
            tax_free: 0,
            cancels: Vec::new(),
        })
    }

    fn means(asked: Asked, answer: &ProviderAnswer) -> &'static str {
        match judge(asked, answer, |_| true) {
            Verdict::Charged => "charged",
            Verdict::Refused { .. } => "refused",
            Verdict::Waiting => "waiting",
            Verdict::Silent { .. } => "silent",
        }
    }

    #[test]
    fn every_status_has_a_meaning() {
        for (status, meaning) in [
            (ProviderStatus::Done, "charged"),
            (ProviderStatus::PartialCanceled, "charged"),
            (ProviderStatus::InProgress, "waiting"),
            (ProviderStatus::Ready, "waiting"),
            (ProviderStatus::WaitingForDeposit, "silent"),
            (ProviderStatus::Canceled, "refused"),
            (ProviderStatus::Aborted, "refused"),
            (ProviderStatus::Expired, "refused"),
        ] {
            assert_eq!(means(Asked::Lookup, &payment(status)), meaning, "{status:?}");
        }
        assert!(matches!(judge(Asked::Lookup, &payment(ProviderStatus::Done), |_| false), Verdict::Silent { .. }));
    }

    #[test]
    fn a_refused_lookup_is_no_proof() {
        let refused = |code: &str| ProviderAnswer::Refused { code: code.to_owned(), message: String::new() };
        assert_eq!(means(Asked::Lookup, &refused("UNAUTHORIZED_KEY")), "silent");
        assert_eq!(means(Asked::Lookup, &refused("NOT_FOUND_PAYMENT")), "refused");
        assert_eq!(means(Asked::Confirm, &refused("REJECT_CARD_PAYMENT")), "refused");
        assert_eq!(means(Asked::Confirm, &ProviderAnswer::Unknown { reason: String::new() }), "silent");
    }
}
