//! `DELETE /me`: the account goes, and all that the shop knows about the person with it.
//!
//! Orders, payments and vouchers stay, under an id that names nobody any more: the books have to add up, and the law has
//! them kept. What is under way goes on: an order that is not paid runs out, a payment and a refund are decided with the
//! provider. Where parcels go is erased too, so goods that were not sent yet cannot be: the seller gives their money back.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use firstcome_core::events::RoleEvent;
use firstcome_core::ports::PortError;
use firstcome_core::records::{Field as _, Query, Record as _, RecordsExt as _, Stored, Unit, Write};

use super::consents::ConsentState;
use super::identity::IdentityCheck;
use super::records::{Address, EmailCode, Erasure, User};
use super::second_factor::SecondFactor;
use super::{Accounts, EmailAddress, wording};
use crate::http::{Buyer, Outcome};

/// Rows that one commit removes.
const BATCH: u32 = 500;

/// Deletes the caller's account and erases their personal data.
///
/// Every session ends. Orders and payments stay in the books, without a name. Cancel goods that you still wait for first:
/// nobody knows afterwards where to send them. Vouchers cannot be looked up any more.
#[utoipa::path(
    delete, path = "/api/v1/me", tag = "accounts", security(("bearer" = [])),
    responses((status = 204, description = "The account is gone"), (status = 401, description = "`unauthenticated`"))
)]
pub(super) async fn delete(State(accounts): State<Arc<Accounts>>, Buyer(caller): Buyer) -> Outcome<StatusCode> {
    loop {
        let user = accounts.user(caller.user).await?;
        if accounts.erase(user).await? {
            return Ok(StatusCode::NO_CONTENT);
        }
    }
}

impl Accounts {
    /// Removes everything about a person; false, and all is as it was, when something has changed since it was read. One
    /// commit takes the account and all by which it is protected; what there may be much of goes after it.
    async fn erase(&self, user: Stored<User>) -> Outcome<bool> {
        let email = user.record.email(&self.ports.keys.sealer())?;
        let (id, now) = (user.record.id, self.ports.clock.now());
        let erasure = Erasure { owner: id, erased_at: now };
        // Updated before it is deleted: a change that came in between is noticed.
        let mut unit = Unit::new().update(&user).delete(&user.record).event(&RoleEvent::UserErased { user: id }, now);
        unit = unit.insert(&erasure);
        for table in [SecondFactor::TABLE, ConsentState::TABLE, IdentityCheck::TABLE] {
            unit.writes.push(Write::Delete(table, id.to_value()));
        }
        if let Ok(address) = EmailAddress::try_from(email.clone()) {
            let index = &self.ports.keys.index;
            for index in [address.index(index), address.reset_index(index)] {
                if let Some(code) = self.ports.records.load::<EmailCode>(index).await? {
                    unit = unit.delete(&code.record);
                }
            }
        }
        unit.append(self.identity_of_erased(id).await?);
        unit.append(self.mails.withdrawn_wholly(id).await?);
        unit.append(self.mails.queue(wording::deleted(&email)));
        if !self.end_sessions_with(id, None, unit).await? {
            return Ok(false);
        }
        self.mails.wake();
        if let Err(error) = self.remove_rest(&erasure).await {
            tracing::warn!(%error, "what is left of a deleted account is removed later");
        }
        Ok(true)
    }

    /// Removes what is left of somebody whose account is gone.
    async fn remove_rest(&self, erasure: &Erasure) -> Result<(), PortError> {
        let records = self.ports.records.as_ref();
        loop {
            let rows = Query::all(Address::TABLE, BATCH).is("owner", erasure.owner);
            let rows = records.list::<Address>(rows).await?;
            if rows.is_empty() {
                break;
            }
            records.commit(rows.iter().fold(Unit::new(), |unit, row| unit.delete(&row.record))).await?;
        }
        // What was queued while the account went, too.
        loop {
            let mails = self.mails.withdrawn_wholly(erasure.owner).await?;
            if mails.is_empty() {
                break;
            }
            records.commit(mails).await?;
        }
        records.commit(Unit::new().delete(erasure)).await?;
        Ok(())
    }

