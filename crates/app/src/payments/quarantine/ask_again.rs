//! `POST /admin/quarantine/{id}/ask-again`: the provider is asked anew, and what it says goes the usual way.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::payment::RefundState;
use firstcome_core::ports::Committed;
use firstcome_core::records::{Stored, Unit};

use super::list::View;
use super::{Asked, Case};
use crate::http::{IdempotencyKey, NoBody, Operator, Outcome, Path};
use crate::payments::Payments;
use crate::payments::rows::Refund;

/// Asks the provider about a payment, or to send money back, once more. It answers with what has become of it: QUARANTINED
/// still when the provider says nothing new.
#[utoipa::path(
    post, path = "/api/v1/admin/quarantine/{id}/ask-again", tag = "admin",
    params(("id" = String, Path), ("Idempotency-Key" = String, Header)),
    responses(
        (status = 200, body = View),
        (status = 404, description = "not_found"),
        (status = 409, description = "wrong_state: it does not, or no more, need a person"),
        (status = 422, description = "idempotency_key_reused"),
    ),
    security(("bearer" = [])),
)]
pub(in crate::payments) async fn post(
    State(payments): State<Arc<Payments>>,
    Operator(operator): Operator,
    Path(id): Path<String>,
    IdempotencyKey(key): IdempotencyKey,
    _: NoBody,
) -> Outcome<Json<View>> {
    let asked = Asked { what: b"ask again", person: operator.user, key: &key, body: 0, reason: None };
    payments.about(&id, asked, async |case| payments.ask_again(case).await).await.map(Json)
}

impl Payments {
    pub(in crate::payments) async fn ask_again(&self, case: Case) -> Outcome<()> {
        match case {
            Case::Payment(payment) => self.resolve(payment).await?,
            Case::Refund(refund) => {
                if let Some(refund) = self.sent_again(refund).await? {
                    self.send_back(refund).await?;
                }
            }
        }
        Ok(())
    }

    /// A refund that is due again; none when somebody else was faster.
    pub(super) async fn sent_again(&self, refund: Stored<Refund>) -> Outcome<Option<Stored<Refund>>> {
        let now = self.now();
        let record = Refund { state: RefundState::Pending, due_at: Some(now), updated_at: now, ..refund.record };
        let mut due = Stored { record, version: refund.version };
        if self.ports.records.commit(Unit::new().update(&due)).await? != Committed::Done {
            return Ok(None);
        }
        due.version += 1;
        Ok(Some(due))
    }
}
