//! The visitor's session: two tokens in cookies, renewed without the visitor noticing.
//!
//! A refresh token may be used once; a second use ends the session, because it looks like theft. A browser with several
//! tabs uses it several times at once, and a page that is left in mid-load loses the answer. So renewals of one token
//! are serialized here, run to their end even when nobody waits any more, and their answer is kept for a short grace
//! (one to two minutes): whoever comes with the old token meanwhile gets the same new ones. Only this process gives the
//! grace. A stolen old token is worth something for that long, and only to someone who also could have used the stolen
//! cookie itself a moment earlier.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use firstcome_core::codes::ErrorCode;
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::Shop;
use super::api::{Call, Origin};
use super::cookies::{Cookie, Lifetime};
use super::problem::Problem;

/// The cookie with the access token; the browser drops it when the token expires.
pub(super) const ACCESS: &str = "fc_access";
/// The cookie with the refresh token.
pub(super) const REFRESH: &str = "fc_refresh";
/// How long the browser keeps the refresh token; whether it still holds, the API says.
const REFRESH_FOR: Lifetime = Lifetime::Seconds(30 * 24 * 60 * 60);
/// The browser drops an access token a little before it expires, so that it does not expire on the way.
const EARLY_SECONDS: u64 = 5;
/// Half of the longest grace.
const GENERATION: Duration = Duration::from_secs(60);
/// Renewals remembered per generation; more come only from someone who makes tokens up.
const GENERATION_SIZE: usize = 65_536;

/// What log-in and renewal give.
#[derive(Clone, Deserialize)]
pub(super) struct Tokens {
    /// Goes with every call.
    pub(super) access_token: String,
    refresh_token: String,
    expires_in: u64,
}

impl Tokens {
    /// Gives them to the browser.
    pub(super) fn set_on(&self, response: &mut Response, secure: bool) {
        let age = Lifetime::Seconds(self.expires_in.saturating_sub(EARLY_SECONDS).max(1));
        Cookie { name: ACCESS, value: self.access_token.clone(), lifetime: age, secure }.set_on(response);
        Cookie { name: REFRESH, value: self.refresh_token.clone(), lifetime: REFRESH_FOR, secure }.set_on(response);
    }
}

/// Makes the browser forget its session.
pub(super) fn forget(response: &mut Response, secure: bool) {
    for name in [ACCESS, REFRESH] {
        Cookie { name, value: String::new(), lifetime: Lifetime::Over, secure }.set_on(response);
    }
}

type Renewal = Arc<OnceCell<Tokens>>;

/// Renewals under way and of the last minute or two, by digest of the old token.
#[derive(Default)]
pub(super) struct Renewals(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    began: Option<Instant>,
    current: HashMap<[u8; 32], Renewal>,
    previous: HashMap<[u8; 32], Renewal>,
}

impl Renewals {
    fn of(&self, refresh_token: &str) -> Renewal {
        let digest: [u8; 32] = Sha256::digest(refresh_token).into();
        let mut generations = self.0.lock();
        generations.turn(Instant::now());
        if let Some(renewal) = generations.previous.get(&digest) {
            return Arc::clone(renewal);
        }
        Arc::clone(generations.current.entry(digest).or_default())
    }
}

impl Generations {
    fn turn(&mut self, now: Instant) {
        let began = *self.began.get_or_insert(now);
        let age = now.saturating_duration_since(began);
        if age >= GENERATION * 2 {
            self.current.clear();
        }
        if age >= GENERATION || self.current.len() >= GENERATION_SIZE {
            self.previous = std::mem::take(&mut self.current);
            self.began = Some(now);
        }
    }
}

/// New tokens for an old refresh token. `invalid_refresh_token`: the session is over; anything else: nobody knows yet.
pub(super) async fn renew(shop: &Arc<Shop>, origin: &Origin, refresh_token: &str) -> Result<Tokens, Problem> {
    let renewal = shop.renewals.of(refresh_token);
    let (shop, origin, old) = (Arc::clone(shop), origin.clone(), refresh_token.to_owned());
    // A task of its own: a browser that goes away must not take the answer with it.
    let task = tokio::spawn(async move {
        let ask = || async {
            let call = Call::post("/auth/refresh", &json!({ "refresh_token": old }));
            shop.api.ask::<Tokens>(&origin, call).await
        };
        renewal.get_or_try_init(ask).await.cloned()
    });
    task.await.unwrap_or_else(|_| Err(Problem::internal()))
}

/// Whether the session is over, rather than out of reach.
pub(super) fn is_over(problem: &Problem) -> bool {
    problem.is(ErrorCode::InvalidRefreshToken)
        || problem.is(ErrorCode::Unauthenticated)
        || problem.is(ErrorCode::InvalidBody)
}
