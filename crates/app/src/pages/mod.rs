//! The shop's pages: a client of our own HTTP API that happens to run in the same process.
//!
//! Pages know only the contract of `/api/v1`: every handler calls it with the visitor's token through [`api::Api`] and
//! renders what comes back. They own no data; what makes a visitor a visitor (tokens, language, protection of forms)
//! lives in the visitor's cookies, see [`visitor`] and [`session`].

mod admin;
mod api;
mod assets;
mod buy;
mod checkout;
mod conditions;
mod contract;
mod cookies;
mod devices;
mod failure;
mod fields;
mod forgot;
mod format;
mod home;
mod language;
mod login;
mod markup;
mod offer;
mod orders;
mod problem;
mod redeem;
mod respond;
mod session;
mod shipping;
mod signup;
mod streams;
#[cfg(test)]
mod tests;
mod visitor;
mod vouchers;

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler as _;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use firstcome_core::codes::ErrorCode;
use firstcome_core::ports::{Clock, Random};
use jiff::tz::TimeZone;

/// What differs between one shop and the next.
#[derive(Clone)]
pub struct PagesOptions {
    /// The address that visitors see, for example `https://tickets.example.com`; none: whatever they asked for. Cookies
    /// are sent over HTTPS only if it begins so.
    pub public_url: Option<String>,
    /// The page on which a buyer pays, with the parameters of the Toss widget.
    pub checkout_url: String,
    /// Whether `/dev/mailbox` exists, so that the sign-up page may point to it.
    pub mailbox: bool,
    /// Whether roles run as processes of their own, whose state the seller sees.
    pub processes: bool,
    /// The shop's time zone, in which people read and enter times.
    pub time_zone: TimeZone,
    /// Whose year need not be said.
    pub clock: Arc<dyn Clock>,
    /// Where tokens of forms and keys of orders come from.
    pub random: Arc<dyn Random>,
}

impl PagesOptions {
    /// Whether cookies are sent over HTTPS only.
    fn secure_cookies(&self) -> bool {
        self.public_url.as_ref().is_some_and(|address| address.starts_with("https://"))
    }
}

/// What every handler shares.
struct Shop {
    api: api::Api,
    options: PagesOptions,
    renewals: session::Renewals,
}

/// The pages, over the API that `api` serves under `/api/v1`. Has a fallback of its own: the page for "not found".
pub fn router(api: Router, options: PagesOptions) -> Router {
    let shop = Arc::new(Shop { api: api::Api::new(api), options, renewals: session::Renewals::default() });
    let for_programs = |code| from_fn_with_state(code, failure::for_programs);
    let visited = from_fn_with_state(Arc::clone(&shop), visitor::receive);
    Router::new()
        .merge(shopping())
        .merge(account())
        .nest("/admin", admin::routes())
        .layer(visited.clone())
        .route("/assets/{version}/{file}", get(assets::serve))
        .route("/favicon.ico", get(assets::icon))
        .fallback(failure::not_found.layer(visited.clone()).layer(for_programs(ErrorCode::NotFound)))
        .method_not_allowed_fallback(
            failure::wrong_method.layer(visited).layer(for_programs(ErrorCode::MethodNotAllowed)),
        )
        .layer(axum::middleware::map_response(respond::protect))
        .with_state(shop)
}

fn shopping() -> Router<Arc<Shop>> {
    Router::new()
        .route("/", get(home::show))
        .route("/offers/{id}", get(offer::show))
        .route("/offers/{id}/stream", get(streams::stock))
        .route("/offers/{id}/buy", post(buy::submit))
        .route("/orders", get(orders::list))
        .route("/orders/{id}", get(orders::show))
        .route("/orders/{id}/panel", get(orders::panel))
        .route("/orders/{id}/stream", get(streams::order))
        .route("/orders/{id}/pay", get(checkout::begin))
        .route("/orders/{id}/cancel", post(orders::cancel))
        .route("/checkout/success", get(checkout::success))
        .route("/checkout/fail", get(checkout::fail))
        .route("/vouchers", get(vouchers::list))
        .route("/vouchers/{code}", get(vouchers::show))
        .route("/redeem", get(redeem::show).post(redeem::submit))
}

fn account() -> Router<Arc<Shop>> {
    Router::new()
        .route("/signup", get(signup::email).post(signup::send_code))
        .route("/signup/code", get(signup::code).post(signup::check_code))
        .route("/signup/details", get(signup::details).post(signup::create))
        .route("/login", get(login::show).post(login::submit))
        .route("/forgot", get(forgot::email).post(forgot::send_code))
        .route("/forgot/code", get(forgot::code).post(forgot::set))
        .route("/logout", post(login::out))
        .route("/account", get(devices::show))
        .route("/account/logout-all", post(devices::end_all))
        .route("/account/sessions/{id}/end", post(devices::end_one))
        .route("/language", post(language::switch))
}
