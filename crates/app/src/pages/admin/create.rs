//! A new sale: the product and its first offer, in one form.
//!
//! Two calls of the API. When the second is refused, the product is there already; the form remembers it, so that
//! sending it again makes the offer only.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use firstcome_core::money::{Currency, Money};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::pages::api::Call;
use crate::pages::failure::Failure;
use crate::pages::fields::{Fields, filled};
use crate::pages::home::KINDS;
use crate::pages::problem::Problem;
use crate::pages::respond::{html, redirect};
use crate::pages::visitor::Visitor;

/// The form as it was filled in: texts, so that it can be shown again as it was.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Form {
    /// The product, when it exists already.
    product_id: String,
    kind: String,
    name: String,
    description: String,
    image_url: String,
    face_value: String,
    valid_for_days: String,
    visit_date: String,
    discount_percent: String,
    discount_amount: String,
    price: String,
    stock: String,
    opens_at: String,
    closes_at: String,
    limit_per_person: String,
    max_per_order: String,
    hold_minutes: String,
    draft: String,
}

#[derive(Template)]
#[template(path = "admin/create.html")]
struct Page<'a> {
    page: &'a Visitor,
    form: Form,
    kinds: [&'static str; 4],
    problem: Option<Problem>,
}

impl Page<'_> {
    fn is_kind(&self, kind: &str) -> bool {
        self.form.kind == kind
    }

    fn blames(&self, field: &str) -> bool {
        self.problem.as_ref().is_some_and(|problem| problem.blames(field))
    }

    fn refusal(&self) -> Option<String> {
        self.problem.as_ref().map(|problem| problem.message(self.page))
    }
}

/// `GET /admin/offers/new`
pub(super) async fn show(visitor: Visitor) -> Response {
    let form = Form { kind: KINDS[0].to_owned(), hold_minutes: "15".to_owned(), ..Form::default() };
    page(&visitor, form, None)
}

fn page(visitor: &Visitor, form: Form, problem: Option<Problem>) -> Response {
    let status = problem.as_ref().map_or(StatusCode::OK, |problem| problem.status);
    html(visitor, status, &Page { page: visitor, form, kinds: KINDS, problem })
}

/// `POST /admin/offers/new`
pub(super) async fn submit(visitor: Visitor, Fields(mut form): Fields<Form>) -> Result<Response, Failure> {
    match create(&visitor, &mut form).await {
        Ok(offer) => Ok(redirect(&format!("/admin/offers/{offer}?done=created"))),
        Err(problem) if matches!(problem.status.as_u16(), 409 | 422) => Ok(page(&visitor, form, Some(problem))),
        Err(problem) => Err(problem.into()),
    }
}

#[derive(Deserialize)]
struct CreatedProduct {
    product_id: String,
}

#[derive(Deserialize)]
struct CreatedOffer {
    offer_id: String,
}

async fn create(visitor: &Visitor, form: &mut Form) -> Result<String, Problem> {
    // Read before anything is made, so that a slip in the offer's part is told before the product exists.
    let mut offer = form.offer(&visitor.shop.options.time_zone)?;
    if form.product_id.is_empty() {
        let product = form.product()?;
        form.product_id = visitor.ask::<CreatedProduct>(Call::post("/admin/products", &product)).await?.product_id;
    }
    offer["product_id"] = json!(form.product_id);
    Ok(visitor.ask::<CreatedOffer>(Call::post("/admin/offers", &offer)).await?.offer_id)
}

impl Form {
    fn product(&self) -> Result<Value, Problem> {
        let mut product = json!({ "kind": self.kind, "name": self.name.trim() });
        for (name, text) in [("description", &self.description), ("image_url", &self.image_url)] {
            if let Some(text) = filled(text) {
                product[name] = json!(text);
            }
        }
        if self.kind != "goods" {
            set(&mut product, "valid_for_days", number("valid_for_days", &self.valid_for_days)?);
        }
        match self.kind.as_str() {
            "gift_card" => set(&mut product, "face_value", number("face_value", &self.face_value)?.map(won)),
            "ticket" => set(&mut product, "visit_date", filled(&self.visit_date)),
            "coupon" => set(&mut product, "discount", self.discount()?),
            _ => {}
        }
        Ok(product)
    }

    fn discount(&self) -> Result<Option<Value>, Problem> {
        let amount = number("discount", &self.discount_amount)?;
        Ok(match number("discount", &self.discount_percent)? {
            Some(percent) => Some(match amount {
                Some(most) => json!({ "percent": percent, "max_amount": most }),
                None => json!({ "percent": percent }),
            }),
            None => amount.map(|amount| json!(won(amount))),
        })
    }

    fn offer(&self, zone: &TimeZone) -> Result<Value, Problem> {
        let mut offer = json!({});
        set(&mut offer, "price", number("price", &self.price)?.map(won));
        set(&mut offer, "stock", number("stock", &self.stock)?);
        set(&mut offer, "opens_at", moment("opens_at", &self.opens_at, zone)?);
        set(&mut offer, "closes_at", moment("closes_at", &self.closes_at, zone)?);
        set(&mut offer, "limit_per_person", number("limit_per_person", &self.limit_per_person)?);
        set(&mut offer, "max_per_order", number("max_per_order", &self.max_per_order)?);
        let minutes = number("hold_for_seconds", &self.hold_minutes)?;
        set(&mut offer, "hold_for_seconds", minutes.map(|minutes| minutes.saturating_mul(60)));
        if !self.draft.is_empty() {
            offer["draft"] = json!(true);
        }
        Ok(offer)
    }
}

/// Leaves out what was left empty: the API has its own defaults.
fn set(body: &mut Value, name: &str, value: Option<impl serde::Serialize>) {
    if let Some(value) = value {
        body[name] = json!(value);
    }
}

fn won(amount: i64) -> Money {
    Money::new(amount, Currency::KRW)
}

/// A number as people type it, with its thousands apart.
fn number(field: &str, text: &str) -> Result<Option<i64>, Problem> {
    let digits = text.replace([',', ' '], "");
    match filled(&digits) {
        None => Ok(None),
        Some(digits) => digits.parse().map(Some).map_err(|_| Problem::field(field)),
    }
}

/// A moment as the browser's form gives it, in the shop's time zone.
fn moment(field: &str, text: &str, zone: &TimeZone) -> Result<Option<String>, Problem> {
    let Some(text) = filled(text) else { return Ok(None) };
    let local: DateTime = text.parse().map_err(|_| Problem::field(field))?;
    let at = local.to_zoned(zone.clone()).map_err(|_| Problem::field(field))?;
    Ok(Some(at.timestamp().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_the_shops() {
        let seoul = TimeZone::get("Asia/Seoul").expect("known");
        let at = moment("opens_at", "2026-11-20T18:00", &seoul).expect("readable");
        assert_eq!(at.as_deref(), Some("2026-11-20T09:00:00Z"));
        assert!(moment("opens_at", "tomorrow", &seoul).is_err());
    }

    #[test]
    fn what_is_left_empty_is_left_out() {
        let form =
            Form { kind: "coupon".into(), name: " A ".into(), discount_amount: "3,000".into(), ..Form::default() };
        let product = form.product().expect("readable");
        assert_eq!(
            product,
            json!({ "kind": "coupon", "name": "A", "discount": { "amount": 3000, "currency": "KRW" } })
        );
    }
}
