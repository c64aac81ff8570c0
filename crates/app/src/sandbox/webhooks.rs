//! Notices to the shop: `PAYMENT_STATUS_CHANGED` whenever a payment changes, `DEPOSIT_CALLBACK` when it is one by a virtual
//! account; tried again when the shop does not say 200.
//!
//! They are sent from memory in the order in which they come, at a measured pace, so that they never crowd out the sale
//! that causes them. A restart loses those that wait, and a long burst those that do not fit; whoever relies on notices
//! alone would be wrong with the real provider too.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use firstcome_core::ports::Clock;
use firstcome_core::records::Json;
use http_body_util::{BodyExt as _, Full};
use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::Serialize;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Sandbox;
use super::faults::{Kind, On};
use super::object::{PaymentObject, View};
use super::rows::Status;
use super::store::Known;
use crate::role::Worker;

/// Notices that may wait; more are dropped, like notices that never arrive.
const WAITING: usize = 10_000;
/// Notices that are being sent or wait for another try.
const UNDER_WAY: usize = 256;
/// Notices that are being sent at the same moment.
const AT_ONCE: usize = 2;
/// How long a place rests after a notice: with [`AT_ONCE`], at most 500 a second.
const REST: Duration = Duration::from_millis(4);
/// How long the shop may take to answer one.
const DEADLINE: Duration = Duration::from_secs(10);
/// Pauses between tries: seconds where the real provider has minutes.
const PAUSES: [u64; 5] = [1, 4, 16, 64, 256];
/// How long an early notice may hold up the answer that it is about.
const EARLY_FOR: Duration = Duration::from_secs(2);

struct Notice {
    payment: Known,
    delay: Duration,
}

/// A notice as the provider writes it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    event_type: &'static str,
    created_at: String,
    data: PaymentObject<'a>,
}

/// A notice about a virtual account, which is written otherwise.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DepositCallback<'a> {
    created_at: String,
    secret: &'a str,
    status: Status,
    transaction_key: Option<&'a str>,
    order_id: &'a str,
}

/// Sends to one address.
struct Sender {
    url: String,
    clock: Arc<dyn Clock>,
    http: Client<HttpConnector, Full<Bytes>>,
    slots: Semaphore,
}

/// Where changes are announced.
pub(super) struct Webhooks {
    sender: Option<Arc<Sender>>,
    queue: mpsc::Sender<Notice>,
}

impl Webhooks {
    /// The announcer and the worker that sends.
    pub(super) fn new(url: Option<String>, clock: Arc<dyn Clock>) -> (Self, Worker) {
        let (queue, waiting) = mpsc::channel(WAITING);
        let sender = url.map(|url| Arc::new(Sender::new(url, clock)));
        let sending = sender.clone();
        let worker = Worker::new("sandbox.webhooks", move |stop| async move {
            match sending {
                Some(sender) => run(sender, waiting, stop).await,
                None => stop.cancelled().await,
            }
            Ok(())
        });
        (Self { sender, queue }, worker)
    }

    fn push(&self, payment: &Known, delay: Duration) {
        if self.queue.try_send(Notice { payment: Arc::clone(payment), delay }).is_err() {
            tracing::debug!(payment = payment.record.payment_key, "too many notices wait; one is lost");
        }
    }
}

impl Sandbox {
    /// Tells the shop that a payment has changed.
    pub(super) async fn announce(&self, payment: &Known) {
        let Some(sender) = &self.webhooks.sender else { return };
        let fault = self.faults.strike(On::Webhook);
        match fault.kind {
            Some(Kind::Drop) => {}
            Some(Kind::Duplicate) => {
                self.webhooks.push(payment, fault.delay);
                self.webhooks.push(payment, fault.delay);
            }
            Some(Kind::Early) => {
                tokio::time::sleep(fault.delay).await;
                let _ = tokio::time::timeout(EARLY_FOR, sender.send(payment)).await;
            }
            _ => self.webhooks.push(payment, fault.delay),
        }
    }
}

impl Sender {
    fn new(url: String, clock: Arc<dyn Clock>) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let http = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(AT_ONCE)
            .build(connector);
        Self { url, clock, http, slots: Semaphore::new(AT_ONCE) }
    }

    fn body(&self, payment: &Known) -> Bytes {
        let now = self.clock.now();
        let created_at = jiff::tz::Offset::constant(9)
            .to_datetime(jiff::Timestamp::from_microsecond(now.0).unwrap_or_default())
            .to_string();
        if let Some(Json(account)) = &payment.record.account {
            let last = payment.record.cancels.0.last().map(|cancel| cancel.transaction_key.as_str());
            let callback = DepositCallback {
                created_at,
                secret: &account.secret,
                status: payment.record.status_at(now),
                transaction_key: last.or(payment.record.approval_key.as_deref()),
                order_id: &payment.record.order_id,
            };
            return Bytes::from(serde_json::to_vec(&callback).unwrap_or_default());
        }
        let data = PaymentObject::of(&payment.record, View::Now(now));
        let envelope = Envelope { event_type: "PAYMENT_STATUS_CHANGED", created_at, data };
        Bytes::from(serde_json::to_vec(&envelope).unwrap_or_default())
    }

    /// Sends once; whether the shop said 200.
    async fn send(&self, payment: &Known) -> bool {
        let request = Request::builder()
            .method(Method::POST)
            .uri(&self.url)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::from(self.body(payment)));
        let Ok(request) = request else { return false };
        let exchange = async {
            let response = self.http.request(request).await.ok()?;
            let accepted = response.status() == hyper::StatusCode::OK;
            // Read to its end, so that the connection can be used again.
            response.into_body().collect().await.ok()?;
            Some(accepted)
        };
        matches!(tokio::time::timeout(DEADLINE, exchange).await, Ok(Some(true)))
    }

    async fn deliver(self: Arc<Self>, notice: Notice) {
        tokio::time::sleep(notice.delay).await;
        for pause in PAUSES.iter().copied().map(Some).chain([None]) {
            let Ok(slot) = self.slots.acquire().await else { return };
            let accepted = self.send(&notice.payment).await;
            tokio::time::sleep(REST).await;
            drop(slot);
            let Some(pause) = pause.filter(|_| !accepted) else { return };
            tokio::time::sleep(Duration::from_secs(pause)).await;
        }
    }
}

async fn run(sender: Arc<Sender>, mut waiting: mpsc::Receiver<Notice>, stop: CancellationToken) {
    let mut under_way = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            Some(_) = under_way.join_next() => {}
            notice = waiting.recv(), if under_way.len() < UNDER_WAY => match notice {
                Some(notice) => {
                    under_way.spawn(Arc::clone(&sender).deliver(notice));
                }
                None => return stop.cancelled().await,
            },
        }
    }
}
