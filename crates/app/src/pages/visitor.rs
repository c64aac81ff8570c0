//! Who looks at a page: their language, their session, and what protects their forms. The middleware here runs around
//! every page: it renews tokens, refuses forms that did not come from us, and turns failures into pages.
//!
//! A form must carry the token of the visitor's cookie `fc_csrf` (a new one at each log-in), and the browser must not
//! say that another site sent it (`Sec-Fetch-Site`, else `Origin`).

use std::ops::Deref;
use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ports::random_bytes;
use serde::de::DeserializeOwned;
use subtle::ConstantTimeEq as _;

use super::Shop;
use super::api::{Call, Origin};
use super::cookies::{Cookie, Cookies, Lifetime};
use super::failure::{self, Failure};
use super::language::Language;
use super::problem::Problem;
use super::session::{self, Tokens};

/// The cookie with the token that every form must carry.
pub(super) const CSRF: &str = "fc_csrf";
/// Bytes that a form may have.
const MAX_FORM_BYTES: usize = 64 * 1024;

/// Who looks at a page. Cheap to clone; in templates it is `page`.
#[derive(Clone)]
pub(super) struct Visitor(Arc<Inner>);

/// What is known of a visitor.
pub(super) struct Inner {
    pub(super) shop: Arc<Shop>,
    pub(super) language: Language,
    pub(super) token: Option<String>,
    pub(super) csrf: String,
    /// Path and query of the page, for coming back to it.
    pub(super) path: String,
    pub(super) cookies: Cookies,
    /// Where to come back to after logging in: this page, or the one whose form was sent.
    pub(super) back: String,
    /// Scheme and host under which the browser knows us.
    base: String,
    origin: Origin,
    roles: Vec<String>,
}

impl Deref for Visitor {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Visitor {
    fn new(shop: &Arc<Shop>, parts: &Parts, token: Option<String>) -> Self {
        let cookies = Cookies::of(&parts.headers);
        let csrf = cookies.get(CSRF).filter(|token| is_token(token)).map_or_else(|| random_token(shop), str::to_owned);
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Self(Arc::new(Inner {
            back: if parts.method.is_safe() { path.clone() } else { referring_path(&parts.headers) },
            language: Language::of(&parts.headers, &cookies),
            roles: token.as_deref().map(roles_of).unwrap_or_default(),
            base: base(shop, &parts.headers),
            origin: Origin::of(parts),
            shop: Arc::clone(shop),
            token,
            csrf,
            path,
            cookies,
        }))
    }

    /// Whether someone is logged in, as far as the cookies tell.
    pub(super) fn is_signed_in(&self) -> bool {
        self.token.is_some()
    }

    /// Whether to show the seller's part of the shop. Only for show: the API decides.
    pub(super) fn is_seller(&self) -> bool {
        self.roles.iter().any(|role| role == "seller" || role == "operator")
    }

    /// Whether to show the till.
    pub(super) fn is_merchant(&self) -> bool {
        self.roles.iter().any(|role| role == "merchant")
    }

    /// Whether there are processes to show the state of.
    pub(super) fn has_processes(&self) -> bool {
        self.shop.options.processes
    }

    /// Asks the API on the visitor's behalf.
    pub(super) async fn ask<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T, Problem> {
        self.shop.api.ask(&self.origin, call.token(self.token.as_deref())).await
    }

    /// The same, with the status.
    pub(super) async fn ask_with_status<T: DeserializeOwned>(
        &self,
        call: Call<'_>,
    ) -> Result<(axum::http::StatusCode, T), Problem> {
        self.shop.api.ask_with_status(&self.origin, call.token(self.token.as_deref())).await
    }

    /// A stream of the API, on the visitor's behalf.
    pub(super) async fn stream(&self, call: Call<'_>) -> Result<Response, Problem> {
        self.shop.api.stream(&self.origin, call.token(self.token.as_deref())).await
    }

    /// A cookie for this visitor.
    pub(super) fn cookie(&self, name: &'static str, value: &str, lifetime: Lifetime) -> Cookie {
        Cookie { name, value: value.to_owned(), lifetime, secure: self.shop.options.secure_cookies() }
    }

    /// Begins a session: its tokens, and a new token for forms, so that one planted before is worth nothing.
    pub(super) fn begin_session(&self, tokens: &Tokens, response: &mut Response) {
        tokens.set_on(response, self.shop.options.secure_cookies());
        self.cookie(CSRF, &random_token(&self.shop), Lifetime::Browser).set_on(response);
    }

    /// Ends it.
    pub(super) fn end_session(&self, response: &mut Response) {
        session::forget(response, self.shop.options.secure_cookies());
        self.cookie(CSRF, "", Lifetime::Over).set_on(response);
    }

