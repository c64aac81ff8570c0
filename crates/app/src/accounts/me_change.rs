//! `PATCH /me`: changes what the shop knows about the caller.
//!
//! Another e-mail address needs two proofs: that the caller reads the new one, and still reads the one before. Both come
//! from the codes that `POST /auth/email-codes` sends to any address.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::codes::ErrorCode;
use firstcome_core::events::RoleEvent;
use firstcome_core::ports::Committed;
use firstcome_core::records::{Stored, Unit};
use garde::Validate;
use serde::Deserialize;
use utoipa::ToSchema;

use super::me::Profile;
use super::people::{Person, find, new_address, optional_text};
use super::records::{EmailCode, User};
use super::{Accounts, EmailAddress, wording};
use crate::http::{Body, Buyer, Outcome, Problem, one_line, present};

/// What is to change; what is left out stays.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct ChangeProfile {
    /// 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100, example = "김하나")]
    #[garde(custom(optional_text::<100>), inner(custom(one_line)))]
    name: Option<String>,
    /// For parcels; null for none.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 32, example = "010-1234-5678")]
    #[garde(inner(custom(optional_text::<32>), inner(custom(one_line))))]
    phone: Option<Option<String>>,
    /// Where parcels go; null for nowhere.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 500, example = "서울특별시 중구 세종대로 110")]
    #[garde(inner(custom(optional_text::<500>)))]
    address: Option<Option<String>>,
    /// Another e-mail address, with both proofs below.
    #[schema(value_type = Option<String>, example = "kim.new@example.com")]
    email: Option<EmailAddress>,
    /// From `POST /auth/email-codes/verify` for the new e-mail address.
    #[schema(example = "vrf_mZ2y...")]
    verification_token: Option<String>,
    /// From the same for the e-mail address before.
    #[schema(example = "vrf_p8Qs...")]
    current_verification_token: Option<String>,
}

/// Changes the caller's profile.
///
/// Orders keep the address that they were placed with. Another e-mail address needs a code from both addresses; the one
/// before is told.
#[utoipa::path(
    patch, path = "/api/v1/me", tag = "accounts", security(("bearer" = [])),
    request_body = ChangeProfile,
    responses(
        (status = 200, description = "The profile as it is now", body = Profile),
        (status = 400, description = "`invalid_code`: a verification token is missing, wrong, used or expired"),
        (status = 401, description = "`unauthenticated`"),
        (status = 409, description = "`account_exists`: the e-mail address has another account"),
        (status = 422, description = "`invalid_body`"),
    )
)]
pub(super) async fn patch(
    State(accounts): State<Arc<Accounts>>,
    Buyer(caller): Buyer,
    Body { value, .. }: Body<ChangeProfile>,
) -> Outcome<Json<Profile>> {
    let ports = &accounts.ports;
    let records = ports.records.as_ref();
    loop {
        let user = accounts.user(caller.user).await?;
        let person = user.record.person(records, &ports.keys).await?;
        let changed = value.changed(&person);
        if changed == person {
            return Ok(Json(Profile::new(&user.record, person)));
        }
        let (user, unit) = accounts.change(user, &person, &changed, &value).await?;
        if records.commit(unit).await? == Committed::Done {
            accounts.mails.wake();
            return Ok(Json(Profile::new(&user, changed)));
        }
    }
}

impl ChangeProfile {
    fn changed(&self, person: &Person) -> Person {
        let trimmed = |text: &String| text.trim().to_owned();
        let other = |change: &Option<Option<String>>, now: &Option<String>| match change {
            None => now.clone(),
            Some(text) => text.as_ref().map(trimmed),
        };
        Person {
            email: self.email.as_ref().map_or_else(|| person.email.clone(), |email| email.as_str().to_owned()),
            name: self.name.as_ref().map_or_else(|| person.name.clone(), trimmed),
            phone: other(&self.phone, &person.phone),
            address: other(&self.address, &person.address),
        }
    }
}

impl Accounts {
    /// The account as it will be, and the unit of work that makes it so.
    async fn change(
        &self,
        mut user: Stored<User>,
        before: &Person,
        after: &Person,
        wanted: &ChangeProfile,
    ) -> Outcome<(User, Unit)> {
        let super::Ports { keys, random, clock, .. } = &self.ports;
        let now = clock.now();
        let mut unit = Unit::new();
        if after.email != before.email {
            let email = EmailAddress::try_from(after.email.clone()).map_err(|_| Problem::new(ErrorCode::Internal))?;
            for proof in self.proofs(&user.record, &email, wanted).await? {
                unit = unit.update(&proof);
            }
            // Not about the account: who is told here hears of it also when the account is deleted then.
            unit.append(self.mails.queue(wording::email_changed(&before.email)));
            user.record.email_index = email.index(&keys.index);
        }
        user.record.seal(after, keys);
        // The label on a parcel has the name and the number too. Orders go on with the row that they refer to.
        if (&after.name, &after.phone, &after.address) != (&before.name, &before.phone, &before.address) {
            let address = new_address(after, user.record.id, keys, random.as_ref(), now);
            user.record.address = address.as_ref().map(|address| address.id);
            let changed = RoleEvent::UserChanged { user: user.record.id, address: user.record.address };
            unit = address.iter().fold(unit.event(&changed, now), Unit::insert);
        }
        let unit = unit.update(&user);
        Ok((user.record, unit))
    }

