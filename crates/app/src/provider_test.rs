//! The payment provider's client against the sandbox, over a real connection.

use std::sync::Arc;
use std::time::Duration;

use crate::payments::{TossOptions, TossProvider};
use crate::sandbox;
use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use firstcome_core::ids::{OrderId, PaymentId, RefundId};
use firstcome_core::money::{Currency, Money};
use firstcome_core::ports::{PaymentProvider, ProviderAnswer, ProviderPayment, ProviderStatus, SystemClock};
use firstcome_core::testkit::{MemoryRecords, TestRandom};
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const ORDER: OrderId = OrderId([1; 16]);
const PRICE: Money = Money::new(1000, Currency::KRW);

struct Shop {
    provider: TossProvider,
    base: String,
    notices: mpsc::Receiver<Value>,
    _stop: tokio_util::sync::DropGuard,
}

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

impl Shop {
    /// A sandbox whose notices are received, and a client of it with half a second's patience.
    async fn start() -> Self {
        let (sender, notices) = mpsc::channel(100);
        let receive = move |body: Bytes| {
            let sender = sender.clone();
            async move {
                let notice = serde_json::from_slice(&body).expect("JSON");
                sender.send(notice).await.expect("a receiver");
            }
        };
        let hook = serve(Router::new().route("/hook", post(receive))).await;
        let options = sandbox::Options { webhook_url: Some(format!("{hook}/hook")), ..sandbox::Options::default() };
        let ports = sandbox::Ports {
            records: Arc::new(MemoryRecords::new("sandbox", sandbox::TABLES)),
            clock: Arc::new(SystemClock),
            random: Arc::new(TestRandom::seeded(1)),
        };
        let role = sandbox::create(options, ports);
        let stop = CancellationToken::new();
        for worker in role.workers {
            tokio::spawn(worker.start(stop.clone()));
        }
        let base = serve(role.router.split_for_parts().0).await + sandbox::PREFIX;
        let provider = TossProvider::new(&TossOptions {
            base_url: base.clone(),
            secret_key: sandbox::DEVELOPMENT_SECRET_KEY.to_owned().into(),
            deadline: Duration::from_millis(500),
            idle_connections: 4,
        });
        Self { provider: provider.expect("good options"), base, notices, _stop: stop.drop_guard() }
    }

    async fn call(&self, method: Method, path: &str, body: Value) -> Value {
        let credentials = STANDARD.encode(format!("{}:", sandbox::DEVELOPMENT_SECRET_KEY));
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("authorization", format!("Basic {credentials}"))
            .header("content-type", "application/json")
            .body(Full::<Bytes>::from(body.to_string()))
            .expect("a request");
        let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        let answer = client.request(request).await.expect("an answer");
        let body = answer.into_body().collect().await.expect("a body").to_bytes();
        serde_json::from_slice(&body).expect("JSON")
    }

    async fn paid(&self) -> String {
        let body = json!({"orderId": ORDER.to_string(), "amount": PRICE.amount});
        let made = self.call(Method::POST, "/v1/test/payments", body).await;
        made["paymentKey"].as_str().expect("a key").to_owned()
    }

    async fn faults(&self, rules: Value) {
        self.call(Method::PUT, "/v1/test/faults", json!({"rules": rules})).await;
    }

    async fn confirm(&self, key: &str) -> ProviderAnswer {
        self.provider.confirm(PaymentId([2; 16]), key, ORDER, PRICE).await
    }

    async fn looked_up(&self, key: &str) -> ProviderPayment {
        match self.provider.lookup(key).await {
            ProviderAnswer::Payment(payment) => payment,
            other => panic!("{other:?}"),
        }
    }

    async fn notice(&mut self) -> Value {
        self.notices.recv().await.expect("a notice")
    }
}

fn is_unknown(answer: &ProviderAnswer) -> bool {
    matches!(answer, ProviderAnswer::Unknown { .. })
}

