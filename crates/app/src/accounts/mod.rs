//! The role `accounts`: who someone is. Sign-up by e-mailed code, log-in, devices, personal data.
//!
//! - Personal data is encrypted at rest; an e-mail address is found by a keyed hash of it. Events name people by id only.
//! - Passwords are hashed (argon2id) by a few threads of low priority with a short queue: a flood of log-ins is refused
//!   and does not take the processor from those who buy.
//! - A refresh token works once. One that comes a second time was stolen, by whoever sent it first or second: its
//!   session ends.
//! - Beside the password an account may have a second factor; every way to a session goes through it.
//! - A log-out is effective in this process before it is answered, and in others within a second: by the mark that is made
//!   at once (again and again until somebody takes it), by `session.revoked`, or because they ask.

pub mod admin;
mod agent;
mod attempts;
mod codes;
mod consents;
mod email_codes;
mod email_codes_verify;
mod ended;
mod endings;
mod granted;
mod identity;
mod login;
mod logout;
mod logout_all;
mod mailbox;
mod mailings;
mod marks;
mod me;
mod me_change;
mod me_delete;
mod origin;
mod password_change;
mod password_reset;
mod password_reset_confirm;
mod passwords;
mod people;
mod records;
mod refresh;
mod resealer;
mod second_factor;
mod sessions;
mod sessions_end;
mod sessions_list;
mod signup;
mod staff;
mod steps;
mod sweeper;
#[cfg(test)]
mod testing;
mod tokens;
mod totp;
mod wording;
mod written_to;

use std::sync::Arc;
use std::time::Duration;

use axum::routing::get;
use firstcome_core::ports::{Clock, EventLog, Mailer, PortError, Random, Records, RoleName};
use firstcome_core::records::{Record, Table};
use firstcome_core::step::Unwritten;
use prometheus_client::registry::Registry;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use consents::Versions;
pub use identity::{IdentityChecks, InvalidPortOneOptions, PortOne, PortOneOptions};
pub use mailbox::DevMailbox;
pub use mailings::{Advertising, Sender};
pub use passwords::PasswordOptions;
pub use people::EmailAddress;

use crate::actions::{Action, ActionHead};
use crate::consumer::DeadLetter;
use crate::http::{ENDED_SESSIONS, Revocations};
use crate::letters::Letters;
use crate::mails::{self, Mails, QueuedMail};
use crate::role::Role;
use crate::secrets::{self, KeyCheck, Keys, Sealed as _, SealedTables};
use attempts::Attempts;
use consents::{ConsentEntry, ConsentState};
use identity::{Identified, IdentityCheck};
use mailings::Mailing;
use passwords::Passwords;
use records::{Address, EmailCode, Erasure, Session, User};
use second_factor::SecondFactor;
use steps::SoldName;

/// The tables of the role's database.
pub const TABLES: &[&Table] = &[
    User::TABLE,
    Address::TABLE,
    Erasure::TABLE,
    Session::TABLE,
    EmailCode::TABLE,
    SecondFactor::TABLE,
    ConsentState::TABLE,
    ConsentEntry::TABLE,
    Mailing::TABLE,
    IdentityCheck::TABLE,
    Identified::TABLE,
    QueuedMail::TABLE,
    SoldName::TABLE,
    KeyCheck::TABLE,
    DeadLetter::TABLE,
    Action::TABLE,
    ActionHead::TABLE,
];

/// Which of them have sealed columns, and which column says by what key.
pub const SEALED: SealedTables = &[
    (User::TABLE, User::KEY),
    (Address::TABLE, Address::KEY),
    (Session::TABLE, Session::KEY),
    (SecondFactor::TABLE, SecondFactor::KEY),
    (QueuedMail::TABLE, QueuedMail::KEY),
    (KeyCheck::TABLE, KeyCheck::KEY),
];

/// What the role is told.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long an access token holds.
    pub access_token_lifetime: Duration,
    /// How long a device stays logged in without coming back.
    pub session_lifetime: Duration,
    /// How long an e-mailed code can be entered.
    pub code_lifetime: Duration,
    /// Wrong tries that end a code.
    pub code_tries: u8,
    /// Codes that are sent to one e-mail address within [`Options::code_window`].
    pub codes_per_email: u32,
    /// Codes that one client address may ask for within [`Options::code_window`]; loopback is free in development.
    pub codes_per_address: u32,
    /// See [`Options::codes_per_email`].
    pub code_window: Duration,
    /// How long after a right code one can sign up.
    pub verification_lifetime: Duration,
    /// How passwords are hashed.
    pub passwords: PasswordOptions,
    /// Sellers and operators sell and operate nothing without a second factor.
    pub second_factor_of_staff: bool,
    /// What people agree to.
    pub consents: Versions,
    /// How advertising is sent.
    pub advertising: Advertising,
    /// How it is checked who people are.
    pub identity: IdentityChecks,
    /// Loopback is not limited by address.
    pub development: bool,
    /// What buyers are not written about.
    pub unwritten: Unwritten,
    /// The address of the shop, as buyers see it, for links.
    pub public_url: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            access_token_lifetime: Duration::from_mins(15),
            session_lifetime: Duration::from_hours(30 * 24),
            code_lifetime: Duration::from_mins(5),
            code_tries: 5,
            codes_per_email: 5,
            codes_per_address: 50,
            code_window: Duration::from_mins(10),
            verification_lifetime: Duration::from_mins(30),
            passwords: PasswordOptions::default(),
            second_factor_of_staff: false,
            consents: Versions::default(),
            advertising: Advertising::default(),
            identity: IdentityChecks::default(),
            development: false,
            unwritten: Unwritten::default(),
            public_url: None,
        }
    }
}

