//! `GET` and `POST /sandbox/toss/checkout/deposit?orderId=`: the buyer at their bank, before the order's virtual account.

use std::sync::Arc;

use askama::Template;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;

use super::page::{price, write};
use super::words::{self, Words};
use crate::sandbox::Sandbox;
use crate::sandbox::rows::{Account, Status};

/// Whose account it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::sandbox) struct OfOrder {
    order_id: String,
    lang: Option<String>,
}

#[derive(Template)]
#[template(path = "sandbox/deposit.html")]
struct Page<'a> {
    words: &'a Words,
    /// None when the order has none.
    account: Option<&'a Account>,
    amount: String,
    /// Whether a deposit is waited for.
    waits: bool,
    order: &'a str,
    lang: Option<&'a str>,
}

/// The page.
pub(in crate::sandbox) async fn show(
    State(sandbox): State<Arc<Sandbox>>,
    headers: HeaderMap,
    of: Result<Query<OfOrder>, QueryRejection>,
) -> Response {
    sandbox.deposit_page(&headers, of.ok().map(|Query(of)| of)).await
}

/// Pays in, and shows what became of it.
pub(in crate::sandbox) async fn pay(
    State(sandbox): State<Arc<Sandbox>>,
    headers: HeaderMap,
    of: Result<Form<OfOrder>, FormRejection>,
) -> Response {
    let of = of.ok().map(|Form(of)| of);
    if let Some(OfOrder { order_id, .. }) = &of
        && let Err(error) = sandbox.deposit(order_id, None).await
    {
        tracing::debug!(?error, "nothing was paid in");
    }
    sandbox.deposit_page(&headers, of).await
}

impl Sandbox {
    async fn deposit_page(&self, headers: &HeaderMap, of: Option<OfOrder>) -> Response {
        let lang = of.as_ref().and_then(|of| of.lang.as_deref());
        let words = words::for_reader(lang, headers);
        let order = of.as_ref().map(|of| of.order_id.as_str()).unwrap_or_default();
        let known = match self.store.find_account(order).await {
            Ok(known) => known,
            Err(error) => return crate::sandbox::error::ApiError::from(error).into_response(),
        };
        let payment = known.as_ref().map(|known| &known.record);
        let page = Page {
            words,
            account: payment.and_then(|payment| payment.account.as_ref()).map(|account| &account.0),
            amount: payment.map(|payment| price(payment.amount, Some(payment.currency))).unwrap_or_default(),
            waits: payment.is_some_and(|payment| payment.status == Status::WaitingForDeposit),
            order,
            lang,
        };
        write(if page.account.is_some() { StatusCode::OK } else { StatusCode::BAD_REQUEST }, &page)
    }
}
