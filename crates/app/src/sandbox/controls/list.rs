//! `GET /v1/test/payments?limit=&cursor=`: what the provider believes.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use firstcome_core::records::{Query, Record as _, Stored};
use serde::Serialize;

use crate::http::{Items, Outcome, PageParameters};
use crate::sandbox::Sandbox;
use crate::sandbox::object::{CancelObject, cancel_objects};
use crate::sandbox::rows::{SandboxPayment, Status};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    payment_key: &'a str,
    order_id: &'a str,
    status: Status,
    total_amount: i64,
    balance_amount: i64,
    cancels: Vec<CancelObject<'a>>,
}

/// The payments in the order in which they were made.
pub(in crate::sandbox) async fn list(State(sandbox): State<Arc<Sandbox>>, page: PageParameters) -> Outcome<Response> {
    let query = page.within(Query::all(SandboxPayment::TABLE, page.limit + 1))?;
    let found = sandbox.store.list(query).await?;
    let now = sandbox.clock.now();
    let place = |payment: &Stored<SandboxPayment>| (payment.record.key(), payment.record.key());
    let Items { items, next_cursor } = page.page(found, place, |payment| payment.record);
    let items = items.iter().map(|payment| Item {
        payment_key: &payment.payment_key,
        order_id: &payment.order_id,
        status: payment.status_at(now),
        total_amount: payment.amount,
        balance_amount: payment.balance(),
        cancels: cancel_objects(payment.amount, &payment.cancels.0),
    });
    Ok(Json(Items { items: items.collect::<Vec<_>>(), next_cursor }).into_response())
}
