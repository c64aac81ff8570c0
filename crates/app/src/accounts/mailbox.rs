//! The mailbox of development: e-mails that would have been sent, to be read in a browser. Not made in production.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use async_trait::async_trait;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use firstcome_core::codes::ErrorCode;
use firstcome_core::ports::{Clock, Delivery, Mail, Mailer, PortError};
use firstcome_core::time::Time;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::http::{Problem, QueryString};

/// E-mails that are kept; the oldest go first.
const KEPT: usize = 10_000;
/// E-mails that are shown at once.
const SHOWN: usize = 100;
/// How long whoever looks for e-mails to an address that has none waits for the first: it may be on its way.
const PATIENCE: Duration = Duration::from_secs(1);

/// An e-mail and when it came.
#[derive(Clone, Serialize)]
struct Received {
    to: String,
    subject: String,
    body: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    unsubscribe: Option<String>,
    at: Time,
}

/// Keeps e-mails in memory.
pub struct DevMailbox {
    clock: Arc<dyn Clock>,
    mails: Mutex<VecDeque<Received>>,
    arrived: Notify,
}

impl DevMailbox {
    /// An empty mailbox.
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { clock, mails: Mutex::default(), arrived: Notify::new() })
    }

    /// `GET /dev/mailbox?to=`: a page, or JSON with `Accept: application/json`. Newest first.
    pub fn router(self: Arc<Self>) -> Router {
        Router::new().route("/dev/mailbox", get(show)).with_state(self)
    }

    /// The text of the newest e-mail to an address.
    pub fn newest(&self, to: &str) -> Option<String> {
        self.list(Some(to)).into_iter().next().map(|mail| mail.body)
    }

    /// Subject, text and way out of the e-mails to an address.
    #[cfg(test)]
    pub(super) fn of(&self, to: &str) -> Vec<(String, String, Option<String>)> {
        let parts = |mail: Received| (mail.subject, mail.body, mail.unsubscribe);
        self.list(Some(to)).into_iter().map(parts).collect()
    }

    /// How many e-mails to an address there are.
    #[cfg(test)]
    pub(super) fn count(&self, to: &str) -> usize {
        self.list(Some(to)).len()
    }

    /// The e-mails to an address; waits a moment for the first.
    async fn first_of(&self, to: &str) -> Vec<Received> {
        let found = async {
            loop {
                let arrived = self.arrived.notified();
                let mails = self.list(Some(to));
                if !mails.is_empty() {
                    return mails;
                }
                arrived.await;
            }
        };
        timeout(PATIENCE, found).await.unwrap_or_default()
    }

    fn list(&self, to: Option<&str>) -> Vec<Received> {
        let mails = self.mails.lock();
        let wanted = |mail: &&Received| to.is_none_or(|to| mail.to.eq_ignore_ascii_case(to.trim()));
        mails.iter().filter(wanted).take(SHOWN).cloned().collect()
    }
}

#[async_trait]
impl Mailer for DevMailbox {
    async fn send(&self, mail: &Mail) -> Result<Delivery, PortError> {
        let Mail { to, subject, body, unsubscribe, .. } = mail.clone();
        {
            let mut mails = self.mails.lock();
            mails.truncate(KEPT - 1);
            mails.push_front(Received { to, subject, body, unsubscribe, at: self.clock.now() });
        }
        self.arrived.notify_waiters();
        Ok(Delivery::Accepted)
    }
}

#[derive(Deserialize)]
struct Parameters {
    to: Option<String>,
}

