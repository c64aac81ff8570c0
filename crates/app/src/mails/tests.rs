use std::collections::VecDeque;

use async_trait::async_trait;
use firstcome_core::ports::{Delivery, Mail, PortError};
use firstcome_core::records::{Query, Record as _, RecordsExt as _, Stored, Value};
use firstcome_core::testkit::{MemoryRecords, TestClock};
use parking_lot::Mutex;

use super::*;
use crate::secrets::SystemRandom;

const TO: &str = "kim@example.com";

/// A mail server that says what it is told to, and `Accepted` when it is told nothing.
#[derive(Default)]
struct Scripted {
    answers: Mutex<VecDeque<Result<Delivery, PortError>>>,
    always: Mutex<Option<PortError>>,
    got: Mutex<Vec<Mail>>,
}

#[async_trait]
impl Mailer for Scripted {
    async fn send(&self, mail: &Mail) -> Result<Delivery, PortError> {
        self.got.lock().push(mail.clone());
        if let Some(error) = self.always.lock().clone() {
            return Err(error);
        }
        self.answers.lock().pop_front().unwrap_or(Ok(Delivery::Accepted))
    }
}

struct Post {
    mails: Arc<Mails>,
    server: Arc<Scripted>,
    records: Arc<MemoryRecords>,
    clock: TestClock,
    keys: Arc<Keys>,
}

impl Post {
    fn new() -> Self {
        let records = Arc::new(MemoryRecords::new("accounts", &[QueuedMail::TABLE]));
        Self::over(records, TestClock::default(), Arc::new(Keys::in_memory(&SystemRandom)), Arc::default())
    }

    /// Another process on the same database.
    fn other(&self) -> Self {
        Self::over(self.records.clone(), self.clock.clone(), self.keys.clone(), self.server.clone())
    }

    fn over(records: Arc<MemoryRecords>, clock: TestClock, keys: Arc<Keys>, server: Arc<Scripted>) -> Self {
        let ports = Ports {
            records: records.clone(),
            mailer: server.clone(),
            keys: keys.clone(),
            clock: Arc::new(clock.clone()),
            random: Arc::new(SystemRandom),
        };
        Self { mails: Mails::new(ports, &mut Registry::default()), server, records, clock, keys }
    }

    async fn queue(&self, useful_for: Duration) {
        let mail = NewMail { purpose: "test", to: TO, subject: "Hello", body: "the code is 123456".into(), useful_for };
        self.records.commit(self.mails.queue(mail)).await.unwrap();
    }

    async fn rows(&self) -> Vec<Stored<QueuedMail>> {
        self.records.list::<QueuedMail>(Query::all(QueuedMail::TABLE, 10)).await.unwrap()
    }

    fn sent(&self) -> usize {
        self.server.got.lock().len()
    }
}

fn away() -> PortError {
    PortError::Unavailable("the SMTP server mail.example:25 cannot be reached".to_owned())
}

#[tokio::test]
async fn what_is_queued_is_sealed_then_delivered_and_gone() {
    let post = Post::new();
    post.queue(Duration::from_mins(5)).await;
    for value in post.records.select(Query::all(QueuedMail::TABLE, 10)).await.unwrap().remove(0).values {
        let bytes = match value {
            Value::Blob(bytes) => bytes,
            Value::Text(text) => text.into_bytes(),
            Value::Integer(_) | Value::Null => continue,
        };
        for secret in [TO, "Hello", "123456"] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret} is readable");
        }
    }
    post.mails.deliver_due().await.unwrap();
    let got = post.server.got.lock().clone();
    assert_eq!((got.len(), got[0].to.as_str(), got[0].subject.as_str()), (1, TO, "Hello"));
    assert!(got[0].body.contains("123456") && post.rows().await.is_empty());
}

#[tokio::test]
async fn a_server_that_is_away_for_a_while_gets_it_later() {
    let post = Post::new();
    post.queue(Duration::from_hours(1)).await;
    post.server.answers.lock().extend([Err(away()), Err(away()), Err(away())]);
    for (pause, tries) in [(0, 1), (2, 2), (4, 3), (8, 4)] {
        post.clock.advance(Duration::from_secs(pause));
        post.mails.deliver_due().await.unwrap();
        post.mails.deliver_due().await.unwrap();
        assert_eq!(post.sent(), tries, "after {pause} more seconds");
    }
    assert!(post.rows().await.is_empty());
    let ids: std::collections::HashSet<_> = post.server.got.lock().iter().map(|mail| mail.id).collect();
    assert_eq!(ids.len(), 1, "each try names the same e-mail");
}

#[tokio::test]
async fn what_is_refused_for_good_is_kept_without_its_contents_and_then_forgotten() {
    let post = Post::new();
    post.queue(Duration::from_hours(1)).await;
    post.server.answers.lock().push_back(Ok(Delivery::Refused(550)));
    post.mails.deliver_due().await.unwrap();
    post.clock.advance(Duration::from_hours(1));
    post.mails.deliver_due().await.unwrap();
    assert_eq!(post.sent(), 1);
    let row = post.rows().await.remove(0).record;
    assert_eq!((row.state, row.contents.len()), (MailState::GivenUp, 0));
    assert!(row.reason.unwrap().contains("550"));
    post.mails.forget().await.unwrap();
    assert_eq!(post.rows().await.len(), 1);
    post.clock.advance(Duration::from_hours(30 * 24));
    post.mails.forget().await.unwrap();
    assert!(post.rows().await.is_empty());
}

