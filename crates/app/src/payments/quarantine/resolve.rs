//! `POST /admin/quarantine/{id}/resolve`: a person says what they found out, and what follows from it is done.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::payment::{PaymentState, Verdict};
use firstcome_core::ports::ProviderAnswer;
use firstcome_core::records::{RecordsExt as _, Stored};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::list::View;
use super::{Asked, Case};
use crate::http::{Body, IdempotencyKey, Operator, Outcome, Path, Problem, one_line};
use crate::payments::Payments;
use crate::payments::refunds::moved;
use crate::payments::rows::{Payment, Refund, refunds_of};

/// What the name of a movement begins with that the provider does not list.
const MOVED_BY_HAND: &str = "by hand";

impl Refund {
    /// Whether a person has said that the money went back, and the provider lists no movement for it.
    pub(in crate::payments) fn was_moved_by_hand(&self) -> bool {
        self.transaction.as_ref().is_some_and(|name| name.starts_with(MOVED_BY_HAND))
    }
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::payments) enum Found {
    /// Of a payment: the money is there. It is delivered for, or sent back.
    Charged,
    /// Of a payment: no money moved. The units are free again.
    NotCharged,
    /// Of a refund: the buyer has the money, by whatever way.
    Refunded,
    /// Of a refund: the buyer does not have it. It goes on being sent.
    NotRefunded,
}

/// What a person found out.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ResolveQuarantined)]
pub(in crate::payments) struct Request {
    #[garde(skip)]
    outcome: Found,
    /// How they know, for people; kept, and told to nobody else.
    #[garde(length(chars, min = 1, max = 200), custom(one_line))]
    #[schema(example = "seen in the provider's console")]
    reason: String,
}

/// Says what became of a payment or refund, after a look at the provider's books. The provider is asked once more first: what
/// it says itself counts.
#[utoipa::path(
    post, path = "/api/v1/admin/quarantine/{id}/resolve", tag = "admin", request_body = Request,
    params(("id" = String, Path), ("Idempotency-Key" = String, Header)),
    responses(
        (status = 200, body = View),
        (status = 404, description = "not_found"),
        (status = 409, description = "wrong_state: it does not, or no more, need a person, or the provider says otherwise"),
        (status = 422, description = "idempotency_key_reused, invalid_body: an outcome that is not one of its kind"),
    ),
    security(("bearer" = [])),
)]
pub(in crate::payments) async fn post(
    State(payments): State<Arc<Payments>>,
    Operator(operator): Operator,
    Path(id): Path<String>,
    IdempotencyKey(key): IdempotencyKey,
    body: Body<Request>,
) -> Outcome<Json<View>> {
    let Request { outcome, reason } = &body.value;
    let asked =
        Asked { what: b"resolve", person: operator.user, key: &key, body: body.digest, reason: Some(reason.as_str()) };
    payments.about(&id, asked, async |case| payments.found(case, *outcome).await).await.map(Json)
}

/// Code and message of a payment that a person found not charged.
pub(super) fn no_charge() -> (String, String) {
    ("RESOLVED_BY_HAND".to_owned(), "The shop found that nothing was charged".to_owned())
}

impl Payments {
    pub(in crate::payments) async fn found(&self, case: Case, found: Found) -> Outcome<()> {
        match (case, found) {
            (Case::Payment(payment), Found::Charged) => self.found_charge(payment, true).await,
            (Case::Payment(payment), Found::NotCharged) => self.found_charge(payment, false).await,
            (Case::Refund(refund), Found::Refunded) => self.found_refund(refund).await,
            (Case::Refund(refund), Found::NotRefunded) => {
                let id = refund.record.refund_id.to_string();
                if self.is_there(&refund.record).await?.is_some() {
                    return Err(self.case(&id).await?.is_not("The provider says that the money went back: ask again"));
                }
                if self.sent_again(refund).await?.is_none() {
                    return Err(self.case(&id).await?.is_not("Somebody else has just resolved it"));
                }
                self.refund_waits.notify_one();
                Ok(())
            }
            (Case::Payment(_), _) => Err(Problem::field("outcome", "of a payment it is charged or not_charged")),
            (Case::Refund(_), _) => Err(Problem::field("outcome", "of a refund it is refunded or not_refunded")),
        }
    }

    /// The attempt goes on as if the provider had said so, unless it says otherwise.
    async fn found_charge(&self, attempt: Stored<Payment>, is_charged: bool) -> Outcome<()> {
        let said = if attempt.record.is_transfer() {
            self.is_deposited(&attempt.record).await
        } else {
            match self.look_up(&attempt.record).await {
                Verdict::Charged => Some(true),
                Verdict::Refused { .. } | Verdict::Waiting => Some(false),
                Verdict::Silent { .. } => None,
            }
        };
        let id = attempt.record.payment_id.to_string();
        if said.is_some_and(|said| said != is_charged) {
            let detail = "The provider says otherwise: ask again, and what it says counts";
            return Err(Case::Payment(attempt).is_not(detail));
        }
        let now = if attempt.record.is_transfer() {
            self.found_deposit(attempt, is_charged).await?
        } else {
            let (code, message) = no_charge();
            let verdict = if is_charged { Verdict::Charged } else { Verdict::Refused { code, message } };
            self.conclude(attempt, verdict, None).await?
        };
        let is_so = if is_charged { now.record.state.is_charged() } else { now.record.state == PaymentState::Fail };
        if is_so { Ok(()) } else { Err(self.case(&id).await?.is_not("Somebody else has just found otherwise")) }
    }

    /// The money is with the buyer. Where the provider has a movement for it, that is it.
    async fn found_refund(&self, refund: Stored<Refund>) -> Outcome<()> {
        let id = refund.record.refund_id;
        let there = self.is_there(&refund.record).await?;
        let payment = self.ports.records.load::<Payment>(refund.record.payment_id).await?;
        let payment = payment.ok_or_else(Problem::not_found)?;
        let is_too_much = payment.record.refunded.saturating_add(refund.record.amount) > payment.record.amount;
        let transaction = there.unwrap_or_else(|| format!("{MOVED_BY_HAND} {id}"));
        if !is_too_much && self.booked(refund, payment, transaction).await? {
            return Ok(());
        }
        // Done or not by now, it is by what somebody else has found: perhaps the provider has just sent it.
        let now = self.case(&id.to_string()).await?;
        let is_more = is_too_much && now.is_quarantined();
        Err(now.is_not(if is_more {
            "With it more would have gone back than was charged; ask again"
        } else {
            "It has just changed; look again"
        }))
    }

    /// The provider's name for the movement of a refund: its own, or one of its amount that was made in the console and that
    /// nobody has booked.
    async fn is_there(&self, refund: &Refund) -> Outcome<Option<String>> {
        let Some(payment) = self.ports.records.load::<Payment>(refund.payment_id).await? else { return Ok(None) };
        let ProviderAnswer::Payment(said) = self.ports.provider.lookup(&payment.record.payment_key).await else {
            return Ok(None);
        };
        let known = refunds_of(&*self.ports.records, refund.order_id).await?;
        Ok(moved(&said, refund, &known))
    }
}