#[derive(Serialize)]
struct Listing {
    items: Vec<Received>,
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<!doctype html>
<html lang="ko">
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Firstcome · 개발용 메일함 · Development mailbox</title>
<style>
body { font: 16px/1.6 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem; color: #1c1c28; }
article { border: 1px solid #ddd; border-radius: .75rem; padding: 1rem 1.25rem; margin: 1rem 0; }
h2 { font-size: 1.05rem; margin: 0 0 .25rem; } p { margin: 0; color: #667; } pre { white-space: pre-wrap; margin: .75rem 0 0; }
</style>
<h1>개발용 메일함 · Development mailbox</h1>
<form><input type="email" name="to" placeholder="kim@example.com" value="{{ to }}" aria-label="to"> <button>보기 · Show</button></form>
{% for mail in mails %}<article><h2>{{ mail.subject }}</h2><p>{{ mail.to }} · <time>{{ mail.at }}</time></p><pre>{{ mail.body }}</pre></article>
{% else %}<p>메일이 없습니다. · No e-mails.</p>{% endfor %}
</html>
"#
)]
struct Page {
    to: String,
    mails: Vec<Received>,
}

async fn show(
    State(mailbox): State<Arc<DevMailbox>>,
    headers: HeaderMap,
    QueryString(Parameters { to }): QueryString<Parameters>,
) -> Result<Response, Problem> {
    let mails = match to.as_deref().filter(|to| !to.is_empty()) {
        Some(to) => mailbox.first_of(to).await,
        None => mailbox.list(None),
    };
    let accepts = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accepts.contains("application/json") {
        return Ok(Json(Listing { items: mails }).into_response());
    }
    let page = Page { to: to.unwrap_or_default(), mails };
    let page = page.render().map_err(|error| Problem::new(ErrorCode::Internal).detail(error.to_string()))?;
    Ok(Html(page).into_response())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use firstcome_core::ids::MailId;
    use firstcome_core::testkit::TestClock;
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    use super::*;

    async fn fetch(mailbox: &Arc<DevMailbox>, path: &str, accept: &str) -> String {
        let request = Request::get(path).header("accept", accept).body(Body::empty()).unwrap();
        let answer = Arc::clone(mailbox).router().oneshot(request).await.unwrap();
        String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    fn mail(to: &str, body: &str) -> Mail {
        let (id, to, subject, body) = (MailId([1; 16]), to.to_owned(), "S".to_owned(), body.to_owned());
        Mail { id, to, subject, body, unsubscribe: None }
    }

    #[tokio::test]
    async fn newest_first_of_one_address() {
        let mailbox = DevMailbox::new(Arc::new(TestClock::default()));
        for (to, body) in [("kim@a.kr", "one"), ("lee@a.kr", "two"), ("kim@a.kr", "<three>")] {
            mailbox.send(&mail(to, body)).await.unwrap();
        }
        let listing = fetch(&mailbox, "/dev/mailbox?to=Kim%40a.kr", "application/json").await;
        let listing: serde_json::Value = serde_json::from_str(&listing).unwrap();
        let bodies: Vec<_> = listing["items"].as_array().unwrap().iter().map(|item| &item["body"]).collect();
        assert_eq!(bodies, ["<three>", "one"]);
        assert!(listing["items"][0]["at"].as_str().unwrap().ends_with('Z'));
        assert!(!fetch(&mailbox, "/dev/mailbox?to=no%40a.kr", "text/html").await.contains("three"));
        let page = fetch(&mailbox, "/dev/mailbox", "text/html").await;
        assert!(page.contains("two") && !page.contains("<three>"));
    }

    #[tokio::test]
    async fn the_first_is_waited_for() {
        let mailbox = DevMailbox::new(Arc::new(TestClock::default()));
        let looking = fetch(&mailbox, "/dev/mailbox?to=kim%40a.kr", "text/html");
        let sent = mail("kim@a.kr", "one");
        let (page, _) = tokio::join!(looking, mailbox.send(&sent));
        assert!(page.contains("one"));
    }

    #[tokio::test]
    async fn memory_is_bounded() {
        let mailbox = DevMailbox::new(Arc::new(TestClock::default()));
        for _ in 0..KEPT + 5 {
            mailbox.send(&mail("kim@a.kr", "x")).await.unwrap();
        }
        assert_eq!(mailbox.mails.lock().len(), KEPT);
    }
}
