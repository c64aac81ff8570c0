//! `GET /admin/quarantine`: payments and refunds that need a person, newest first.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::OrderId;
use firstcome_core::money::Money;
use firstcome_core::payment::{PaymentState, RefundState};
use firstcome_core::records::{Direction, Field, Query, Record, RecordsExt as _, Stored, Value};
use firstcome_core::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Case;
use crate::http::{Items, MoneySchema, Operator, Outcome, PageParameters, Problem, QueryString, merge};
use crate::payments::rows::{Origin, Payment, Refund};
use crate::payments::{Options, Payments};

/// Which are asked for.
#[derive(Debug, Deserialize)]
pub(in crate::payments) struct Filters {
    kind: Option<String>,
}

/// A payment or refund that needs a person, with what is known of it. `GET /payments/{order_id}` has every attempt of its order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Quarantined)]
pub(in crate::payments) struct View {
    /// The payment's or the refund's.
    #[schema(example = "pay_01h455vb4pex5vsknk084sn02q")]
    id: String,
    /// payment or refund.
    #[schema(value_type = String, example = "payment")]
    kind: &'static str,
    #[schema(value_type = String, example = "ord_01h455vb4pex5vsknk084sn02q")]
    order_id: OrderId,
    /// QUARANTINED in the list; in other answers what it has become.
    #[schema(value_type = String, example = "QUARANTINED")]
    state: String,
    /// What was to be collected, or sent back.
    #[schema(value_type = MoneySchema)]
    amount: Money,
    /// The provider's name for a payment, once it has told one.
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_key: Option<String>,
    /// Of a refund: who wanted it, as in the payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "order")]
    origin: Option<Origin>,
    /// How often the provider was asked.
    tries: u32,
    /// What the provider said last, or what was seen in place of an answer.
    last_answer: Option<String>,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    /// Since when it waits for a person.
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<Time>,
    /// When the provider was asked last.
    #[schema(value_type = String, format = DateTime)]
    asked_at: Time,
    /// When the program asks by itself again; null when it does not.
    #[schema(value_type = Option<String>, format = DateTime)]
    asks_again_at: Option<Time>,
    /// What a person may say of it in `resolve`.
    #[schema(value_type = Vec<String>, example = json!(["charged", "not_charged"]))]
    outcomes: &'static [&'static str],
    #[serde(skip)]
    place: [u8; 16],
}

impl View {
    pub(in crate::payments) fn of(case: &Case, options: &Options) -> Self {
        match case {
            Case::Payment(payment) => Self::of_payment(&payment.record, options),
            Case::Refund(refund) => Self::of_refund(&refund.record),
        }
    }

    fn of_payment(payment: &Payment, options: &Options) -> Self {
        let is_quarantined = payment.state == PaymentState::Quarantined;
        Self {
            id: payment.payment_id.to_string(),
            kind: "payment",
            order_id: payment.order_id,
            state: payment.state.as_str().to_owned(),
            amount: payment.money(),
            payment_key: payment.named().map(str::to_owned),
            origin: None,
            tries: payment.tries,
            last_answer: payment.message.clone(),
            created_at: payment.created_at,
            since: is_quarantined.then(|| (payment.created_at + options.quarantine_after).min(payment.updated_at)),
            asked_at: payment.updated_at,
            asks_again_at: payment.due_at.filter(|_| payment.state.is_undecided()),
            outcomes: match is_quarantined {
                true if payment.is_unnamed() => &["not_charged"],
                true => &["charged", "not_charged"],
                false => &[],
            },
            place: payment.payment_id.0,
        }
    }

    fn of_refund(refund: &Refund) -> Self {
        let is_quarantined = refund.state == RefundState::Quarantined;
        Self {
            id: refund.refund_id.to_string(),
            kind: "refund",
            order_id: refund.order_id,
            state: refund.state.as_str().to_owned(),
            amount: refund.money(),
            payment_key: None,
            origin: Some(refund.origin),
            tries: refund.tries,
            last_answer: refund.message.clone(),
            created_at: refund.created_at,
            since: is_quarantined.then_some(refund.updated_at),
            asked_at: refund.updated_at,
            asks_again_at: refund.due_at.filter(|_| refund.state == RefundState::Pending),
            outcomes: if is_quarantined { &["refunded", "not_refunded"] } else { &[] },
            place: refund.refund_id.0,
        }
    }
}

/// Payments of which nobody knows whether they were charged, and refunds that the provider refuses; newest first.
#[utoipa::path(
    get, path = "/api/v1/admin/quarantine", tag = "admin",
    params(
        ("kind" = Option<String>, Query, description = "payment or refund; both if left out"),
        ("limit" = Option<u32>, Query, description = "1 to 100, 20 if left out"), ("cursor" = Option<String>, Query),
    ),
    responses((status = 200, body = Items<View>), (status = 400, description = "malformed_request")),
    security(("bearer" = [])),
)]
pub(in crate::payments) async fn get(
    State(payments): State<Arc<Payments>>,
    _: Operator,
    QueryString(filters): QueryString<Filters>,
    asked: PageParameters,
) -> Outcome<Json<Items<View>>> {
    let (of_payments, of_refunds) = match filters.kind.as_deref() {
        None | Some("") => (true, true),
        Some("payment") => (true, false),
        Some("refund") => (false, true),
        Some(_) => return Err(Problem::new(ErrorCode::MalformedRequest).detail("kind must be payment or refund")),
    };
    let mut pages = Vec::new();
    if of_payments {
        let view = |payment: &Payment| View::of_payment(payment, &payments.options);
        pages.push(payments.quarantined(&asked, &PaymentState::Quarantined, view).await?);
    }
    if of_refunds {
        pages.push(payments.quarantined(&asked, &RefundState::Quarantined, View::of_refund).await?);
    }
    Ok(Json(merge(pages, &asked, |view| (view.created_at, view.place))))
}

impl Payments {
    /// The page of one table.
    async fn quarantined<R: Record>(
        &self,
        asked: &PageParameters,
        state: &impl Field,
        view: impl Fn(&R) -> View,
    ) -> Outcome<Items<View>> {
        let query = Query::all(R::TABLE, asked.limit + 1)
            .filter("state", firstcome_core::records::Comparison::Is(state.to_value()))
            .order_by("created_at", Direction::Descending);
        let rows = self.ports.records.list::<R>(asked.within(query)?).await?;
        let views: Vec<View> = rows.iter().map(|Stored { record, .. }| view(record)).collect();
        Ok(asked.page(views, |view| (view.created_at.to_value(), Value::Blob(view.place.to_vec())), |view| view))
    }
}