    /// Both proofs that the e-mail address may be another, used up.
    async fn proofs(
        &self,
        user: &User,
        email: &EmailAddress,
        wanted: &ChangeProfile,
    ) -> Outcome<[Stored<EmailCode>; 2]> {
        let index = email.index(&self.ports.keys.index);
        let given = |token: &Option<String>| token.clone().unwrap_or_default();
        let mut new = self.verified(&index, &given(&wanted.verification_token)).await?;
        let mut old = self.verified(&user.email_index, &given(&wanted.current_verification_token)).await?;
        if find(self.ports.records.as_ref(), index).await?.is_some() {
            return Err(Problem::new(ErrorCode::AccountExists));
        }
        new.record.verification = None;
        old.record.verification = None;
        Ok([new, old])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::accounts::testing::{Answer, PASSWORD, TestApp};

    const PATH: &str = "/api/v1/me";
    const KIM: &str = "kim@example.com";
    const NEW: &str = "kim@example.org";

    async fn change(app: &TestApp, token: &str, body: &Value) -> Answer {
        app.send("PATCH", PATH, Some(token), &body.to_string()).await
    }

    #[tokio::test]
    async fn what_is_left_out_stays_and_null_removes() {
        let app = TestApp::new().await;
        app.sign_up(KIM).await;
        let device = app.log_in(KIM).await;
        let body = json!({ "name": " 김하나 ", "phone": "010-1234-5678" });
        let changed = change(&app, &device.access, &body).await;
        assert_eq!((changed.status, &changed.body["name"]), (200, &json!("김하나")));
        let me = app.get(PATH, Some(&device.access)).await;
        assert_eq!(me.body, changed.body);
        assert_eq!((&me.body["phone"], &me.body["address"]), (&json!("010-1234-5678"), &json!("1 Main Street")));
        let changed = change(&app, &device.access, &json!({ "phone": null, "address": null })).await;
        assert_eq!((&changed.body["phone"], &changed.body["address"]), (&json!(null), &json!(null)));
        let same = change(&app, &device.access, &json!({})).await;
        assert_eq!((same.status, &same.body), (200, &changed.body));
    }

    #[tokio::test]
    async fn others_learn_of_another_address_and_of_nothing_personal() {
        let app = TestApp::new().await;
        app.sign_up(KIM).await;
        let device = app.log_in(KIM).await;
        change(&app, &device.access, &json!({ "address": "2 Side Street" })).await;
        change(&app, &device.access, &json!({ "address": "2 Side Street" })).await;
        let events = app.records.events();
        let changes: Vec<_> = events.iter().filter(|event| event.kind == "user.changed").collect();
        assert_eq!(changes.len(), 1);
        assert!(changes[0].data.contains("adr_") && !changes[0].data.contains("Side"));
        let rows = app.all_bytes().await;
        assert!(!rows.windows(4).any(|window| window == b"Side"));
    }

    #[tokio::test]
    async fn another_email_needs_a_code_from_both() {
        let app = TestApp::new().await;
        app.sign_up(KIM).await;
        let device = app.log_in(KIM).await;
        let (new, current) = (app.verify(NEW).await, app.verify(KIM).await);
        for body in [
            json!({ "email": NEW }),
            json!({ "email": NEW, "verification_token": new }),
            json!({ "email": NEW, "current_verification_token": current }),
            json!({ "email": NEW, "verification_token": current, "current_verification_token": new }),
        ] {
            change(&app, &device.access, &body).await.is_problem(400, "invalid_code");
        }
        let body = json!({ "email": NEW, "verification_token": new, "current_verification_token": current });
        let changed = change(&app, &device.access, &body).await;
        assert_eq!((changed.status, &changed.body["email"]), (200, &json!(NEW)));
        assert!(app.mailbox.newest(KIM).unwrap().contains("was changed"));
        let log_in = async |email| {
            app.post("/api/v1/auth/login", None, &json!({ "email": email, "password": PASSWORD })).await.status
        };
        assert_eq!((log_in(KIM).await, log_in(NEW).await), (401, 200));
        app.sign_up(KIM).await;
        assert_eq!(log_in(KIM).await, 200);
    }

    #[tokio::test]
    async fn an_email_that_has_an_account_is_refused() {
        let app = TestApp::new().await;
        app.sign_up(KIM).await;
        app.sign_up(NEW).await;
        let device = app.log_in(KIM).await;
        let body = json!({ "email": NEW, "verification_token": app.verify(NEW).await,
            "current_verification_token": app.verify(KIM).await });
        change(&app, &device.access, &body).await.is_problem(409, "account_exists");
    }

    #[tokio::test]
    async fn odd_bodies() {
        let app = TestApp::new().await;
        app.sign_up(KIM).await;
        let device = app.log_in(KIM).await;
        for (name, value) in [
            ("name", json!("")),
            ("name", json!("a\nb")),
            ("name", json!("\u{200b}")),
            ("phone", json!("\u{1d173}")),
            ("address", json!("\u{200b}\u{2060}")),
            ("phone", json!("0".repeat(33))),
            ("phone", json!("1\n2")),
            ("address", json!(" ")),
            ("address", json!("x".repeat(501))),
            ("email", json!("kim")),
            ("roles", json!(["seller"])),
            ("password", json!("a new long password")),
        ] {
            let refused = change(&app, &device.access, &json!({ name: value })).await;
            refused.is_problem(422, "invalid_body");
            assert!(refused.text.contains(name), "{name}: {}", refused.text);
        }
        app.send("PATCH", PATH, None, "{}").await.is_problem(401, "unauthenticated");
    }
}
