//! The gateway's checks, in front of every route: who calls, whether they still may, and how often.
//!
//! - `Authorization: Bearer <token>` is verified once and remembered by the token's hash until it expires. A token that
//!   does not hold, or whose session ended, is 401 on every route, also where none is needed: a client that sends one
//!   means to be known. Only under `/api/v1/auth/`, where one gets a new token, it is as none. Other schemes (the
//!   sandbox's Basic) are left to the route.
//! - Pages, which are everything outside `/api/`, may send the token as the cookie [`ACCESS_COOKIE`]. There one that
//!   does not hold is nobody's, so that the page can ask to log in. The API never reads cookies, so no other site can
//!   use it in a visitor's name.
//! - A known caller is limited by their account; everything else, the first check of a token included, by the address.
//! - Among several processes every token is 503 while nobody says who was logged out within the last second: neither
//!   the topic nor the marks nor the accounts themselves ([`asking`]).
//! - An event stream of a known caller ends within a second after their session was revoked, and when their token
//!   expires. Clients connect again with a newer token.
//! - An unknown path is a problem 404, a wrong method a problem 405 with `Allow`.
//!
//! What is personal is never cached by anyone in between: `Cache-Control: no-store`.

mod answers;
mod asking;
mod callers;
mod follower;
pub mod forward;
mod freshness;
mod limits;
mod marks;
mod metrics;
mod service;
mod shared;
mod streams;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use firstcome_core::ports::{Clock, EventLog, SharedLimits};

pub(crate) use answers::with_problems;
pub use asking::EndedSessions;
pub use limits::Rate;
pub use service::Protected;

use crate::http::Revocations;
use crate::role::Worker;
use crate::secrets::Keys;
use callers::Callers;
use limits::Limits;

/// The cookie that pages keep the access token in.
pub const ACCESS_COOKIE: &str = "fc_access";

/// What is for programs: problem documents, and no cookies.
const API: &str = "/api/";

/// What the gateway is told.
#[derive(Debug, Clone)]
pub struct Options {
    /// Requests of one account.
    pub per_user: Rate,
    /// Requests of one address by nobody known: without a token, or with one that is seen for the first time.
    pub per_address: Rate,
    /// Verified tokens that are remembered; about 100 bytes each.
    pub remembered_tokens: usize,
    /// How many proxies in front are ours and add to `X-Forwarded-For`; 0 when clients connect directly.
    pub trusted_proxies: usize,
    /// Loopback is not limited by address, and tokens of load tools are not limited at all.
    pub development: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            per_user: Rate { per_second: 100, burst: 400 },
            per_address: Rate { per_second: 200, burst: 1_000 },
            remembered_tokens: 200_000,
            trusted_proxies: 0,
            development: false,
        }
    }
}

/// What the gateway needs.
pub struct Ports {
    /// The keys, of which the gateway uses those that check tokens.
    pub keys: Arc<Keys>,
    /// The revoked sessions, shared with the accounts role of the same process.
    pub revocations: Arc<Revocations>,
    /// Where log-outs in other processes are read.
    pub events: Arc<dyn EventLog>,
    /// Who is asked for them when they cannot be read, where there are other processes.
    pub accounts: Option<Arc<dyn EndedSessions>>,
    /// Limits that are shared with other gateways, if there are any.
    pub limits: Option<Arc<dyn SharedLimits>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// The gateway of one process.
pub struct Gateway {
    options: Options,
    ports: Ports,
    callers: Callers,
    limits: Limits,
    follower: follower::Follower,
    marks: marks::Marks,
    /// What the accounts said.
    asked: freshness::Freshness,
}

/// A gateway. Until its worker has read who was logged out it answers every token with 503.
pub fn create(options: Options, ports: Ports) -> Arc<Gateway> {
    let callers = Callers::new(options.remembered_tokens);
    let limits = Limits::new(&options, ports.limits.clone());
    Arc::new(Gateway {
        options,
        ports,
        callers,
        limits,
        follower: follower::Follower::default(),
        marks: marks::Marks::default(),
        asked: freshness::Freshness::default(),
    })
}

impl Gateway {
    /// Puts the gateway in front of all routes. The router must be complete: routes that are added later miss the
    /// problem documents for unknown paths and wrong methods.
    pub fn protect(self: &Arc<Self>, router: Router) -> Protected<Router> {
        Protected::new(Arc::clone(self), answers::with_problems(router))
    }

    /// Puts the gateway in front of a router that answers unknown paths itself, as one that [forwards](forward::Forward)
    /// does.
    pub fn protect_whole(self: &Arc<Self>, router: Router) -> Protected<Router> {
        Protected::new(Arc::clone(self), answers::with_methods(router))
    }

    /// What the gateway does besides answering: follows log-outs and forgets idle limits.
    pub fn workers(self: &Arc<Self>) -> Vec<Worker> {
        vec![
            follower::worker(Arc::clone(self)),
            marks::worker(Arc::clone(self)),
            asking::worker(Arc::clone(self)),
            limits::worker(Arc::clone(self)),
            shared::worker(Arc::clone(self)),
        ]
    }
}