/// What the role needs.
#[derive(Clone)]
pub struct Ports {
    /// The role's database, opened with [`TABLES`].
    pub records: Arc<dyn Records>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Codes, tokens and salts.
    pub random: Arc<dyn Random>,
    /// Delivers e-mails.
    pub mailer: Arc<dyn Mailer>,
    /// Signs tokens and encrypts personal data.
    pub keys: Arc<Keys>,
    /// What other roles announce.
    pub events: Arc<dyn EventLog>,
    /// The revoked sessions, shared with the gateway of the same process.
    pub revocations: Arc<Revocations>,
}

/// What every endpoint of the role works with.
struct Accounts {
    options: Options,
    ports: Ports,
    passwords: Passwords,
    attempts: Attempts,
    mails: Arc<Mails>,
}

/// The role, ready to be served and run. Refused with keys that are not those of the database.
pub async fn create(options: Options, ports: Ports, metrics: &mut Registry) -> Result<Role, PortError> {
    require_keys(ports.records.as_ref(), &ports.keys).await?;
    let accounts = Accounts::new(options, ports, metrics);
    let mut letters = Letters::new(RoleName::Accounts, &accounts.ports.records, &accounts.ports.clock);
    let mut workers = vec![
        sweeper::worker(Arc::clone(&accounts)),
        marks::worker(Arc::clone(&accounts)),
        Arc::clone(&accounts.mails).worker(),
        resealer::worker(Arc::clone(&accounts)),
        letters.follow(&granted::consumer(&accounts)),
        mailings::worker(Arc::clone(&accounts)),
    ];
    workers.extend(steps::workers(&accounts, &mut letters));
    let mut routes = routes();
    if accounts.ports.revocations.marks().is_some() {
        routes = routes.route(ENDED_SESSIONS, get(ended::get));
    }
    Ok(Role { name: "accounts", router: routes.with_state(accounts), workers, letters: Some(letters) })
}

/// Refuses keys that are not those of the database.
async fn require_keys(records: &dyn Records, keys: &Keys) -> Result<(), PortError> {
    secrets::require_keys::<User>(RoleName::Accounts, records, keys, SEALED).await
}

/// The same, but nothing is written.
pub async fn look_at_keys(records: &dyn Records, keys: &Keys) -> Result<(), PortError> {
    secrets::look_at_keys::<User>(RoleName::Accounts, records, keys, SEALED).await.map(drop)
}

impl Accounts {
    fn new(options: Options, ports: Ports, metrics: &mut Registry) -> Arc<Self> {
        let passwords = Passwords::start(&options.passwords, Arc::clone(&ports.random));
        let attempts = Attempts::new(&options);
        let Ports { records, clock, random, mailer, keys, .. } = ports.clone();
        let mails = Mails::new(mails::Ports { records, mailer, keys, clock, random }, metrics);
        Arc::new(Self { options, ports, passwords, attempts, mails })
    }
}

/// The description of its part of the API.
pub fn openapi() -> OpenApi {
    routes().into_openapi()
}

fn routes() -> OpenApiRouter<Arc<Accounts>> {
    OpenApiRouter::new()
        .routes(routes!(email_codes::post))
        .routes(routes!(email_codes_verify::post))
        .routes(routes!(signup::post))
        .routes(routes!(login::post))
        .routes(routes!(refresh::post))
        .routes(routes!(logout::post))
        .routes(routes!(logout_all::post))
        .routes(routes!(password_reset::post))
        .routes(routes!(password_reset_confirm::post))
        .routes(routes!(me::get, me_change::patch, me_delete::delete))
        .routes(routes!(password_change::put))
        .routes(routes!(sessions_list::get))
        .routes(routes!(sessions_end::delete))
        .routes(routes!(staff::address))
        .routes(routes!(staff::find_user))
        .merge(second_factor::routes())
        .merge(consents::routes())
        .merge(mailings::routes())
        .merge(identity::routes())
}
