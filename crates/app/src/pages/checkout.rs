//! Paying: the way to the provider's checkout page, and back from it.
//!
//! The checkout sends the buyer's browser back with the payment's key. Only then is the money collected, by
//! `POST /payments/confirm`, under a key that follows from the payment's: however often the page is loaded, it is one
//! confirmation.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use firstcome_core::money::Money;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::api::{Call, query, segment};
use super::contract::Order;
use super::failure::Failure;
use super::fields::Parameters;
use super::orders::{self, Offers};
use super::problem::Problem;
use super::respond::redirect;
use super::visitor::Visitor;

/// Characters that the provider accepts in the name of an order.
const MAX_NAME: usize = 100;

/// `GET /orders/{id}/pay`: to the provider's checkout. It changes nothing yet.
pub(super) async fn begin(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failure> {
    let order: Order = visitor.ask(Call::get(&format!("/orders/{}", segment(&id)?))).await?;
    if !order.is_pending() {
        return Ok(redirect(&format!("/orders/{id}")));
    }
    let offers = Offers::of(&visitor, std::slice::from_ref(&order)).await;
    let name: String = offers.title(&order).chars().take(MAX_NAME).collect();
    let parameters = query(&[
        ("orderId", &order.order_id),
        ("amount", &order.due().amount.to_string()),
        ("taxFreeAmount", &order.due_tax_free().to_string()),
        ("orderName", &name),
        ("successUrl", &visitor.absolute("/checkout/success")),
        ("failUrl", &visitor.absolute("/checkout/fail")),
        ("lang", visitor.language.tag()),
    ]);
    Ok(redirect(&format!("{}{parameters}", visitor.shop.options.checkout_url)))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Success {
    payment_key: String,
    order_id: String,
    amount: i64,
}

/// `GET /checkout/success`
pub(super) async fn success(visitor: Visitor, Parameters(paid): Parameters<Success>) -> Result<Response, Failure> {
    let id = segment(&paid.order_id)?;
    let order: Order = visitor.ask(Call::get(&format!("/orders/{id}"))).await?;
    let amount = Money::new(paid.amount, order.amount.currency);
    let body = json!({ "order_id": id, "payment_key": paid.payment_key, "amount": amount });
    let key = key_of(&paid.payment_key);
    let answer = visitor.ask_with_status::<Value>(Call::post("/payments/confirm", &body).key(&key)).await;
    match answer {
        // Collected, or not known yet (202): the order's page shows which, and follows it.
        Ok(_) => Ok(redirect(&format!("/orders/{id}"))),
        Err(problem) => refused(&visitor, id, problem).await,
    }
}

async fn refused(visitor: &Visitor, id: &str, problem: Problem) -> Result<Response, Failure> {
    match problem.code.as_str() {
        "already_paid" => Ok(redirect(&format!("/orders/{id}"))),
        "unauthenticated" | "not_found" => Err(problem.into()),
        _ => orders::render(visitor, id, problem.status, Some(problem.message(visitor))).await,
    }
}

fn key_of(payment_key: &str) -> String {
    let digest = Sha256::digest(payment_key);
    let hex: String = digest.iter().take(20).map(|byte| format!("{byte:02x}")).collect();
    format!("confirm-{hex}")
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Fail {
    #[serde(default)]
    code: String,
    order_id: String,
}

/// `GET /checkout/fail`: nothing was paid. The provider's own words stand in the URL, where anyone could have put them,
/// so they are not shown; its code is.
pub(super) async fn fail(visitor: Visitor, Parameters(failed): Parameters<Fail>) -> Result<Response, Failure> {
    let known = visitor.language.find(&format!("checkout-{}", failed.code), &[]);
    let plain = failed.code.len() <= 64 && failed.code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    let told = known.unwrap_or_else(|| visitor.say("checkout-failed", if plain { &failed.code } else { "?" }));
    orders::render(&visitor, &failed.order_id, StatusCode::OK, Some(told)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_payment_has_the_same_key() {
        assert_eq!(key_of("a"), key_of("a"));
        assert_ne!(key_of("a"), key_of("b"));
        assert!(key_of(&"x".repeat(500)).len() < 100);
    }
}