    /// A path of ours as others must call it.
    pub(super) fn absolute(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// A key that nobody used before.
    pub(super) fn new_key(&self) -> String {
        random_token(&self.shop)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visitor {
    type Rejection = Failure;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Failure::from(Problem::internal()))
    }
}

fn random_token(shop: &Shop) -> String {
    URL_SAFE_NO_PAD.encode(random_bytes::<24>(&*shop.options.random))
}

/// Whether a text could be one of [`random_token`], and so stand in a page as it is.
fn is_token(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// The roles that a token claims. Not verified: they only decide what is shown.
pub(super) fn roles_of(token: &str) -> Vec<String> {
    let claims = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let claims = claims.and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok()).unwrap_or_default();
    let roles = claims.get("roles").and_then(|roles| roles.as_array()).into_iter().flatten();
    roles.filter_map(|role| role.as_str()).map(str::to_owned).collect()
}

fn base(shop: &Shop, headers: &HeaderMap) -> String {
    if let Some(address) = &shop.options.public_url {
        return address.trim_end_matches('/').to_owned();
    }
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok());
    host.map(|host| format!("http://{host}")).unwrap_or_default()
}

/// The path of the page that sent a form, as far as the browser tells.
fn referring_path(headers: &HeaderMap) -> String {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let path = text(header::REFERER).and_then(|referer| {
        let (authority, path) = referer.split_once("://")?.1.split_once('/')?;
        (Some(authority) == text(header::HOST)).then(|| format!("/{path}"))
    });
    path.unwrap_or_else(|| "/".to_owned())
}

/// Runs around every page.
pub(super) async fn receive(State(shop): State<Arc<Shop>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_FORM_BYTES).await else {
        let visitor = Visitor::new(&shop, &parts, None);
        return failure::render(&visitor, &Problem::new(ErrorCode::BodyTooLarge).into());
    };
    let mut visit = Visit { shop, parts, body, next, renewed: None, over: false };
    let mut response = visit.answer().await;
    visit.set_cookies(&mut response);
    response
}

/// One request on its way through the middleware.
struct Visit {
    shop: Arc<Shop>,
    parts: Parts,
    body: Bytes,
    next: Next,
    renewed: Option<Tokens>,
    over: bool,
}

impl Visit {
    async fn answer(&mut self) -> Response {
        let cookies = Cookies::of(&self.parts.headers);
        let refresh = cookies.get(session::REFRESH);
        let mut token = cookies.get(session::ACCESS).map(str::to_owned);
        if let (None, Some(refresh)) = (&token, refresh) {
            token = match self.renew(refresh).await {
                Ok(token) => token,
                Err(problem) => return self.fail(&problem.into()),
            };
        }
        let response = self.run(token.clone()).await;
        if !failure::needs_login(&response) || self.renewed.is_some() {
            return response;
        }
        // The token was refused although the browser still had it: the session may have a newer one to give.
        match refresh {
            Some(refresh) if token.is_some() => match self.renew(refresh).await {
                Ok(Some(token)) => self.run(Some(token)).await,
                Ok(None) => response,
                Err(problem) => self.fail(&problem.into()),
            },
            _ => response,
        }
    }

    async fn renew(&mut self, refresh: &str) -> Result<Option<String>, Problem> {
        match session::renew(&self.shop, &Origin::of(&self.parts), refresh).await {
            Ok(tokens) => Ok(Some(self.renewed.insert(tokens).access_token.clone())),
            Err(problem) if session::is_over(&problem) => {
                self.over = true;
                Ok(None)
            }
            Err(problem) => Err(problem),
        }
    }

    fn fail(&self, failure: &Failure) -> Response {
        failure::render(&Visitor::new(&self.shop, &self.parts, None), failure)
    }

    /// Runs the page for a visitor with this token.
    async fn run(&self, token: Option<String>) -> Response {
        let visitor = Visitor::new(&self.shop, &self.parts, token);
        let safe = self.parts.method.is_safe();
        if !safe && !is_ours(&self.parts.headers, &visitor, &self.body) {
            return failure::render(&visitor, &Problem::new(ErrorCode::CsrfFailed).into());
        }
        let mut request = Request::from_parts(self.parts.clone(), Body::from(self.body.clone()));
        request.extensions_mut().insert(visitor.clone());
        let response = self.next.clone().run(request).await;
        failure::show(&visitor, response)
    }

    fn set_cookies(&self, response: &mut Response) {
        let secure = self.shop.options.secure_cookies();
        if sets(response, session::ACCESS) {
            // A new session has just begun.
        } else if self.over || failure::needs_login(response) {
            session::forget(response, secure);
        } else if let Some(tokens) = &self.renewed {
            tokens.set_on(response, secure);
        }
        // A page with forms has put the visitor's token into them; the browser learns it if it was new.
        if let Some(Csrf(token)) = response.extensions().get::<Csrf>().cloned()
            && !sets(response, CSRF)
            && Cookies::of(&self.parts.headers).get(CSRF) != Some(token.as_str())
        {
            Cookie { name: CSRF, value: token, lifetime: Lifetime::Browser, secure }.set_on(response);
        }
    }
}

/// Marks a response that carries forms with this token.
#[derive(Clone)]
pub(super) struct Csrf(pub(super) String);

fn sets(response: &Response, name: &str) -> bool {
    let mut lines = response.headers().get_all(header::SET_COOKIE).into_iter();
    lines.any(|line| line.to_str().is_ok_and(|line| line.split('=').next() == Some(name)))
}

/// Whether a form was sent by one of our own pages.
fn is_ours(headers: &HeaderMap, visitor: &Visitor, body: &[u8]) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let from_here = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => site == "same-origin" || site == "none",
        (None, Some(origin)) => {
            origin == visitor.base || origin.split_once("://").map(|(_, authority)| authority) == text("host")
        }
        (None, None) => true,
    };
    let sent = body.split(|byte| *byte == b'&').find_map(|pair| pair.strip_prefix(b"csrf=")).unwrap_or_default();
    let expected = visitor.cookies.get(CSRF).unwrap_or_default();
    from_here && is_token(expected) && bool::from(expected.as_bytes().ct_eq(sent))
}