    /// The same for those whose process died before. Returns how many.
    pub(super) async fn sweep_erased(&self, batch: u32) -> Result<usize, PortError> {
        let left = self.ports.records.list::<Erasure>(Query::all(Erasure::TABLE, batch)).await?;
        for erasure in &left {
            self.remove_rest(&erasure.record).await?;
        }
        Ok(left.len())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use firstcome_core::ids::UserId;
    use firstcome_core::ports::{Clock as _, Records as _};
    use serde_json::json;

    use super::*;
    use crate::accounts::testing::{Device, PASSWORD, TestApp};
    use crate::mails::QueuedMail;

    const PATH: &str = "/api/v1/me";
    const KIM: &str = "kim@example.com";

    #[tokio::test]
    async fn nothing_of_the_person_is_left() {
        let app = TestApp::new().await;
        app.sign_up("lee@example.com").await;
        let settled = async || {
            app.clock.advance(Duration::from_hours(1));
            app.accounts().sweep().await.unwrap();
            app.count_rows().await
        };
        let before = settled().await;
        app.sign_up(KIM).await;
        let (phone, laptop) = (app.log_in(KIM).await, app.log_in(KIM).await);
        for number in 0..3 {
            let body = json!({ "address": format!("{number} Long Street") }).to_string();
            app.send("PATCH", PATH, Some(&phone.access), &body).await;
        }
        app.post("/api/v1/auth/password-reset", None, &json!({ "email": KIM })).await;
        assert_eq!(app.delete(PATH, Some(&phone.access)).await.status, 204);
        for device in [&phone, &laptop] {
            app.get(PATH, Some(&device.access)).await.is_problem(401, "unauthenticated");
            assert!(app.refresh(&device.refresh).await.is_none());
        }
        let rows = app.all_bytes().await;
        assert!(!rows.windows(8).any(|window| window == b"a device"));
        assert_eq!(settled().await, before);
        assert!(app.mailbox.newest(KIM).unwrap().contains("deleted"));
        let erased: Vec<_> = app.records.events().into_iter().filter(|event| event.kind == "user.erased").collect();
        assert!(erased.len() == 1 && erased[0].subject.starts_with("usr_"));
        let body = json!({ "email": KIM, "password": PASSWORD });
        app.post("/api/v1/auth/login", None, &body).await.is_problem(401, "invalid_credentials");
        app.delete(PATH, Some(&phone.access)).await.is_problem(401, "unauthenticated");
    }

    #[tokio::test]
    async fn the_address_can_sign_up_again_as_somebody_else() {
        let app = TestApp::new().await;
        app.sign_up(KIM).await;
        let device = app.log_in(KIM).await;
        let before = app.get(PATH, Some(&device.access)).await.body["user_id"].clone();
        app.delete(PATH, Some(&device.access)).await;
        app.sign_up(KIM).await;
        let device = app.log_in(KIM).await;
        assert_ne!(app.get(PATH, Some(&device.access)).await.body["user_id"], before);
        app.delete(PATH, None).await.is_problem(401, "unauthenticated");
    }

    #[tokio::test]
    async fn twins_and_another_process() {
        let app = TestApp::new().await;
        app.sign_up(KIM).await;
        let device = app.log_in(KIM).await;
        let other = app.another_process().await;
        let (one, two) = tokio::join!(app.delete(PATH, Some(&device.access)), other.delete(PATH, Some(&device.access)));
        assert!(one.status == 204 || two.status == 204, "{} {}", one.status, two.status);
        other.gateway.load().await.unwrap();
        other.get(PATH, Some(&device.access)).await.is_problem(401, "unauthenticated");
    }

    /// Somebody who has begun to set up a second factor, and agreed to advertising.
    async fn kim(app: &TestApp) -> (Device, UserId) {
        app.sign_up(KIM).await;
        let device = app.log_in(KIM).await;
        let begun = app.post("/api/v1/me/second-factor", Some(&device.access), &json!({ "password": PASSWORD })).await;
        assert_eq!(begun.status, 201, "{}", begun.text);
        app.send("PUT", "/api/v1/me/consents", Some(&device.access), r#"{"advertising": true}"#).await;
        let user = app.user_of(&device).await;
        (device, user)
    }

    #[tokio::test]
    async fn who_is_too_late_to_erase_takes_nothing_away() {
        let app = TestApp::new().await;
        let (device, user) = kim(&app).await;
        let accounts = app.accounts();
        let read = accounts.user(user).await.unwrap();
        app.send("PATCH", PATH, Some(&device.access), r#"{"name": "Kim Minsu"}"#).await;
        let before = app.all_bytes().await;
        assert!(!accounts.erase(read).await.unwrap());
        assert!(app.all_bytes().await == before, "nothing is another");
        assert_eq!(app.delete(PATH, Some(&device.access)).await.status, 204);
        assert!(app.records.load::<SecondFactor>(user).await.unwrap().is_none());
        assert!(app.records.load::<ConsentState>(user).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn what_a_process_left_that_died_is_swept() {
        let app = TestApp::new().await;
        let (_, user) = kim(&app).await;
        let erasure = Erasure { owner: user, erased_at: app.clock.now() };
        app.records.commit(Unit::new().insert(&erasure)).await.unwrap();
        assert_eq!(app.accounts().sweep_erased(10).await.unwrap(), 1);
        for table in [Address::TABLE, Erasure::TABLE] {
            assert!(app.records.select(Query::all(table, 10)).await.unwrap().is_empty());
        }
        assert_eq!(app.accounts().sweep_erased(10).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn what_was_to_be_written_about_them_is_not() {
        let app = TestApp::new().await;
        let (_, user) = kim(&app).await;
        let accounts = app.accounts();
        let mut unit = accounts.mails.queue_about(user, wording::password_changed(KIM));
        unit.append(accounts.mails.queue_patiently(user, wording::wish(KIM, "재즈의 밤", None)));
        app.records.commit(unit).await.unwrap();
        let read = accounts.user(user).await.unwrap();
        assert!(accounts.erase(read).await.unwrap());
        let left = app.records.list::<QueuedMail>(Query::all(QueuedMail::TABLE, 10)).await.unwrap();
        let left: Vec<_> = left.iter().map(|mail| mail.record.purpose.as_str()).collect();
        assert_eq!(left, ["account-deleted"]);
    }
}
