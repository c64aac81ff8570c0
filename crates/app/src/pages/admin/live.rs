//! A running sale as the seller watches and steers it.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::pages::api::{Call, segment};
use crate::pages::contract::{Live, Offer};
use crate::pages::failure::Failure;
use crate::pages::fields::{Fields, Parameters};
use crate::pages::problem::Problem;
use crate::pages::respond::{html, redirect};
use crate::pages::visitor::Visitor;

/// Why buyers are refused, in the order of the page.
const REASONS: [&str; 6] = ["sold_out", "over_limit", "too_many", "not_open_yet", "closed", "frozen"];
/// What a seller may do with an offer at once.
const ACTIONS: [&str; 4] = ["open", "close", "freeze", "unfreeze"];

#[derive(Template)]
#[template(path = "admin/live.html")]
struct Page<'a> {
    page: &'a Visitor,
    offer: Offer,
    live: Live,
    notice: Option<String>,
    refusal: Option<String>,
    key: String,
}

impl Page<'_> {
    fn reasons(&self) -> Vec<(&'static str, i64)> {
        REASONS.into_iter().map(|reason| (reason, self.live.refused.get(reason).copied().unwrap_or(0))).collect()
    }

    /// The lengths of sold, paying and held in a bar of this width.
    fn parts(&self, width: i64) -> [i64; 3] {
        let length = |units: i64| {
            if self.live.stock > 0 { units.clamp(0, self.live.stock) * width / self.live.stock } else { 0 }
        };
        let held = (self.live.held - self.live.paying).max(0);
        [length(self.live.sold), length(self.live.paying), length(held)]
    }
}

#[derive(Deserialize, Default)]
pub(super) struct Done {
    #[serde(default)]
    done: String,
}

/// `GET /admin/offers/{id}`
pub(super) async fn show(
    visitor: Visitor,
    Path(id): Path<String>,
    Parameters(Done { done }): Parameters<Done>,
) -> Result<Response, Failure> {
    let notice = visitor.language.find(&format!("admin-done-{done}"), &[]);
    render(&visitor, &id, notice, None).await
}

async fn render(
    visitor: &Visitor,
    id: &str,
    notice: Option<String>,
    problem: Option<Problem>,
) -> Result<Response, Failure> {
    let id = segment(id)?;
    let offer: Offer = visitor.ask(Call::get(&format!("/admin/offers/{id}"))).await?;
    let live = match visitor.ask::<Live>(Call::get(&format!("/admin/offers/{id}/live"))).await {
        // A draft is not in the ledger yet.
        Err(problem) if problem.status == StatusCode::NOT_FOUND => Live::before(&offer),
        live => live?,
    };
    let status = problem.as_ref().map_or(StatusCode::OK, |problem| problem.status);
    let refusal = problem.map(|problem| problem.message(visitor));
    let key = visitor.new_key();
    Ok(html(visitor, status, &Page { page: visitor, offer, live, notice, refusal, key }))
}

/// `POST /admin/offers/{id}/{action}`
pub(super) async fn act(visitor: Visitor, Path((id, action)): Path<(String, String)>) -> Result<Response, Failure> {
    if !ACTIONS.contains(&action.as_str()) {
        return Err(Problem::not_found().into());
    }
    let path = format!("/admin/offers/{}/{action}", segment(&id)?);
    let answer = visitor.ask::<Option<Value>>(Call::post_empty(&path)).await;
    after(&visitor, &id, &action, answer).await
}

#[derive(Deserialize)]
pub(super) struct Adjust {
    delta: i64,
    reason: String,
    key: String,
}

/// `POST /admin/offers/{id}/adjust`
pub(super) async fn adjust(
    visitor: Visitor,
    Path(id): Path<String>,
    Fields(form): Fields<Adjust>,
) -> Result<Response, Failure> {
    let path = format!("/admin/offers/{}/adjust", segment(&id)?);
    let body = json!({ "delta": form.delta, "reason": form.reason.trim() });
    let answer = visitor.ask::<Option<Value>>(Call::post(&path, &body).key(&form.key)).await;
    after(&visitor, &id, "adjust", answer).await
}

async fn after(
    visitor: &Visitor,
    id: &str,
    action: &str,
    answer: Result<Option<Value>, Problem>,
) -> Result<Response, Failure> {
    match answer {
        Ok(_) => Ok(redirect(&format!("/admin/offers/{id}?done={action}"))),
        Err(problem) if matches!(problem.status.as_u16(), 409 | 422) => render(visitor, id, None, Some(problem)).await,
        Err(problem) => Err(problem.into()),
    }
}
