//! One instance of a role, as this gateway knows it: its connections, how fast it answers, how much it has to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use firstcome_core::ports::{Instance, Load};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Options;
use super::breaker::Breaker;

/// How long an idle connection is kept: shorter than servers of ours keep theirs, so that none is used that is being closed.
const IDLE_FOR: Duration = Duration::from_secs(15);
/// Over how long latency is averaged. What was seen counts less the longer ago it was, also when nothing new is seen:
/// a slow instance is tried again.
const MEMORY: Duration = Duration::from_secs(5);
/// What an answer counts for at the least that helped nobody: whoever refuses fast would else look like the fastest.
const USELESS: Duration = Duration::from_millis(20);
/// What an instance that nobody knows yet is taken for.
const UNKNOWN_LATENCY: Duration = Duration::from_millis(1);

/// The average of latencies.
struct Latency {
    micros: f64,
    seen: Instant,
}

impl Latency {
    fn fade(&self, now: Instant) -> f64 {
        (-now.saturating_duration_since(self.seen).as_secs_f64() / MEMORY.as_secs_f64()).exp()
    }

    fn at(&self, now: Instant) -> f64 {
        self.micros * self.fade(now)
    }

    fn observe(&mut self, took: Duration, now: Instant) {
        let took = took.as_secs_f64() * 1e6;
        // A tenth at the least: a single instance with many requests would otherwise hardly move.
        let old = self.fade(now).min(0.9);
        self.micros = self.micros * old + took * (1.0 - old);
        self.seen = now;
    }
}

/// One instance.
pub(super) struct Target {
    pub(super) instance: Instance,
    pub(super) breaker: Breaker,
    client: Client<HttpConnector, Full<Bytes>>,
    draining: AtomicBool,
    in_flight: AtomicUsize,
    latency: Mutex<Latency>,
    /// What waits in it, as it said last.
    pub(super) waits: Mutex<Load>,
    /// When the registry listed it last.
    pub(super) listed: Mutex<Instant>,
    /// Whether it did when it was asked last.
    pub(super) is_listed: AtomicBool,
    /// Whether nobody waits any longer for what can be asked of another: it hangs, and others do not.
    pub(super) is_given_up: watch::Sender<bool>,
}

impl Target {
    pub(super) fn new(instance: Instance, options: &Options, now: Instant) -> Arc<Self> {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(options.connect));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_FOR)
            .pool_max_idle_per_host(options.max_in_flight)
            .build(connector);
        Arc::new(Self {
            draining: AtomicBool::new(instance.draining),
            waits: Mutex::new(instance.load),
            instance,
            breaker: Breaker::new(options.breaker),
            client,
            in_flight: AtomicUsize::new(0),
            latency: Mutex::new(Latency { micros: UNKNOWN_LATENCY.as_micros() as f64, seen: now }),
            listed: Mutex::new(now),
            is_listed: AtomicBool::new(true),
            is_given_up: watch::Sender::new(false),
        })
    }

    /// It takes nothing new.
    pub(super) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(super) fn latency_micros(&self, now: Instant) -> f64 {
        self.latency.lock().at(now)
    }

    /// How long a new request would take here, by what is known.
    pub(super) fn load(&self, now: Instant) -> f64 {
        (self.latency_micros(now) + 1.0) * (self.in_flight() + 1) as f64
    }

    /// Sends a request and waits for the head of the answer.
    pub(super) async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, hyper_util::client::legacy::Error> {
        self.client.request(request).await
    }

    /// Waits until nobody waits for it any longer.
    pub(super) async fn given_up(&self) {
        // It ends well: the sender lives as long as this target.
        let _ = self.is_given_up.subscribe().wait_for(|given_up| *given_up).await;
    }

    pub(super) fn observe(&self, took: Duration, now: Instant) {
        self.latency.lock().observe(took, now);
    }
}

/// A request under way. Dropped without a word (whoever asked waited no longer), it says nothing of whether the instance is
/// well, but that it took so long.
pub(super) struct UnderWay {
    target: Arc<Target>,
    begun: Instant,
    told: bool,
}

impl UnderWay {
    /// Begins one that the breaker has admitted.
    pub(super) fn begin(target: Arc<Target>, now: Instant) -> Self {
        target.in_flight.fetch_add(1, Ordering::Relaxed);
        Self { target, begun: now, told: false }
    }

    pub(super) fn answered(mut self) {
        let now = Instant::now();
        self.told = true;
        self.target.breaker.succeeded();
        self.target.observe(now.saturating_duration_since(self.begun), now);
    }

    /// It is well, but has too much to do.
    pub(super) fn busy(mut self) {
        let now = Instant::now();
        self.told = true;
        self.target.breaker.succeeded();
        self.target.observe(now.saturating_duration_since(self.begun).max(USELESS), now);
    }

    pub(super) fn failed(mut self) {
        let now = Instant::now();
        self.told = true;
        self.target.breaker.failed(now);
        self.target.observe(now.saturating_duration_since(self.begun).max(USELESS), now);
    }

    pub(super) fn refused(mut self) {
        self.told = true;
        self.target.breaker.refused(Instant::now());
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.target.in_flight.fetch_sub(1, Ordering::Relaxed);
        if !self.told {
            self.target.breaker.abandoned();
            let now = Instant::now();
            let took = now.saturating_duration_since(self.begun);
            if took.as_secs_f64() * 1e6 > self.target.latency_micros(now) {
                self.target.observe(took, now);
            }
        }
    }
}