#[tokio::test]
async fn a_payment_from_end_to_end() {
    let mut shop = Shop::start().await;
    let key = shop.paid().await;
    assert_eq!(shop.looked_up(&key).await.status, ProviderStatus::InProgress);
    let ProviderAnswer::Payment(done) = shop.confirm(&key).await else { panic!("not confirmed") };
    assert_eq!((done.status, done.total, done.order_id.parse()), (ProviderStatus::Done, PRICE, Ok(ORDER)));
    assert_eq!(shop.notice().await["data"]["status"], "DONE");
    assert_eq!(shop.confirm(&key).await, ProviderAnswer::Payment(done.clone()));
    let other_key = shop.provider.confirm(PaymentId([9; 16]), &key, ORDER, PRICE).await;
    assert_eq!(other_key, ProviderAnswer::Payment(done.clone()), "processed already: looked up");
    assert_eq!(shop.provider.lookup_order(ORDER).await, ProviderAnswer::Payment(done));

    let refund = RefundId([3; 16]);
    let part = Money::new(400, Currency::KRW);
    let ProviderAnswer::Payment(canceled) = shop.provider.cancel(refund, &key, part, 0, "돌려주세요").await else {
        panic!("not canceled")
    };
    assert_eq!((canceled.status, canceled.balance.amount), (ProviderStatus::PartialCanceled, 600));
    assert_eq!(canceled.cancels[0].refund, Some(refund));
    assert_eq!(shop.provider.cancel(refund, &key, part, 0, "돌려주세요").await, ProviderAnswer::Payment(canceled));
    assert_eq!(shop.notice().await["data"]["status"], "PARTIAL_CANCELED");

    shop.call(Method::POST, &format!("/v1/payments/{key}/cancel"), json!({"cancelReason": "콘솔에서 취소"})).await;
    let in_console = shop.looked_up(&key).await;
    assert_eq!((in_console.status, in_console.cancels[1].refund), (ProviderStatus::Canceled, None));
}

#[tokio::test]
async fn charged_and_the_answer_lost() {
    let shop = Shop::start().await;
    let key = shop.paid().await;
    shop.faults(json!([{"on": "confirm", "kind": "answer_lost", "times": 1}])).await;
    let answer = shop.confirm(&key).await;
    assert!(is_unknown(&answer), "{answer:?}");
    assert_eq!(shop.looked_up(&key).await.status, ProviderStatus::Done);
}

#[tokio::test]
async fn what_goes_wrong_at_the_provider() {
    let shop = Shop::start().await;
    let key = shop.paid().await;
    shop.faults(json!([{"on": "confirm", "kind": "error_500", "times": 1}])).await;
    assert!(is_unknown(&shop.confirm(&key).await));
    shop.faults(json!([{"on": "confirm", "kind": "decline", "times": 1, "code": "PROVIDER_ERROR"}])).await;
    assert!(is_unknown(&shop.confirm(&key).await));
    shop.faults(json!([{"on": "lookup", "kind": "error_500"}])).await;
    assert!(is_unknown(&shop.provider.lookup(&key).await));
    shop.faults(json!([{"on": "confirm", "kind": "decline"}])).await;
    assert!(matches!(shop.confirm(&key).await, ProviderAnswer::Refused { code, .. } if code == "REJECT_CARD_PAYMENT"));
    assert_eq!(shop.looked_up(&key).await.status, ProviderStatus::Aborted);
}

#[tokio::test]
async fn charged_after_we_lost_patience() {
    let shop = Shop::start().await;
    let key = shop.paid().await;
    shop.faults(json!([{"on": "confirm", "kind": "delay", "delay_ms": 1500, "times": 1}])).await;
    assert!(is_unknown(&shop.confirm(&key).await));
    let meanwhile = shop.confirm(&key).await;
    assert!(matches!(&meanwhile, ProviderAnswer::Unknown { reason } if reason.contains("IDEMPOTENT")), "{meanwhile:?}");
    while shop.looked_up(&key).await.status == ProviderStatus::InProgress {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(shop.looked_up(&key).await.status, ProviderStatus::Done);
}

#[tokio::test]
async fn notices_are_lost_doubled_and_early() {
    let mut shop = Shop::start().await;
    shop.faults(json!([{"on": "webhook", "kind": "drop", "times": 1}])).await;
    let lost = shop.paid().await;
    shop.confirm(&lost).await;
    shop.faults(json!([{"on": "webhook", "kind": "duplicate", "times": 1}])).await;
    let doubled = shop.paid().await;
    shop.confirm(&doubled).await;
    for _ in 0..2 {
        assert_eq!(shop.notice().await["data"]["paymentKey"], doubled.as_str());
    }
    shop.faults(json!([{"on": "webhook", "kind": "early", "times": 1}])).await;
    let early = shop.paid().await;
    shop.confirm(&early).await;
    let notice = shop.notices.try_recv().expect("it came before the answer");
    assert_eq!(
        (&notice["data"]["paymentKey"], &notice["eventType"]),
        (&json!(early), &json!("PAYMENT_STATUS_CHANGED"))
    );
}
