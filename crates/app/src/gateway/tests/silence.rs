//! Log-outs among several processes, and sources of them that are silent.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use firstcome_core::ports::{EventLog, LoggedEvent, PortError, SessionMarks};
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::super::EndedSessions;
use super::*;

/// Something that can be away, or hang without a word.
#[derive(Default)]
struct Line {
    away: AtomicBool,
    hangs: AtomicBool,
}

impl Line {
    async fn pass(&self) -> Result<(), PortError> {
        if self.hangs.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        let away = self.away.load(Ordering::Relaxed);
        if away { Err(PortError::Unavailable("away".to_owned())) } else { Ok(()) }
    }
}

/// Sessions that ended, as the marks and the accounts know them.
#[derive(Default)]
struct Ended {
    line: Line,
    sessions: Mutex<Vec<(SessionId, Time)>>,
    asked: Mutex<Vec<Duration>>,
}

#[async_trait]
impl SessionMarks for Ended {
    async fn mark(&self, session: SessionId, tokens_until: Time) -> Result<(), PortError> {
        self.line.pass().await?;
        self.sessions.lock().push((session, tokens_until));
        Ok(())
    }

    async fn marked(&self, after: i64) -> Result<(Vec<(SessionId, Time)>, i64), PortError> {
        self.line.pass().await?;
        let ended = self.sessions.lock();
        Ok((ended[after as usize..].to_vec(), ended.len() as i64))
    }
}

#[async_trait]
impl EndedSessions for Ended {
    async fn ended_within(&self, time: Duration) -> Result<Vec<(SessionId, Time)>, PortError> {
        self.asked.lock().push(time);
        self.line.pass().await?;
        Ok(self.sessions.lock().clone())
    }
}

/// The topic, of which nothing new comes while it is silent, as from a broker that is not reached.
struct Topic {
    line: Arc<Line>,
    inner: Arc<dyn EventLog>,
}

#[async_trait]
impl EventLog for Topic {
    async fn read(&self, topic: &'static str, after: i64, limit: usize) -> Result<Vec<LoggedEvent>, PortError> {
        self.inner.read(topic, after, limit).await
    }

    async fn wait(&self, topic: &'static str, after: i64) -> Result<(), PortError> {
        self.inner.wait(topic, after).await
    }

    async fn catch_up(&self, _: &'static str) -> Result<(), PortError> {
        self.line.pass().await
    }
}

/// A gateway among others, with its workers running.
struct Among {
    shop: Fixture,
    topic: Arc<Line>,
    marks: Arc<Ended>,
    accounts: Arc<Ended>,
    stop: CancellationToken,
    workers: Vec<JoinHandle<Result<(), crate::role::WorkerFailed>>>,
}

impl Among {
    async fn start() -> Self {
        let (topic, marks, accounts) =
            (Arc::new(Line::default()), Arc::new(Ended::default()), Arc::new(Ended::default()));
        let shop = Fixture::with(Options::default(), |ports| {
            ports.revocations = Arc::new(Revocations::told_by(marks.clone()));
            ports.events = Arc::new(Topic { line: topic.clone(), inner: ports.events.clone() });
            ports.accounts = Some(accounts.clone());
        });
        let stop = CancellationToken::new();
        let workers =
            shop.gateway.workers().into_iter().map(|worker| tokio::spawn(worker.start(stop.clone()))).collect();
        shop.gateway.load().await.unwrap();
        let among = Self { shop, topic, marks, accounts, stop, workers };
        among.pass(100).await;
        among
    }

    async fn pass(&self, milliseconds: u64) {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }

    /// What a buyer's order is answered.
    async fn order(&self, token: &str) -> u16 {
        self.shop.with_token("POST", "/api/v1/orders", token).await.status
    }

    async fn end(self) {
        self.stop.cancel();
        for worker in self.workers {
            worker.await.unwrap().unwrap();
        }
    }
}

fn session(number: u8) -> SessionId {
    SessionId([number; 16])
}

