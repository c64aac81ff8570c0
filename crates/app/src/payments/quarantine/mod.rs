//! What the program gave up on and leaves to a person: payments of which the provider never said what became of them, and
//! refunds that it refuses. They are listed with what is known ([`list`]), asked about anew ([`ask_again`]), or resolved by
//! what a person found out in the provider's books ([`resolve`]).
//!
//! Whatever a person says goes the way that the provider's own answer would have gone: a charge is delivered for or sent
//! back, what was not charged gives its units back, and a refund that did not go out goes on being sent. What the provider
//! itself says comes first: who says otherwise is refused. Rows are written on the version that was read, so of two people
//! at once one writes, and the other is told what it is now.

pub(super) mod ask_again;
mod deposit;
pub(super) mod list;
pub(super) mod resolve;

use std::time::Duration;

use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::{EventId, PaymentId, RefundId, UserId};
use firstcome_core::payment::{PaymentState, RefundState};
use firstcome_core::ports::Committed;
use firstcome_core::record;
use firstcome_core::records::{RecordsExt as _, Stored, Unit};
use firstcome_core::time::Time;

use super::Payments;
use super::rows::{Payment, Refund};
use crate::actions::aside;
use crate::http::{Outcome, Problem};
use list::View;

/// How often it is looked whether a twin of a request has been answered, and how long it is waited between two looks.
const LOOKS: u32 = 20;
const LOOK_AGAIN: Duration = Duration::from_millis(50);

record! {
    /// What a person asked for about one that is quarantined, so that its key means the same when it comes again.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct QuarantineRequest in "quarantine_requests" {
        /// Person and key.
        pub key: EventId,
        /// What it is about, and the body.
        pub digest: Vec<u8>,
        /// When it came first.
        pub at: Time,
        /// Whether it was answered: then the same again is shown what became of it.
        pub answered: bool,
        /// What the person found out, in their words.
        pub reason: Option<String>,
    }
    indexes []
}

/// One that is, or was, quarantined.
pub(super) enum Case {
    Payment(Stored<Payment>),
    Refund(Stored<Refund>),
}

impl Case {
    /// Whether it still waits for a person.
    fn is_quarantined(&self) -> bool {
        match self {
            Self::Payment(payment) => payment.record.state == PaymentState::Quarantined,
            Self::Refund(refund) => refund.record.state == RefundState::Quarantined,
        }
    }

    fn version(&self) -> i64 {
        match self {
            Self::Payment(payment) => payment.version,
            Self::Refund(refund) => refund.version,
        }
    }

    fn is_not(&self, detail: &str) -> Problem {
        let problem = Problem::new(ErrorCode::WrongState).detail(detail);
        match self {
            Self::Payment(payment) => problem.with("state", payment.record.state),
            Self::Refund(refund) => problem.with("state", refund.record.state),
        }
    }
}

/// What a request is: who asks, under which key, for what.
pub(super) struct Asked<'a> {
    pub(super) what: &'a [u8],
    pub(super) person: UserId,
    pub(super) key: &'a str,
    pub(super) body: u64,
    pub(super) reason: Option<&'a str>,
}

impl Payments {
    /// The payment or refund of this id.
    pub(super) async fn case(&self, id: &str) -> Outcome<Case> {
        let records = &*self.ports.records;
        let found = if let Ok(payment) = id.parse::<PaymentId>() {
            records.load::<Payment>(payment).await?.map(Case::Payment)
        } else if let Ok(refund) = id.parse::<RefundId>() {
            records.load::<Refund>(refund).await?.map(Case::Refund)
        } else {
            None
        };
        found.ok_or_else(Problem::not_found)
    }

    /// Does something about one that is quarantined, unless the same request has done it before, or does it in this moment.
    pub(in crate::payments) async fn about(
        &self,
        id: &str,
        asked: Asked<'_>,
        does: impl AsyncFnOnce(Case) -> Outcome<()>,
    ) -> Outcome<View> {
        let case = self.case(id).await?;
        let (mut request, is_first) = self.remember(id, &asked).await?;
        // What was answered is over, also when it needs a person once more since: that is another question.
        if !request.record.answered {
            let (is_quarantined, version) = (case.is_quarantined(), case.version());
            let done = if is_quarantined {
                does(case).await
            } else {
                Err(case.is_not("It is not, or no more, one that needs a person"))
            };
            if let Err(problem) = done {
                // Perhaps a twin of this request was faster; none was where nothing has changed, or before the first came.
                let is_changed = if is_quarantined { self.case(id).await?.version() != version } else { !is_first };
                if !is_changed || !self.is_twin_answered(request.record.key).await? {
                    return Err(problem);
                }
            } else {
                request.record.answered = true;
                // A conflict is a twin that has done the same.
                self.ports.records.commit(Unit::new().update(&request)).await?;
            }
        }
        let now = self.case(id).await?;
        Ok(View::of(&now, &self.options))
    }

    /// Whether the request of this key is answered by now, or in a moment: whoever does what it asks for says so just after.
    async fn is_twin_answered(&self, key: EventId) -> Outcome<bool> {
        for _ in 0..LOOKS {
            if self.ports.records.load::<QuarantineRequest>(key).await?.is_some_and(|request| request.record.answered) {
                return Ok(true);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(false)
    }

    /// Writes a request down, and says whether it came for the first time; else it is as it was written down then.
    async fn remember(&self, id: &str, asked: &Asked<'_>) -> Outcome<(Stored<QuarantineRequest>, bool)> {
        let Asked { what, person, key, body, reason } = *asked;
        let digest = [id.as_bytes(), &body.to_be_bytes()].concat();
        let key = EventId::derived(&[what, &person.0, key.as_bytes()]);
        let (at, reason) = (self.now(), reason.map(str::to_owned));
        let request = QuarantineRequest { key, digest: digest.clone(), at, answered: false, reason };
        if aside(self.ports.records.commit(Unit::new().insert(&request))).await? == Committed::Done {
            return Ok((Stored { record: request, version: 1 }, true));
        }
        let first = self.ports.records.load::<QuarantineRequest>(key).await?;
        let same = first.filter(|first| first.record.digest == digest);
        Ok((same.ok_or_else(|| Problem::new(ErrorCode::IdempotencyKeyReused))?, false))
    }
}
