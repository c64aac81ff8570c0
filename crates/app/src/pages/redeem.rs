//! The till: a merchant looks a voucher up by its code and redeems it, a gift card in part.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use firstcome_core::codes::ErrorCode;
use firstcome_core::money::Money;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Call, query, segment};
use super::contract::Voucher;
use super::failure::{Failure, login_first};
use super::fields::{Fields, Parameters};
use super::problem::Problem;
use super::respond::{html, redirect};
use super::visitor::Visitor;

#[derive(Template)]
#[template(path = "redeem.html")]
struct Page<'a> {
    page: &'a Visitor,
    code: String,
    voucher: Option<Voucher>,
    done: bool,
    refusal: Option<String>,
    key: String,
}

/// For who may not redeem: says who may.
#[derive(Template)]
#[template(path = "redeem_refused.html")]
struct Refused<'a> {
    page: &'a Visitor,
}

#[derive(Deserialize, Default)]
pub(super) struct Lookup {
    #[serde(default)]
    code: String,
    #[serde(default)]
    done: String,
}

/// `GET /redeem`
pub(super) async fn show(visitor: Visitor, Parameters(lookup): Parameters<Lookup>) -> Result<Response, Failure> {
    if !visitor.is_signed_in() {
        return Ok(login_first("/redeem"));
    }
    if let Some(refused) = refuse(&visitor) {
        return Ok(refused);
    }
    let found = match typed(&lookup.code).as_str() {
        "" => Ok(None),
        code => find(&visitor, code).await.map(Some),
    };
    match found {
        Ok(voucher) => Ok(page(&visitor, lookup.code, voucher, lookup.done == "yes", None)),
        Err(problem) if problem.is(ErrorCode::NotFound) => Ok(page(&visitor, lookup.code, None, false, Some(problem))),
        Err(problem) => Err(problem.into()),
    }
}

#[derive(Deserialize)]
pub(super) struct Form {
    code: String,
    key: String,
    #[serde(default)]
    amount: String,
}

/// `POST /redeem`
pub(super) async fn submit(visitor: Visitor, Fields(form): Fields<Form>) -> Result<Response, Failure> {
    if let Some(refused) = refuse(&visitor) {
        return Ok(refused);
    }
    let code = typed(&form.code);
    let voucher = find(&visitor, &code).await?;
    let amount: Option<i64> = form.amount.replace([',', ' '], "").parse().ok();
    let body = match (&voucher.balance, amount) {
        (Some(balance), Some(amount)) => json!({ "amount": Money::new(amount, balance.currency) }),
        _ => json!({}),
    };
    let path = format!("/vouchers/{code}/redeem");
    match visitor.ask::<Value>(Call::post(&path, &body).key(&form.key)).await {
        Ok(_) => Ok(redirect(&format!("/redeem{}", query(&[("code", &code), ("done", "yes")])))),
        Err(problem) if problem.status.is_server_error() || problem.status == StatusCode::UNAUTHORIZED => {
            Err(problem.into())
        }
        Err(problem) => Ok(page(&visitor, code, Some(voucher), false, Some(problem))),
    }
}

/// The page for who is logged in but no merchant.
fn refuse(visitor: &Visitor) -> Option<Response> {
    let stranger = visitor.is_signed_in() && !visitor.is_merchant();
    stranger.then(|| html(visitor, StatusCode::FORBIDDEN, &Refused { page: visitor }))
}

/// A code as people type it: with spaces, in any case.
fn typed(code: &str) -> String {
    code.chars().filter(|letter| !letter.is_whitespace()).collect()
}

async fn find(visitor: &Visitor, code: &str) -> Result<Voucher, Problem> {
    visitor.ask(Call::get(&format!("/vouchers/{}", segment(code)?))).await
}

fn page(visitor: &Visitor, code: String, voucher: Option<Voucher>, done: bool, problem: Option<Problem>) -> Response {
    let status = problem.as_ref().map_or(StatusCode::OK, |problem| problem.status);
    let refusal = problem.map(|problem| problem.message(visitor));
    html(visitor, status, &Page { page: visitor, code, voucher, done, refusal, key: visitor.new_key() })
}