#[tokio::test(start_paused = true)]
async fn a_log_out_that_is_marked_is_effective_within_a_second() {
    let among = Among::start().await;
    let (kim, lee) = (among.shop.token(1, false), among.shop.token(2, false));
    assert_eq!(among.order(&kim).await, 200);
    let until = among.shop.clock.now() + Duration::from_mins(15);
    among.marks.mark(session(1), until).await.unwrap();
    among.pass(900).await;
    assert_eq!(among.order(&kim).await, 401, "also for a token that is remembered");
    among.topic.away.store(true, Ordering::Relaxed);
    among.pass(5_000).await;
    assert_eq!(among.order(&lee).await, 200, "the marks go on telling");
    among.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_topic_alone_is_enough_if_it_is_heard() {
    let among = Among::start().await;
    let (kim, lee) = (among.shop.token(1, false), among.shop.token(2, false));
    among.marks.line.hangs.store(true, Ordering::Relaxed);
    among.accounts.line.away.store(true, Ordering::Relaxed);
    among.pass(5_000).await;
    assert_eq!(among.order(&kim).await, 200);
    among.shop.revoked(session(1), among.shop.clock.now() + Duration::from_mins(15)).await;
    among.pass(900).await;
    assert_eq!((among.order(&kim).await, among.order(&lee).await), (401, 200));
    among.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_accounts_are_asked_when_the_others_are_silent() {
    let among = Among::start().await;
    let (kim, lee, park) = (among.shop.token(1, false), among.shop.token(2, false), among.shop.token(3, false));
    let until = among.shop.clock.now() + Duration::from_mins(15);
    among.topic.hangs.store(true, Ordering::Relaxed);
    among.marks.line.hangs.store(true, Ordering::Relaxed);
    for _ in 0..50 {
        among.pass(100).await;
        assert_eq!(among.order(&kim).await, 200, "there is no gap");
    }
    among.accounts.sessions.lock().push((session(1), until));
    among.pass(900).await;
    assert_eq!((among.order(&kim).await, among.order(&lee).await), (401, 200));

    // Nobody says anything.
    among.accounts.line.away.store(true, Ordering::Relaxed);
    among.pass(1_000).await;
    let refused = among.shop.with_token("POST", "/api/v1/orders", &lee).await;
    assert_eq!((refused.status, &refused.headers["retry-after"]), (503, &"1".parse().unwrap()));
    assert_eq!(among.shop.send("GET", "/api/v1/offers", &[]).await.status, 200, "what needs nobody goes on");
    among.pass(60_000).await;
    among.accounts.sessions.lock().push((session(2), until));
    among.accounts.line.away.store(false, Ordering::Relaxed);
    among.pass(300).await;
    assert_eq!((among.order(&lee).await, among.order(&park).await), (401, 200), "and what was missed is learned");
    assert!(among.accounts.asked.lock().iter().max() >= Some(&Duration::from_secs(70)), "as far back as it goes");
    among.end().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_is_silent_is_reason_enough_to_ask() {
    let among = Among::start().await;
    let kim = among.shop.token(1, false);
    let until = among.shop.clock.now() + Duration::from_mins(15);
    // It went to the topic, which is not heard here; what is heard here, the accounts do not reach.
    among.topic.away.store(true, Ordering::Relaxed);
    among.pass(1_000).await;
    among.accounts.sessions.lock().push((session(1), until));
    among.pass(900).await;
    assert_eq!(among.order(&kim).await, 401);
    among.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_log_out_that_the_accounts_could_tell_nobody_is_asked_for() {
    let among = Among::start().await;
    let (kim, lee) = (among.shop.token(1, false), among.shop.token(2, false));
    among.pass(5_000).await;
    among.accounts.sessions.lock().push((session(1), among.shop.clock.now() + Duration::from_mins(15)));
    among.pass(900).await;
    assert_eq!((among.order(&kim).await, among.order(&lee).await), (401, 200));
    assert!(among.accounts.asked.lock().iter().all(|time| *time < Duration::from_secs(12)), "no more than is needed");
    among.end().await;
}

#[tokio::test(start_paused = true)]
async fn streams_end_when_nobody_says_who_was_logged_out() {
    let among = Among::start().await;
    let bearer = format!("Bearer {}", among.shop.token(1, false));
    let mut silence = among.shop.stream("/api/v1/silence", "authorization", &bearer).await;
    among.pass(5_000).await;
    assert!(futures_util::poll!(silence.next()).is_pending());
    for line in [&*among.topic, &among.marks.line, &among.accounts.line] {
        line.away.store(true, Ordering::Relaxed);
    }
    assert!(silence.next().await.is_none());
    among.end().await;
}
