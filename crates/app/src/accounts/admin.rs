//! What the command line does to accounts, also while a server runs on the same database.

use std::sync::Arc;
use std::time::Duration;

use firstcome_core::ids::{SessionId, UserId};
use firstcome_core::ports::{Clock, Committed, PortError, Random, Records, random_bytes};
use firstcome_core::records::{Stored, Unit};
use futures_util::{Stream, StreamExt as _, stream};
use secrecy::{ExposeSecret as _, SecretString};

use super::endings::Endings;
use super::passwords::{Hasher, PasswordOptions};
use super::people::{EmailAddress, InvalidEmail, NewPerson, find};
use super::records::{Session, User};
use super::tokens::RefreshToken;
use super::wording;
use crate::http::{AccountRole, Identity, Revocations, Roles, expiry};
use crate::mails::QueuedMail;
use crate::secrets::Keys;

/// What these functions need.
#[derive(Clone)]
pub struct Ports {
    /// The accounts' database, opened with [`super::TABLES`].
    pub records: Arc<dyn Records>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Identifiers and salts.
    pub random: Arc<dyn Random>,
    /// Signs tokens and encrypts personal data.
    pub keys: Arc<Keys>,
}

/// Why an account cannot be added.
#[derive(Debug, thiserror::Error)]
pub enum AddAccountError {
    /// The text is not an e-mail address.
    #[error(transparent)]
    Email(#[from] InvalidEmail),
    /// The password is too short or too long.
    #[error("the password must have 8 to 128 characters")]
    Password,
    /// The database did not do its part.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// An account that was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddedAccount {
    /// The account.
    pub user: UserId,
    /// Whether it is new; else it was there, now has the roles and the password too, and is logged out everywhere.
    pub created: bool,
}

/// Makes an account with these roles, or adds them to the one that the e-mail address has and sets its password, which ends
/// its sessions and is told to its owner. Takes the processor for as long as a hash takes.
pub async fn add_account(
    ports: &Ports,
    roles: Roles,
    email: &str,
    password: &SecretString,
) -> Result<AddedAccount, AddAccountError> {
    let email = EmailAddress::try_from(email.to_owned())?;
    if !(8..=128).contains(&password.expose_secret().chars().count()) {
        return Err(AddAccountError::Password);
    }
    super::require_keys(ports.records.as_ref(), &ports.keys).await?;
    let hash = Hasher::new(&PasswordOptions::default(), Arc::clone(&ports.random)).hash(password)?;
    let roles = roles.with(AccountRole::Buyer);
    loop {
        let done = if let Some(user) = find(ports.records.as_ref(), email.index(&ports.keys.index)).await? {
            let added = AddedAccount { user: user.record.id, created: false };
            change(ports, user, roles, &email, hash.clone()).await?.then_some(added)
        } else {
            let name = email.as_str().split('@').next().unwrap_or_default();
            let password = Some(hash.clone());
            let person = NewPerson { email: &email, name, phone: None, address: None, password, roles };
            let (user, unit) = person.unit(&ports.keys, ports.random.as_ref(), ports.clock.now());
            let added = AddedAccount { user, created: true };
            (ports.records.commit(unit).await? == Committed::Done).then_some(added)
        };
        if let Some(added) = done {
            return Ok(added);
        }
    }
}

/// Gives an account more roles and another password, which ends its sessions as [`super::password_change`] does; false when
/// something has changed since it was read.
async fn change(
    ports: &Ports,
    mut user: Stored<User>,
    roles: Roles,
    email: &EmailAddress,
    hash: String,
) -> Result<bool, PortError> {
    let Ports { records, clock, random, keys } = ports;
    let id = user.record.id;
    user.record.roles = user.record.roles.iter().chain(roles.iter()).collect();
    user.record.password = Some(hash);
    let told = wording::password_changed(email.as_str());
    let told = QueuedMail::about(id, told, keys, random.as_ref(), clock.now());
    // Nobody asks this process whose session has ended: all others read it in the database, or in the event.
    let revocations = Revocations::default();
    let endings = Endings { records: records.as_ref(), clock: clock.as_ref(), revocations: &revocations };
    endings.all_with(id, None, Unit::new().update(&user).insert(&told)).await
}

/// Buyers that are made in one commit.
const BATCH: usize = 1_000;
/// Batches that are under way at once: while one is written, the next are encrypted and signed.
const AHEAD: usize = 3;
/// The domain of the buyers of load tools, where nobody is: it is reserved (RFC 2606).
pub(super) const LOAD_DOMAIN: &str = "load.example";
/// How long a load tool's token holds.
const DAY: Duration = Duration::from_hours(24);

/// Makes new people who buy, and have this role beside that, with a verified e-mail address and an address for parcels, and
/// gives an access token of each, in batches: valid for a day, and not rate-limited in development. They have no password,
/// so nobody logs in as them.
///
/// Poll it on a tokio runtime with blocking threads.
pub fn dev_tokens(
    ports: &Ports,
    role: AccountRole,
    count: usize,
) -> impl Stream<Item = Result<Vec<String>, PortError>> + Send + use<> {
    let ports = ports.clone();
    let roles = Roles::default().with(AccountRole::Buyer).with(role);
    let batches = (0..count).step_by(BATCH).map(move |start| BATCH.min(count - start));
    stream::iter(batches)
        .map(move |size| {
            let ports = ports.clone();
            async move {
                let records = Arc::clone(&ports.records);
                let made = tokio::task::spawn_blocking(move || make_people(&ports, roles, size)).await;
                let (unit, tokens) = made.map_err(|error| PortError::Unavailable(error.to_string()))?;
                match records.commit(unit).await? {
                    Committed::Done => Ok(tokens),
                    Committed::Conflict(_) => Err(PortError::Misused("somebody new was there already".to_owned())),
                }
            }
        })
        .buffered(AHEAD)
}

fn make_people(ports: &Ports, roles: Roles, count: usize) -> (Unit, Vec<String>) {
    let mut unit = Unit::new();
    let tokens = (0..count)
        .map(|_| {
            let (token, person) = make_person(ports, roles);
            unit.append(person);
            token
        })
        .collect();
    (unit, tokens)
}

fn make_person(ports: &Ports, roles: Roles) -> (String, Unit) {
    let (random, now) = (ports.random.as_ref(), ports.clock.now());
    let number = u64::from_be_bytes(random_bytes(random));
    let email = EmailAddress::try_from(format!("buyer-{number:016x}@{LOAD_DOMAIN}")).expect("it is an address");
    let person = NewPerson {
        email: &email,
        name: "Load Buyer",
        phone: Some("010-0000-0000"),
        address: Some("서울특별시 중구 세종대로 110"),
        password: None,
        roles,
    };
    let (user, unit) = person.unit(&ports.keys, random, now);
    let refresh = RefreshToken::first(SessionId::at(now, random_bytes(random)), random);
    let identity = Identity { user, session: refresh.session, roles, unlimited: true };
    let until = expiry(now, DAY);
    let session = Session {
        id: refresh.session,
        owner: user,
        device: "load tool".to_owned(),
        sealed_with: None,
        origin: None,
        family: refresh.family_hash(),
        refresh: refresh.hash(),
        created_at: now,
        used_at: now,
        expires_at: until,
        tokens_until: until,
        ended_at: None,
    };
    (ports.keys.tokens.sign(&identity, now, DAY), unit.insert(&session))
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt as _;
    use serde_json::json;

    use super::*;
    use crate::accounts::testing::TestApp;

    fn ports(app: &TestApp) -> Ports {
        Ports {
            records: app.records.clone(),
            clock: Arc::new(app.clock.clone()),
            random: Arc::new(crate::secrets::SystemRandom),
            keys: app.keys.clone(),
        }
    }

    #[tokio::test]
    async fn an_added_account_can_log_in() {
        let app = TestApp::new().await;
        let seller = Roles::default().with(AccountRole::Seller);
        let added = add_account(&ports(&app), seller, "Seller@example.com", &"long enough".into()).await.unwrap();
        assert!(added.created);
        let body = json!({ "email": "seller@example.com", "password": "long enough" });
        let tokens = app.post("/api/v1/auth/login", None, &body).await;
        let me = app.get("/api/v1/me", Some(tokens.body["access_token"].as_str().unwrap())).await;
        assert_eq!(me.body["roles"], json!(["buyer", "seller"]));
        assert_eq!(me.body["user_id"], json!(added.user));
    }

    #[tokio::test]
    async fn an_existing_account_gets_the_role() {
        let app = TestApp::new().await;
        app.sign_up("kim@example.com").await;
        let merchant = Roles::default().with(AccountRole::Merchant);
        let added = add_account(&ports(&app), merchant, "kim@example.com", &"another one".into()).await.unwrap();
        assert!(!added.created);
        let body = json!({ "email": "kim@example.com", "password": "another one" });
        let tokens = app.post("/api/v1/auth/login", None, &body).await;
        let me = app.get("/api/v1/me", Some(tokens.body["access_token"].as_str().unwrap())).await;
        assert_eq!(me.body["roles"], json!(["buyer", "merchant"]));
        let short = add_account(&ports(&app), merchant, "kim@example.com", &"short".into()).await;
        assert!(matches!(short, Err(AddAccountError::Password)));
        let email = add_account(&ports(&app), merchant, "kim", &"long enough".into()).await;
        assert!(matches!(email, Err(AddAccountError::Email(_))));
    }

    #[tokio::test]
    async fn another_password_ends_every_session_and_is_told() {
        let app = TestApp::new().await;
        app.sign_up("kim@example.com").await;
        let devices = [app.log_in("kim@example.com").await, app.log_in("kim@example.com").await];
        let seller = Roles::default().with(AccountRole::Seller);
        add_account(&ports(&app), seller, "kim@example.com", &"another one".into()).await.unwrap();
        // What the gateway of every process hears of.
        let other = app.another_process().await;
        for device in &devices {
            other.get("/api/v1/me", Some(&device.access)).await.is_problem(401, "unauthenticated");
            assert!(other.refresh(&device.refresh).await.is_none());
        }
        assert!(other.mailbox.newest("kim@example.com").unwrap().contains("password was changed"));
    }

    #[tokio::test]
    async fn tokens_of_load_tools_are_of_different_buyers_with_an_address() {
        let app = TestApp::new().await;
        let tokens: Vec<Vec<String>> = dev_tokens(&ports(&app), AccountRole::Buyer, 25).try_collect().await.unwrap();
        let tokens = tokens.concat();
        assert_eq!(tokens.len(), 25);
        let mut people = std::collections::HashSet::new();
        for token in &tokens {
            let me = app.get("/api/v1/me", Some(token)).await;
            assert_eq!((me.status, &me.body["roles"]), (200, &json!(["buyer"])));
            assert!(me.body["address"].is_string());
            people.insert(me.body["user_id"].as_str().unwrap().to_owned());
        }
        assert_eq!(people.len(), 25);
        app.clock.advance(DAY);
        app.get("/api/v1/me", Some(&tokens[0])).await.is_problem(401, "unauthenticated");
    }

    #[tokio::test]
    async fn a_load_tool_can_log_out_like_anyone() {
        let app = TestApp::new().await;
        let tokens: Vec<Vec<String>> = dev_tokens(&ports(&app), AccountRole::Merchant, 1).try_collect().await.unwrap();
        let token = &tokens[0][0];
        assert_eq!(app.get("/api/v1/me", Some(token)).await.body["roles"], json!(["buyer", "merchant"]));
        assert_eq!(app.post("/api/v1/auth/logout", Some(token), &json!(null)).await.status, 204);
        app.get("/api/v1/me", Some(token)).await.is_problem(401, "unauthenticated");
    }
}
