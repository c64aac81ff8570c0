//! A new password for one that was forgotten: the e-mail, then the code that was sent to it together with the password.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::Call;
use super::cookies::{Lifetime, decode, encode};
use super::failure::Failure;
use super::fields::Fields;
use super::login;
use super::problem::Problem;
use super::respond::{html, redirect};
use super::visitor::Visitor;
use crate::http::escape;

/// The cookie with the e-mail.
const EMAIL: &str = "fc_forgot";
/// How long it is kept.
const PATIENCE: Lifetime = Lifetime::Seconds(15 * 60);

#[derive(Template)]
#[template(path = "forgot.html")]
struct Page<'a> {
    page: &'a Visitor,
    /// The address that the code went to, once it did.
    sent_to: Option<String>,
    email: &'a str,
    refusal: Option<String>,
}

impl Page<'_> {
    fn mailbox(&self) -> Option<String> {
        let sent_to = self.sent_to.as_ref().filter(|_| self.page.shop.options.mailbox)?;
        Some(format!("/dev/mailbox?to={}", escape(sent_to)))
    }

    fn refused(mut self, problem: Problem) -> Result<Response, Failure> {
        if problem.status.is_server_error() {
            return Err(problem.into());
        }
        self.refusal = Some(problem.message(self.page));
        Ok(html(self.page, problem.status, &self))
    }
}

/// `GET /forgot`
pub(super) async fn email(visitor: Visitor) -> Response {
    html(&visitor, StatusCode::OK, &Page { page: &visitor, sent_to: None, email: "", refusal: None })
}

#[derive(Deserialize)]
pub(super) struct Email {
    email: String,
}

/// `POST /forgot`: sends the code, if the address has an account; also once more.
pub(super) async fn send_code(visitor: Visitor, Fields(form): Fields<Email>) -> Result<Response, Failure> {
    let email = form.email.trim();
    match visitor.ask::<Option<Value>>(Call::post("/auth/password-reset", &json!({ "email": email }))).await {
        Ok(_) => {
            let mut response = redirect("/forgot/code");
            visitor.cookie(EMAIL, &encode(email), PATIENCE).set_on(&mut response);
            Ok(response)
        }
        Err(problem) => Page { page: &visitor, sent_to: None, email, refusal: None }.refused(problem),
    }
}

/// `GET /forgot/code`
pub(super) async fn code(visitor: Visitor) -> Response {
    match known_email(&visitor) {
        None => redirect("/forgot"),
        sent_to => html(&visitor, StatusCode::OK, &Page { page: &visitor, sent_to, email: "", refusal: None }),
    }
}

#[derive(Deserialize)]
pub(super) struct New {
    code: String,
    password: String,
}

/// `POST /forgot/code`: sets the password and logs in.
pub(super) async fn set(visitor: Visitor, Fields(form): Fields<New>) -> Result<Response, Failure> {
    let Some(email) = known_email(&visitor) else { return Ok(redirect("/forgot")) };
    let code: String = form.code.chars().filter(char::is_ascii_digit).collect();
    let body = json!({ "email": email, "code": code, "password": form.password });
    match visitor.ask::<Option<Value>>(Call::post("/auth/password-reset/confirm", &body)).await {
        Ok(_) => {
            let mut response = login::begin_with_new(&visitor, &email, &form.password, None).await;
            visitor.cookie(EMAIL, "", Lifetime::Over).set_on(&mut response);
            Ok(response)
        }
        Err(problem) => Page { page: &visitor, sent_to: Some(email), email: "", refusal: None }.refused(problem),
    }
}

fn known_email(visitor: &Visitor) -> Option<String> {
    visitor.cookies.get(EMAIL).and_then(decode)
}
