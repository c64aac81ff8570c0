//! `GET /sandbox/toss/checkout?orderId&amount&orderName&successUrl&failUrl`.

use std::sync::Arc;

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use firstcome_core::money::Currency;
use serde::Deserialize;

use super::return_url;
use super::words::{self, Words};
use crate::sandbox::Sandbox;
use crate::sandbox::controls::pay::Purchase;

/// What the shop opened the checkout with; the buttons send it on.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::sandbox) struct Checkout {
    pub(super) order_id: String,
    pub(super) amount: i64,
    #[serde(default)]
    pub(super) order_name: String,
    pub(super) currency: Option<Currency>,
    #[serde(default)]
    pub(super) tax_free_amount: i64,
    pub(super) success_url: String,
    pub(super) fail_url: String,
    pub(super) lang: Option<String>,
}

#[derive(Template)]
#[template(path = "sandbox/checkout.html")]
struct Page<'a> {
    words: &'a Words,
    /// None when the checkout cannot open.
    checkout: Option<&'a Checkout>,
    amount: String,
}

impl Checkout {
    /// The purchase, when everything about it is right.
    pub(super) fn purchase(&self, headers: &HeaderMap) -> Option<Purchase> {
        let purchase = Purchase {
            order_id: self.order_id.clone(),
            amount: self.amount,
            order_name: self.order_name.clone(),
            currency: self.currency,
            tax_free_amount: self.tax_free_amount,
        };
        let returns = [&self.success_url, &self.fail_url];
        let sound = returns.iter().all(|address| return_url::checked(address, headers).is_some());
        (sound && purchase.check().is_ok()).then_some(purchase)
    }
}

/// The page.
pub(in crate::sandbox) async fn show(
    State(_): State<Arc<Sandbox>>,
    headers: HeaderMap,
    checkout: Result<Query<Checkout>, QueryRejection>,
) -> Response {
    match checkout {
        Ok(Query(checkout)) if checkout.purchase(&headers).is_some() => render(&headers, Some(&checkout)),
        _ => render(&headers, None),
    }
}

/// The page, or the one that says why there is none.
pub(super) fn render(headers: &HeaderMap, checkout: Option<&Checkout>) -> Response {
    let words = words::for_reader(checkout.and_then(|checkout| checkout.lang.as_deref()), headers);
    let amount = checkout.map(|checkout| price(checkout.amount, checkout.currency)).unwrap_or_default();
    let status = if checkout.is_some() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    match (Page { words, checkout, amount }).render() {
        Ok(html) => (status, [(header::CACHE_CONTROL, "no-store")], Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "the checkout page cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// An amount with its thousands set apart.
fn price(amount: i64, currency: Option<Currency>) -> String {
    let digits = amount.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    match currency {
        None | Some(Currency::KRW) => format!("₩{text}"),
        Some(other) => format!("{text} {other}"),
    }
}

/// The page's style.
pub(in crate::sandbox) async fn style() -> Response {
    let headers = [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "max-age=3600")];
    (headers, include_str!("../../../templates/sandbox/checkout.css")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices() {
        assert_eq!(price(1_234_567, None), "₩1,234,567");
        assert_eq!(price(100, Some(Currency::KRW)), "₩100");
        assert_eq!(price(55, "USD".parse().ok()), "55 USD");
    }
}
