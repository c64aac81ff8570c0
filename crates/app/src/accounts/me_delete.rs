//! `DELETE /me`: the account goes, and all that the shop knows about the person with it.
//!
//! Orders, payments and vouchers stay, under an id that names nobody any more: the books have to add up, and the law has
//! them kept. What is under way goes on: an order that is not paid runs out, a payment and a refund are decided with the
//! provider. Where parcels go is erased too, so goods that were not sent yet cannot be: the seller gives their money back.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use firstcome_core::events::RoleEvent;
use firstcome_core::ids::UserId;
use firstcome_core::ports::PortError;
use firstcome_core::records::{Query, Record, RecordsExt as _, Stored, Unit};

use super::consents::ConsentState;
use super::identity::IdentityCheck;
use super::people::Person;
use super::records::{Address, EmailCode, User};
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
    let records = accounts.ports.records.as_ref();
    loop {
        let user = accounts.user(caller.user).await?;
        let person = user.record.person(records, &accounts.ports.keys).await?;
        if accounts.erase(user, &person).await? {
            return Ok(StatusCode::NO_CONTENT);
        }
    }
}

impl Accounts {
    /// Removes everything about a person; false when something has changed since it was read. The account itself goes
    /// last but for the sessions, so that who is cut off can be asked to do it again.
    async fn erase(&self, user: Stored<User>, person: &Person) -> Outcome<bool> {
        let (id, now) = (user.record.id, self.ports.clock.now());
        self.remove::<Address>(id).await?;
        self.remove::<SecondFactor>(id).await?;
        self.remove::<ConsentState>(id).await?;
        self.remove::<IdentityCheck>(id).await?;
        // Updated before it is deleted: a change that came in between is noticed.
        let mut unit = Unit::new().update(&user).delete(&user.record).event(&RoleEvent::UserErased { user: id }, now);
        if let Ok(email) = EmailAddress::try_from(person.email.clone()) {
            let index = &self.ports.keys.index;
            for index in [email.index(index), email.reset_index(index)] {
                if let Some(code) = self.ports.records.load::<EmailCode>(index).await? {
                    unit = unit.delete(&code.record);
                }
            }
        }
        unit.append(self.identity_of_erased(id).await?);
        unit.append(self.mails.withdrawn(id).await?);
        unit.append(self.mails.queue(wording::deleted(&person.email)));
        if !self.end_sessions_with(id, None, unit).await? {
            return Ok(false);
        }
        self.mails.wake();
        Ok(true)
    }

    /// Removes the rows of a table that a person owns.
    async fn remove<R: Record>(&self, owner: UserId) -> Result<(), PortError> {
        loop {
            let rows = self.ports.records.list::<R>(Query::all(R::TABLE, BATCH).is("owner", owner)).await?;
            if rows.is_empty() {
                return Ok(());
            }
            let unit = rows.iter().fold(Unit::new(), |unit, row| unit.delete(&row.record));
            self.ports.records.commit(unit).await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use crate::accounts::testing::{PASSWORD, TestApp};

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
}
