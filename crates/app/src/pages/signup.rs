//! Signing up in three steps: the e-mail, the code that was sent to it, the account. What is known after each step waits
//! in cookies for a quarter of an hour, so that every step can be reloaded and gone back to.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::api::{Call, query};
use super::cookies::{Lifetime, decode, encode};
use super::failure::Failure;
use super::fields::{Fields, Parameters, filled};
use super::login;
use super::problem::Problem;
use super::respond::{html, local_path, redirect};
use super::visitor::Visitor;
use crate::http::escape;

/// The cookie with the e-mail.
const EMAIL: &str = "fc_email";
/// The cookie with the proof that the e-mail is the visitor's.
const VERIFIED: &str = "fc_verified";
/// How long both are kept.
const PATIENCE: Lifetime = Lifetime::Seconds(15 * 60);

#[derive(Template)]
#[template(path = "signup.html")]
struct Page<'a> {
    page: &'a Visitor,
    step: u8,
    email: String,
    next: String,
    name: String,
    phone: String,
    address: String,
    asked: Vec<Asked>,
    problem: Option<Problem>,
}

/// Something that the visitor is asked to agree to.
#[derive(Deserialize)]
struct Asked {
    what: String,
    version: String,
    required: bool,
}

#[derive(Deserialize)]
struct AllAsked {
    items: Vec<Asked>,
}

impl<'a> Page<'a> {
    fn step(page: &'a Visitor, step: u8, next: Option<&str>) -> Self {
        let email = known_email(page).unwrap_or_default();
        let next = local_path(next).unwrap_or_default().to_owned();
        Self {
            page,
            step,
            email,
            next,
            name: String::new(),
            phone: String::new(),
            address: String::new(),
            asked: Vec::new(),
            problem: None,
        }
    }

    fn answer(&self) -> Response {
        let status = self.problem.as_ref().map_or(StatusCode::OK, |problem| problem.status);
        html(self.page, status, self)
    }

    fn refused(mut self, problem: Problem) -> Result<Response, Failure> {
        if problem.status.is_server_error() {
            return Err(problem.into());
        }
        self.problem = Some(problem);
        Ok(self.answer())
    }

    fn message(&self) -> Option<String> {
        self.problem.as_ref().map(|problem| problem.message(self.page))
    }

    fn blames(&self, field: &str) -> bool {
        self.problem.as_ref().is_some_and(|problem| problem.blames(field))
    }

    fn mailbox(&self) -> Option<String> {
        self.page.shop.options.mailbox.then(|| format!("/dev/mailbox?to={}", escape(&self.email)))
    }
}

#[derive(Deserialize)]
pub(super) struct Next {
    next: Option<String>,
}

fn known_email(visitor: &Visitor) -> Option<String> {
    visitor.cookies.get(EMAIL).and_then(decode)
}

fn to_step(path: &str, next: Option<&str>) -> Response {
    redirect(&format!("{path}{}", query(&[("next", local_path(next).unwrap_or_default())])))
}

/// `GET /signup`
pub(super) async fn email(visitor: Visitor, Parameters(Next { next }): Parameters<Next>) -> Response {
    Page::step(&visitor, 1, next.as_deref()).answer()
}

#[derive(Deserialize)]
pub(super) struct Email {
    email: String,
    next: Option<String>,
}

/// `POST /signup`: sends the code, also once more.
pub(super) async fn send_code(visitor: Visitor, Fields(form): Fields<Email>) -> Result<Response, Failure> {
    let email = form.email.trim();
    match visitor.ask::<Option<Value>>(Call::post("/auth/email-codes", &json!({ "email": email }))).await {
        Ok(_) => {
            let mut response = to_step("/signup/code", form.next.as_deref());
            visitor.cookie(EMAIL, &encode(email), PATIENCE).set_on(&mut response);
            Ok(response)
        }
        Err(problem) => {
            Page { email: email.to_owned(), ..Page::step(&visitor, 1, form.next.as_deref()) }.refused(problem)
        }
    }
}