#[tokio::test]
async fn tries_are_bounded() {
    let post = Post::new();
    post.queue(Duration::from_hours(24 * 365)).await;
    *post.server.always.lock() = Some(away());
    for _ in 0..TRIES + 5 {
        post.mails.deliver_due().await.unwrap();
        post.clock.advance(Duration::from_hours(1));
    }
    assert_eq!(post.sent(), TRIES as usize);
    let row = post.rows().await.remove(0).record;
    assert_eq!(row.state, MailState::GivenUp);
    assert!(row.reason.unwrap().contains("cannot be reached"));
}

#[tokio::test]
async fn a_code_that_nobody_could_use_any_more_is_not_sent() {
    let post = Post::new();
    post.queue(Duration::from_mins(5)).await;
    post.clock.advance(Duration::from_mins(5));
    post.mails.deliver_due().await.unwrap();
    assert_eq!((post.sent(), post.rows().await.remove(0).record.state), (0, MailState::GivenUp));
}

#[tokio::test]
async fn of_two_processes_one_delivers() {
    let post = Post::new();
    let other = post.other();
    for _ in 0..20 {
        post.queue(Duration::from_mins(5)).await;
    }
    let (one, two) = tokio::join!(post.mails.deliver_due(), other.mails.deliver_due());
    one.and(two).unwrap();
    assert_eq!(post.sent(), 20);
}

#[tokio::test]
async fn who_dies_on_the_way_leaves_it_to_another() {
    let post = Post::new();
    post.queue(Duration::from_hours(1)).await;
    // Taken, as a process does that dies before the server answers.
    let mut taken = post.rows().await.remove(0);
    taken.record.tries += 1;
    taken.record.due_at = post.clock.now() + Duration::from_mins(3);
    post.records.commit(Unit::new().update(&taken)).await.unwrap();
    post.mails.deliver_due().await.unwrap();
    assert_eq!(post.sent(), 0);
    post.clock.advance(Duration::from_mins(3));
    post.mails.deliver_due().await.unwrap();
    assert_eq!((post.sent(), post.rows().await.len()), (1, 0));
}

#[tokio::test]
async fn who_waits_for_a_mail_does_not_wait_for_those_of_many() {
    let post = Post::new();
    for number in 0..20 {
        let body = format!("news {number}");
        let news = NewMail { purpose: "test", to: TO, subject: "News", body, useful_for: Duration::from_hours(1) };
        post.records.commit(post.mails.queue_patiently(UserId([1; 16]), news)).await.unwrap();
    }
    post.mails.deliver_due().await.unwrap();
    let first = post.sent();
    assert!((1..20).contains(&first), "a few at a time");
    post.queue(Duration::from_mins(5)).await;
    post.mails.deliver_due().await.unwrap();
    assert_eq!(post.sent(), first + 1);
    assert_eq!(post.server.got.lock().last().map(|mail| mail.subject.clone()), Some("Hello".to_owned()));
    for _ in 0..20 {
        post.mails.deliver_due().await.unwrap();
    }
    assert_eq!((post.sent(), post.rows().await.len()), (21, 0), "and all of them go out");
}

#[tokio::test]
async fn what_is_about_somebody_is_taken_out_in_whatever_way_it_waits() {
    let post = Post::new();
    let (kim, lee) = (UserId([1; 16]), UserId([2; 16]));
    let mail = |purpose| NewMail {
        purpose,
        to: TO,
        subject: "Hello",
        body: String::new(),
        useful_for: Duration::from_mins(5),
    };
    for (purpose, owner) in [("kim", kim), ("lee", lee)] {
        let mut unit = post.mails.queue_about(owner, mail(purpose));
        unit.append(post.mails.queue_patiently(owner, mail(purpose)));
        unit.append(post.mails.queue_advertising(mail(purpose), owner, String::new()));
        post.records.commit(unit).await.unwrap();
    }
    post.queue(Duration::from_mins(5)).await;
    // One that a process has taken and failed to deliver waits as well.
    let mut tried = post.rows().await.into_iter().find(|row| row.record.owner == Some(kim)).unwrap();
    (tried.record.tries, tried.record.due_at) = (1, post.clock.now() + Duration::from_mins(1));
    post.records.commit(Unit::new().update(&tried)).await.unwrap();
    post.records.commit(post.mails.withdrawn_wholly(kim).await.unwrap()).await.unwrap();
    let mut left: Vec<_> = post.rows().await.into_iter().map(|row| row.record.purpose).collect();
    left.sort();
    assert_eq!(left, ["lee", "lee", "lee", "test"]);
    assert!(post.mails.withdrawn_wholly(kim).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_tried_again_later_holds_nobody_up() {
    let post = Post::new();
    let body = String::new();
    let news = NewMail { purpose: "news", to: TO, subject: "News", body, useful_for: Duration::from_hours(1) };
    post.records.commit(post.mails.queue_patiently(UserId([1; 16]), news)).await.unwrap();
    assert!(post.mails.waiting("news").await.unwrap() && !post.mails.waiting("other").await.unwrap());
    post.server.answers.lock().push_back(Err(away()));
    post.mails.deliver_due().await.unwrap();
    assert!(post.rows().await.len() == 1 && !post.mails.waiting("news").await.unwrap());
    post.clock.advance(Duration::from_mins(1));
    assert!(post.mails.waiting("news").await.unwrap(), "it is due again");
}
