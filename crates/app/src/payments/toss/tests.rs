//! The client against a stub: what it sends, and what it makes of what comes back.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::{Router, routing::any};
use firstcome_core::ids::{OrderId, PaymentId, RefundId};
use firstcome_core::money::{Currency, Money};
use firstcome_core::ports::{
    AccountRequest, PaymentProvider as _, Personal, ProviderAnswer, ProviderStatus, ReceiptAnswer, ReceiptKind,
    ReceiptRequest, RefundAccount,
};
use firstcome_core::time::Time;
use parking_lot::Mutex;
use tokio::net::TcpListener;

use super::{TossOptions, TossProvider};

const PRICE: Money = Money::new(1000, Currency::KRW);
const SECRET: &str = "test_sk_of_the_stub";

/// What the stub was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sent {
    method: Method,
    path: String,
    authorization: String,
    key: Option<String>,
    body: String,
}

type Log = Arc<Mutex<Vec<Sent>>>;

/// A provider that gives these answers in turn.
async fn stub(answers: Vec<(u16, String)>) -> (TossProvider, Log) {
    let log = Log::default();
    let seen = Arc::clone(&log);
    let answers = Arc::new(Mutex::new(answers.into_iter()));
    let answer = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        seen.lock().push(Sent {
            method,
            path: uri.path().to_owned(),
            authorization: text("authorization").unwrap_or_default(),
            key: text("idempotency-key"),
            body: String::from_utf8_lossy(&body).into_owned(),
        });
        let next = answers.lock().next();
        async move {
            match next {
                Some((status, body)) => (StatusCode::from_u16(status).expect("a status"), body).into_response(),
                None => std::future::pending::<Response>().await,
            }
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let router = Router::new().fallback(any(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (client(&format!("http://{address}/base/")), log)
}

fn client(base_url: &str) -> TossProvider {
    TossProvider::new(&TossOptions {
        base_url: base_url.to_owned(),
        secret_key: SECRET.to_owned().into(),
        deadline: Duration::from_millis(500),
        idle_connections: 4,
    })
    .expect("good options")
}

fn payment(status: &str) -> String {
    format!(
        r#"{{"paymentKey":"key","orderId":"{}","status":"{status}","totalAmount":1000,"balanceAmount":1000,"currency":"KRW","cancels":null}}"#,
        OrderId([1; 16])
    )
}

fn status(answer: &ProviderAnswer) -> Option<ProviderStatus> {
    match answer {
        ProviderAnswer::Payment(payment) => Some(payment.status),
        _ => None,
    }
}

#[tokio::test]
async fn confirm_as_documented() {
    let (provider, log) = stub(vec![(200, payment("DONE"))]).await;
    let attempt = PaymentId([2; 16]);
    let answer = provider.confirm(attempt, "key", OrderId([1; 16]), PRICE).await;
    assert_eq!(status(&answer), Some(ProviderStatus::Done));
    let sent = log.lock()[0].clone();
    assert_eq!((sent.method, sent.path.as_str()), (Method::POST, "/base/v1/payments/confirm"));
    assert_eq!(sent.authorization, "Basic dGVzdF9za19vZl90aGVfc3R1Yjo=");
    assert_eq!(sent.key, Some(attempt.to_string()));
    assert_eq!(sent.body, format!(r#"{{"paymentKey":"key","orderId":"{}","amount":1000}}"#, OrderId([1; 16])));
}

#[tokio::test]
async fn cancel_as_documented() {
    let (provider, log) = stub(vec![(200, payment("CANCELED"))]).await;
    let refund = RefundId([3; 16]);
    provider.cancel(refund, "key", PRICE, 0, "why", None).await;
    let sent = log.lock()[0].clone();
    assert_eq!((sent.method, sent.path.as_str()), (Method::POST, "/base/v1/payments/key/cancel"));
    assert_eq!(sent.key, Some(refund.to_string()));
    assert_eq!(sent.body, format!(r#"{{"cancelReason":"why [{refund}]","cancelAmount":1000}}"#));
}

#[tokio::test]
async fn a_deposit_goes_back_to_the_account_that_is_named() {
    let (provider, log) = stub(vec![(200, payment("CANCELED")), (200, payment("CANCELED"))]).await;
    let (refund, attempt) = (RefundId([3; 16]), PaymentId([2; 16]));
    let (number, holder) = (Personal("1002123456789".to_owned()), Personal("Kim".to_owned()));
    let to = RefundAccount { bank: "20".to_owned(), number, holder };
    provider.cancel(refund, "key", PRICE, 0, "why", Some(&to)).await;
    let account = r#""refundReceiveAccount":{"bank":"20","accountNumber":"1002123456789","holderName":"Kim"}"#;
    let sent = log.lock()[0].clone();
    assert_eq!(sent.body, format!(r#"{{"cancelReason":"why [{refund}]","cancelAmount":1000,{account}}}"#));
    provider.close_account(attempt, "key").await;
    let sent = log.lock()[1].clone();
    assert_eq!((sent.path.as_str(), sent.key), ("/base/v1/payments/key/cancel", Some(format!("{attempt}-close"))));
    assert!(!sent.body.contains("cancelAmount") && !sent.body.contains("refundReceiveAccount"), "{}", sent.body);
}

#[tokio::test]
async fn accounts_and_receipts_as_documented() {
    let receipt = r#"{"receiptKey":"r","issueNumber":"7","issueStatus":"COMPLETED"}"#.to_owned();
    let answers = vec![(200, payment("WAITING_FOR_DEPOSIT")), (200, receipt.clone()), (200, receipt)];
    let (provider, log) = stub(answers).await;
    let (attempt, order) = (PaymentId([2; 16]), OrderId([1; 16]));
    let (bank, depositor) = ("88".to_owned(), Personal("Kim".to_owned()));
    let due_at = Time::from_millis(1_800_000_000_999);
    let account = AccountRequest { order, amount: PRICE, tax_free: 400, bank, depositor, due_at };
    let answer = provider.open_account(attempt, &account).await;
    assert_eq!(status(&answer), Some(ProviderStatus::WaitingForDeposit));
    let request = ReceiptRequest {
        order,
        amount: PRICE,
        tax_free: 400,
        kind: ReceiptKind::Expenditure,
        number: Personal("1234567890".to_owned()),
    };
    assert!(matches!(provider.issue_receipt(attempt, &request).await, ReceiptAnswer::Receipt(_)));
    assert!(matches!(provider.lower_receipt(attempt, "r", PRICE, 300).await, ReceiptAnswer::Receipt(_)));
    let named = format!(r#""amount":1000,"orderId":"{order}","orderName":"주문 {order}""#);
    let expected = [
        (
            "virtual-accounts",
            attempt.to_string(),
            format!(
                r#"{{{named},"customerName":"Kim","bank":"88","dueDate":"2027-01-15T17:00:00","taxFreeAmount":400}}"#
            ),
        ),
        (
            "cash-receipts",
            format!("{attempt}-receipt"),
            format!(r#"{{{named},"customerIdentityNumber":"1234567890","type":"지출증빙","taxFreeAmount":400}}"#),
        ),
        ("cash-receipts/r/cancel", format!("{attempt}-receipt-300"), r#"{"amount":1000}"#.to_owned()),
    ];
    for (sent, (path, key, body)) in log.lock().iter().zip(expected) {
        assert_eq!(
            (sent.path.as_str(), sent.key.as_deref()),
            (format!("/base/v1/{path}").as_str(), Some(key.as_str()))
        );
        assert_eq!(sent.body, body);
    }
}

#[tokio::test]
async fn a_cancel_says_what_of_it_is_free_of_vat() {
    let (provider, log) = stub(vec![(200, payment("CANCELED"))]).await;
    let refund = RefundId([3; 16]);
    provider.cancel(refund, "key", PRICE, 400, "why", None).await;
    let body = format!(r#"{{"cancelReason":"why [{refund}]","cancelAmount":1000,"taxFreeAmount":400}}"#);
    assert_eq!(log.lock()[0].body, body);
}

#[tokio::test]
async fn already_processed_is_looked_up() {
    let already = r#"{"code":"ALREADY_PROCESSED_PAYMENT","message":"m"}"#.to_owned();
    let (provider, log) = stub(vec![(400, already), (200, payment("DONE"))]).await;
    let answer = provider.confirm(PaymentId([2; 16]), "key", OrderId([1; 16]), PRICE).await;
    assert_eq!(status(&answer), Some(ProviderStatus::Done));
    assert_eq!(log.lock()[1].path, "/base/v1/payments/key");
}

#[tokio::test]
async fn silence_is_unknown() {
    let (provider, _) = stub(vec![(500, String::new())]).await;
    for expected in ["500", "in time"] {
        let answer = provider.lookup("key").await;
        assert!(matches!(&answer, ProviderAnswer::Unknown { reason } if reason.contains(expected)), "{answer:?}");
    }
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = nobody.local_addr().expect("an address");
    drop(nobody);
    let answer = client(&format!("http://{address}")).lookup("key").await;
    assert!(matches!(answer, ProviderAnswer::Unknown { .. }), "{answer:?}");
}

#[tokio::test]
async fn a_key_never_changes_the_path() {
    let (provider, log) = stub(Vec::new()).await;
    for key in ["", "..", "a/b", "a?b", "a%2fb", "a b", "키"] {
        assert!(matches!(provider.lookup(key).await, ProviderAnswer::Refused { .. }), "{key}");
        let canceled = provider.cancel(RefundId([3; 16]), key, PRICE, 0, "why", None).await;
        assert!(matches!(canceled, ProviderAnswer::Refused { .. }), "{key}");
    }
    assert!(log.lock().is_empty());
}

#[test]
fn bad_options_are_named() {
    for base_url in ["", "api.tosspayments.com", "ftp://x", "http://"] {
        let options = TossOptions {
            base_url: base_url.to_owned(),
            secret_key: SECRET.to_owned().into(),
            deadline: Duration::from_secs(1),
            idle_connections: 1,
        };
        assert!(TossProvider::new(&options).is_err(), "{base_url}");
    }
}