/// `GET /signup/code`
pub(super) async fn code(visitor: Visitor, Parameters(Next { next }): Parameters<Next>) -> Response {
    match known_email(&visitor) {
        Some(_) => Page::step(&visitor, 2, next.as_deref()).answer(),
        None => to_step("/signup", next.as_deref()),
    }
}

#[derive(Deserialize)]
pub(super) struct Code {
    code: String,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Verified {
    verification_token: String,
}

/// `POST /signup/code`
pub(super) async fn check_code(visitor: Visitor, Fields(form): Fields<Code>) -> Result<Response, Failure> {
    let next = form.next.as_deref();
    let Some(email) = known_email(&visitor) else { return Ok(to_step("/signup", next)) };
    let digits: String = form.code.chars().filter(char::is_ascii_digit).collect();
    let call = Call::post("/auth/email-codes/verify", &json!({ "email": email, "code": digits }));
    match visitor.ask::<Verified>(call).await {
        Ok(verified) => {
            let mut response = to_step("/signup/details", next);
            visitor.cookie(VERIFIED, &encode(&verified.verification_token), PATIENCE).set_on(&mut response);
            Ok(response)
        }
        Err(problem) => Page::step(&visitor, 2, next).refused(problem),
    }
}

/// `GET /signup/details`
pub(super) async fn details(
    visitor: Visitor,
    Parameters(Next { next }): Parameters<Next>,
) -> Result<Response, Failure> {
    match visitor.cookies.get(VERIFIED) {
        Some(_) => Ok(Page { asked: asked(&visitor).await?, ..Page::step(&visitor, 3, next.as_deref()) }.answer()),
        None => Ok(to_step("/signup", next.as_deref())),
    }
}

async fn asked(visitor: &Visitor) -> Result<Vec<Asked>, Problem> {
    Ok(visitor.ask::<AllAsked>(Call::get("/auth/consents")).await?.items)
}

#[derive(Deserialize)]
pub(super) struct Details {
    name: String,
    password: String,
    #[serde(default)]
    phone: String,
    #[serde(default)]
    address: String,
    terms: Option<String>,
    privacy: Option<String>,
    advertising: Option<String>,
    advertising_at_night: Option<String>,
    next: Option<String>,
}

impl Details {
    /// What the visitor has ticked; none when that is nothing.
    fn consents(&self) -> Option<Value> {
        let mut given = Map::new();
        for (name, version) in [("terms", &self.terms), ("privacy", &self.privacy)] {
            given.extend(version.as_ref().map(|version| (name.to_owned(), json!(version))));
        }
        let ticked = [("advertising", &self.advertising), ("advertising_at_night", &self.advertising_at_night)];
        given.extend(
            ticked.into_iter().filter(|(_, tick)| tick.is_some()).map(|(name, _)| (name.to_owned(), json!(true))),
        );
        (!given.is_empty()).then_some(Value::Object(given))
    }
}

/// `POST /signup/details`: makes the account and logs in.
pub(super) async fn create(visitor: Visitor, Fields(form): Fields<Details>) -> Result<Response, Failure> {
    let token = visitor.cookies.get(VERIFIED).and_then(decode);
    let (Some(email), Some(token)) = (known_email(&visitor), token) else {
        return Ok(to_step("/signup", form.next.as_deref()));
    };
    let mut body = json!({
        "email": email, "password": form.password, "name": form.name.trim(), "verification_token": token,
    });
    for (name, text) in [("phone", &form.phone), ("address", &form.address)] {
        if let Some(text) = filled(text) {
            body[name] = json!(text);
        }
    }
    if let Some(consents) = form.consents() {
        body["consents"] = consents;
    }
    if let Err(problem) = visitor.ask::<Value>(Call::post("/auth/signup", &body)).await {
        let asked = asked(&visitor).await?;
        let Details { name, phone, address, next, .. } = form;
        return Page { name, phone, address, asked, ..Page::step(&visitor, 3, next.as_deref()) }.refused(problem);
    }
    let mut response = login::begin_with_new(&visitor, &email, &form.password, form.next.as_deref()).await;
    for name in [EMAIL, VERIFIED] {
        visitor.cookie(name, "", Lifetime::Over).set_on(&mut response);
    }
    Ok(response)
}
