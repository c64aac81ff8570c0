//! E-mails about what people wish for. The catalogue says who is to be told; here is where to.
//!
//! They are queued in the commit of the place up to which was read, so that nobody gets one twice, and go out when no other
//! waits. Whose account is gone gets none, nor do the buyers of load tools, nor whose address cannot be opened.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use firstcome_core::events::{RoleEvent, topics};
use firstcome_core::ids::{OfferId, UserId};
use firstcome_core::ports::LoggedEvent;
use firstcome_core::records::{Comparison, Field, Query, Record as _, RecordsExt as _, Unit};

use super::records::User;
use super::{Accounts, wording};
use crate::consumer::{Consumer, HandleError, Handler, Topic, parse};

/// Announcements that are handled in one commit: each names many people.
const AT_ONCE: usize = 4;
/// How long such news are worth writing about.
const NEWS: Duration = Duration::from_hours(48);

/// Queues the e-mails.
pub(super) struct Granted(Arc<Accounts>);

pub(super) fn consumer(accounts: &Arc<Accounts>) -> Arc<Consumer<LoggedEvent, Granted>> {
    let ports = &accounts.ports;
    let announced = Topic { log: ports.events.clone(), name: topics::CATALOG };
    let handler = Granted(Arc::clone(accounts));
    Arc::new(Consumer::new(announced, &ports.records, &ports.clock, handler).in_batches_of(AT_ONCE))
}

#[async_trait]
impl Handler<LoggedEvent> for Granted {
    fn name(&self) -> &'static str {
        "accounts.wishes"
    }

    async fn handle(&self, items: &[LoggedEvent]) -> Result<Unit, HandleError> {
        let now = self.0.ports.clock.now();
        let mut unit = Unit::new();
        for event in items.iter().filter(|event| event.kind == "wishes.granted" && now.since(event.at) < NEWS) {
            if let RoleEvent::WishesGranted { name, offer, users, .. } = parse(event)? {
                unit.append(self.mails(&name, offer, &users).await?);
            }
        }
        Ok(unit)
    }

    fn committed(&self, _: &[LoggedEvent]) {
        self.0.mails.wake();
    }
}

impl Granted {
    /// The unit of work that queues an e-mail to each of these people who is still there.
    async fn mails(&self, product: &str, offer: OfferId, users: &[UserId]) -> Result<Unit, HandleError> {
        let Accounts { options, ports, mails, .. } = &*self.0;
        let ids = users.iter().map(Field::to_value).collect();
        let query = Query::all(User::TABLE, users.len() as u32).filter("id", Comparison::IsOneOf(ids));
        let link = options.public_url.as_ref().map(|shop| format!("{}/offers/{offer}", shop.trim_end_matches('/')));
        let mut unit = Unit::new();
        for user in ports.records.list::<User>(query).await? {
            if let Some(to) = self.0.written_to(&user.record) {
                unit.append(mails.queue_patiently(user.record.id, wording::wish(&to, product, link.as_deref())));
            }
        }
        Ok(unit)
    }
}

#[cfg(test)]
mod tests {
    use firstcome_core::ids::ProductId;
    use firstcome_core::ports::{Clock as _, Records as _};

    use super::*;
    use crate::accounts::testing::TestApp;

    async fn announce(app: &TestApp, users: Vec<UserId>) {
        let granted = RoleEvent::WishesGranted {
            product: ProductId([1; 16]),
            name: "재즈의 밤".to_owned(),
            offer: OfferId([2; 16]),
            users,
        };
        app.catalog.commit(Unit::new().event(&granted, app.clock.now())).await.expect("announced");
    }

    async fn write(app: &TestApp) {
        consumer(&app.accounts()).catch_up().await.expect("written");
        while app.accounts().mails.deliver_due().await.expect("delivered") > 0 {}
    }

    #[tokio::test]
    async fn everyone_who_is_there_gets_one_whatever_process_goes_on() {
        let app = TestApp::new().await;
        app.sign_up("kim@example.com").await;
        let access = app.log_in("kim@example.com").await.access;
        let me = app.get("/api/v1/me", Some(&access)).await.body["user_id"].as_str().expect("an id").to_owned();
        let kim: UserId = me.parse().expect("an id");
        announce(&app, vec![UserId([9; 16]), kim]).await;
        write(&app).await;
        let text = app.mailbox.newest("kim@example.com").expect("a mail");
        assert!(text.contains("재즈의 밤") && text.contains("위시리스트") && text.contains("wish list"), "{text}");
        let other = app.another_process().await;
        write(&other).await;
        assert_eq!(other.mailbox.newest("kim@example.com"), None, "it was written by the process before");
        app.clock.advance(NEWS);
        write(&app).await;
        announce(&app, vec![kim]).await;
        app.clock.advance(NEWS);
        write(&other).await;
        assert_eq!(other.mailbox.newest("kim@example.com"), None, "what is old is no news");
    }

    #[tokio::test]
    async fn an_address_that_cannot_be_opened_stops_nobody_else() {
        let app = TestApp::new().await;
        let mut users = Vec::new();
        for email in ["kim@example.com", "lee@example.com"] {
            app.sign_up(email).await;
            users.push(app.user_of(&app.log_in(email).await).await);
        }
        app.break_email(users[0]).await;
        announce(&app, users).await;
        write(&app).await;
        let text = app.mailbox.newest("lee@example.com").expect("a mail");
        assert!(text.contains("wish list"), "{text}");
    }
}
