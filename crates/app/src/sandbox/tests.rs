//! The provider's API as its documentation gives it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use firstcome_core::ports::Clock as _;
use firstcome_core::testkit::{MemoryRecords, TestClock, TestRandom};
use firstcome_core::time::Time;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{DEVELOPMENT_SECRET_KEY, Options, Ports, TABLES, create};

const ORDER: &str = "ord_7zzzzzzzzzzzzzzzzzzzzzzzzz";

struct Provider {
    router: Router,
    records: Arc<MemoryRecords>,
    clock: TestClock,
}

struct Answer {
    status: u16,
    location: String,
    text: String,
    json: Value,
}

impl Provider {
    fn start() -> Self {
        let clock = TestClock::at(Time::from_millis(1_800_000_000_000));
        Self::over(Arc::new(MemoryRecords::new("sandbox", TABLES)), clock)
    }

    fn over(records: Arc<MemoryRecords>, clock: TestClock) -> Self {
        let ports = Ports {
            records: records.clone(),
            clock: Arc::new(clock.clone()),
            random: Arc::new(TestRandom::seeded(clock.now().0 as u64)),
        };
        let (router, _) = create(Options::default(), ports).router.split_for_parts();
        Self { router, records, clock }
    }

    async fn call(&self, method: Method, path: &str, key: Option<&str>, body: Value) -> Answer {
        self.send(method, path, key, DEVELOPMENT_SECRET_KEY, "application/json", body.to_string()).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        secret: &str,
        kind: &str,
        body: String,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/sandbox/toss{path}"))
            .header(header::HOST, "shop.test")
            .header(header::AUTHORIZATION, format!("Basic {}", STANDARD.encode(format!("{secret}:"))))
            .header(header::CONTENT_TYPE, kind);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let request = request.body(Body::from(body)).expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("infallible");
        let status = response.status().as_u16();
        let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
        let location = location.unwrap_or_default().to_owned();
        let bytes = response.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answer { status, location, json: serde_json::from_str(&text).unwrap_or_default(), text }
    }

    async fn paid(&self, amount: i64) -> String {
        let body = json!({"orderId": ORDER, "amount": amount});
        let answer = self.call(Method::POST, "/v1/test/payments", None, body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json["paymentKey"].as_str().expect("a key").to_owned()
    }

    async fn confirm(&self, payment: &str, key: &str, amount: i64) -> Answer {
        let body = json!({"paymentKey": payment, "orderId": ORDER, "amount": amount});
        self.call(Method::POST, "/v1/payments/confirm", Some(key), body).await
    }

    async fn cancel(&self, payment: &str, key: &str, body: Value) -> Answer {
        self.call(Method::POST, &format!("/v1/payments/{payment}/cancel"), Some(key), body).await
    }

    async fn lookup(&self, payment: &str) -> Answer {
        self.call(Method::GET, &format!("/v1/payments/{payment}"), None, Value::Null).await
    }

    async fn faults(&self, rules: Value) -> Answer {
        self.call(Method::PUT, "/v1/test/faults", None, json!({"rules": rules})).await
    }
}

fn code(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.json["code"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn the_whole_object() {
    let provider = Provider::start();
    let payment = provider.paid(55_000).await;
    let before = provider.lookup(&payment).await;
    assert_eq!((before.status, &before.json["status"]), (200, &json!("IN_PROGRESS")));
    assert_eq!(before.json["approvedAt"], Value::Null);
    let done = provider.confirm(&payment, "k", 55_000).await;
    assert_eq!(done.status, 200, "{}", done.text);
    for (field, value) in [
        ("status", json!("DONE")),
        ("orderId", json!(ORDER)),
        ("totalAmount", json!(55_000)),
        ("balanceAmount", json!(55_000)),
        ("suppliedAmount", json!(50_000)),
        ("vat", json!(5_000)),
        ("taxFreeAmount", json!(0)),
        ("currency", json!("KRW")),
        ("method", json!("카드")),
        ("type", json!("NORMAL")),
        ("version", json!("2022-11-16")),
        ("cancels", Value::Null),
        ("approvedAt", json!("2027-01-15T17:00:00+09:00")),
    ] {
        assert_eq!(done.json[field], value, "{field}");
    }
    for field in ["mId", "lastTransactionKey", "requestedAt", "card", "receipt", "checkout", "virtualAccount"] {
        assert!(done.json.get(field).is_some(), "{field}");
    }
    let by_order = provider.call(Method::GET, &format!("/v1/payments/orders/{ORDER}"), None, Value::Null).await;
    assert_eq!(by_order.json, done.json);
}

#[tokio::test]
async fn only_with_the_key() {
    let provider = Provider::start();
    let payment = provider.paid(1000).await;
    for secret in ["", "test_sk_other", "test_sk_firstcome_sandbox:x"] {
        let path = format!("/v1/payments/{payment}");
        let answer = provider.send(Method::GET, &path, None, secret, "application/json", String::new()).await;
        assert_eq!(code(&answer), (401, "UNAUTHORIZED_KEY"));
    }
}

#[tokio::test]
async fn confirmed_once() {
    let provider = Provider::start();
    let payment = provider.paid(1000).await;
    assert_eq!(code(&provider.confirm("nobody", "k", 1000).await), (404, "NOT_FOUND_PAYMENT"));
    assert_eq!(code(&provider.confirm(&payment, "k", 999).await), (400, "INVALID_REQUEST"));
    let first = provider.confirm(&payment, "k", 1000).await;
    assert_eq!(first.status, 200);
    assert_eq!(code(&provider.confirm(&payment, "other", 1000).await), (400, "ALREADY_PROCESSED_PAYMENT"));
    assert_eq!(provider.cancel(&payment, "c", json!({"cancelReason": "r"})).await.status, 200);
    let again = provider.confirm(&payment, "k", 1000).await;
    assert_eq!((again.status, again.text), (200, first.text), "the answer that was given first");
    let long = "k".repeat(301);
    assert_eq!(code(&provider.confirm(&payment, &long, 1000).await), (400, "INVALID_IDEMPOTENCY_KEY"));
}

#[tokio::test]
async fn canceled_in_parts() {
    let provider = Provider::start();
    let payment = provider.paid(1000).await;
    let part = json!({"cancelReason": "changed my mind", "cancelAmount": 300});
    assert_eq!(code(&provider.cancel(&payment, "a", part.clone()).await), (403, "NOT_CANCELABLE_PAYMENT"));
    provider.confirm(&payment, "k", 1000).await;
    let first = provider.cancel(&payment, "a", part.clone()).await;
    assert_eq!((&first.json["status"], &first.json["balanceAmount"]), (&json!("PARTIAL_CANCELED"), &json!(700)));
    let cancel = &first.json["cancels"][0];
    assert_eq!((&cancel["cancelAmount"], &cancel["refundableAmount"]), (&json!(300), &json!(700)));
    assert_eq!((&cancel["cancelStatus"], &cancel["cancelReason"]), (&json!("DONE"), &json!("changed my mind")));
    assert_eq!(cancel["transactionKey"], first.json["lastTransactionKey"]);
    let too_much = json!({"cancelReason": "r", "cancelAmount": 701});
    assert_eq!(code(&provider.cancel(&payment, "b", too_much).await), (403, "NOT_CANCELABLE_AMOUNT"));
    let rest = provider.cancel(&payment, "c", json!({"cancelReason": "r"})).await;
    assert_eq!((&rest.json["status"], &rest.json["balanceAmount"]), (&json!("CANCELED"), &json!(0)));
    assert_eq!(provider.cancel(&payment, "a", part).await.text, first.text, "never twice");
    let more = provider.cancel(&payment, "d", json!({"cancelReason": "r"})).await;
    assert_eq!(code(&more), (400, "ALREADY_CANCELED_PAYMENT"));
    assert_eq!(code(&provider.cancel(&payment, "e", json!({})).await), (400, "INVALID_REQUEST"));
}

#[tokio::test]
async fn a_part_is_free_of_vat_as_far_as_what_is_left_allows() {
    let provider = Provider::start();
    let body = json!({"orderId": ORDER, "amount": 1000, "taxFreeAmount": 400});
    let paid = provider.call(Method::POST, "/v1/test/payments", None, body).await;
    let payment = paid.json["paymentKey"].as_str().expect("a key");
    provider.confirm(payment, "k", 1000).await;
    let part = |free: i64| json!({"cancelReason": "r", "cancelAmount": 800, "taxFreeAmount": free});
    for (key, free) in [("a", 199), ("b", 401)] {
        assert_eq!(code(&provider.cancel(payment, key, part(free)).await), (400, "INVALID_REQUEST"), "{free}");
    }
    let untold = json!({"cancelReason": "r", "cancelAmount": 800});
    assert_eq!(code(&provider.cancel(payment, "c", untold).await), (400, "INVALID_REQUEST"), "more than is taxable");
    let first = provider.cancel(payment, "d", part(200)).await;
    assert_eq!((first.status, &first.json["taxFreeAmount"]), (200, &json!(200)));
    let rest = provider.cancel(payment, "e", json!({"cancelReason": "r"})).await;
    assert_eq!((rest.status, &rest.json["cancels"][1]["taxFreeAmount"]), (200, &json!(200)));
}

#[tokio::test]
async fn a_decline_stays() {
    let provider = Provider::start();
    let payment = provider.paid(1000).await;
    provider.faults(json!([{"on": "confirm", "kind": "decline", "times": 1, "code": "REJECT_CARD_COMPANY"}])).await;
    for _ in 0..2 {
        assert_eq!(code(&provider.confirm(&payment, "k", 1000).await), (403, "REJECT_CARD_COMPANY"));
    }
    let known = provider.lookup(&payment).await;
    assert_eq!(known.json["status"], "ABORTED");
    assert_eq!(known.json["failure"]["code"], "REJECT_CARD_COMPANY");
    assert_eq!(code(&provider.confirm(&payment, "new", 1000).await), (400, "ALREADY_PROCESSED_PAYMENT"));
}

#[tokio::test]
async fn faults_strike_as_often_as_they_should() {
    let provider = Provider::start();
    let payment = provider.paid(1000).await;
    assert_eq!(provider.faults(json!([{"on": "confirm", "kind": "error_500", "times": 1}])).await.status, 200);
    assert_eq!(provider.confirm(&payment, "k", 1000).await.status, 500);
    assert_eq!(provider.lookup(&payment).await.json["status"], "IN_PROGRESS");
    let passing = json!([{"on": "confirm", "kind": "decline", "times": 1, "code": "PROVIDER_ERROR"}]);
    provider.faults(passing).await;
    assert_eq!(code(&provider.confirm(&payment, "k", 1000).await), (400, "PROVIDER_ERROR"));
    provider.faults(json!([{"on": "confirm", "kind": "answer_lost", "probability": 1.0}])).await;
    assert_eq!(provider.confirm(&payment, "k", 1000).await.text, "");
    provider.faults(json!([])).await;
    assert_eq!(provider.lookup(&payment).await.json["status"], "DONE", "it is done");
    for wrong in [
        json!([{"on": "confirm", "kind": "unheard"}]),
        json!([{"on": "confirm", "kind": "delay", "probability": 2}]),
        json!([{"on": "confirm", "kind": "delay", "surprise": 1}]),
        json!({}),
    ] {
        assert_eq!(code(&provider.faults(wrong).await), (400, "INVALID_REQUEST"));
    }
}

#[tokio::test]
async fn what_nobody_confirms_expires() {
    let provider = Provider::start();
    let payment = provider.paid(1000).await;
    provider.clock.advance(Duration::from_secs(600));
    assert_eq!(provider.lookup(&payment).await.json["status"], "EXPIRED");
    assert_eq!(code(&provider.confirm(&payment, "k", 1000).await), (404, "NOT_FOUND_PAYMENT_SESSION"));
}

#[tokio::test]
async fn belief_outlives_a_restart() {
    let provider = Provider::start();
    let payment = provider.paid(1000).await;
    let done = provider.confirm(&payment, "k", 1000).await;
    let restarted = Provider::over(provider.records.clone(), provider.clock.clone());
    assert_eq!(restarted.lookup(&payment).await.json, done.json);
    assert_eq!(restarted.confirm(&payment, "k", 1000).await.text, done.text);
}

#[tokio::test]
async fn the_list_has_pages() {
    let provider = Provider::start();
    let mut made = Vec::new();
    for amount in 1..=5 {
        made.push(provider.paid(amount).await);
        provider.clock.advance(Duration::from_millis(1));
    }
    let mut listed = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/v1/test/payments?limit=2{cursor}");
        let page = provider.call(Method::GET, &path, None, Value::Null).await;
        let items = page.json["items"].as_array().expect("items").clone();
        listed.extend(items.iter().map(|item| item["paymentKey"].as_str().expect("a key").to_owned()));
        match page.json["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(listed, made);
}

#[tokio::test]
async fn the_checkout_page() {
    let provider = Provider::start();
    let query = format!("orderId={ORDER}&amount=55000&orderName=%3Cb%3ECard&successUrl=/paid?a=b&failUrl=/failed");
    let page = provider.call(Method::GET, &format!("/checkout?{query}&lang=ko"), None, Value::Null).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("₩55,000 결제하기") && page.text.contains("&#60;b&#62;Card"), "{}", page.text);
    assert!(!page.text.contains("<script"));
    let english = provider.call(Method::GET, &format!("/checkout?{query}"), None, Value::Null).await;
    assert!(english.text.contains(">Pay ₩55,000<") && english.text.contains("Leave without paying"));
    for wrong in ["", "orderId=x&amount=1&successUrl=/a&failUrl=/b", &query.replace("/paid", "//evil.test")] {
        let answer = provider.call(Method::GET, &format!("/checkout?{wrong}"), None, Value::Null).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST.as_u16(), "{wrong}");
    }
}

#[tokio::test]
async fn the_checkout_leads_back() {
    let provider = Provider::start();
    let form = format!("orderId={ORDER}&amount=700&successUrl=%2Fpaid%3Fa%3Db&failUrl=http%3A%2F%2Fshop.test%2Ffail");
    let kind = "application/x-www-form-urlencoded";
    let choose = async |choice: &str| {
        let path = format!("/checkout/{choice}");
        provider.send(Method::POST, &path, None, "", kind, form.clone()).await
    };
    let paid = choose("pay").await;
    assert_eq!(paid.status, 303);
    let key = paid.location.strip_prefix("/paid?a=b&paymentKey=").and_then(|rest| rest.split('&').next());
    let payment = provider.lookup(key.expect("a key")).await;
    assert_eq!((&payment.json["status"], &payment.json["totalAmount"]), (&json!("IN_PROGRESS"), &json!(700)));
    assert!(paid.location.ends_with(&format!("&orderId={ORDER}&amount=700")));
    assert!(choose("decline").await.location.starts_with("http://shop.test/fail?code=REJECT_CARD_COMPANY&message="));
    assert!(choose("leave").await.location.starts_with("http://shop.test/fail?code=PAY_PROCESS_CANCELED&message="));
    assert_eq!(choose("steal").await.status, 404);
}

async fn account(provider: &Provider, key: &str, due_in: u64) -> Answer {
    account_with(provider, key, due_in, 0).await
}

async fn account_with(provider: &Provider, key: &str, due_in: u64, free: i64) -> Answer {
    let due = provider.clock.now() + Duration::from_secs(due_in);
    let korean = jiff::tz::Offset::constant(9)
        .to_datetime(jiff::Timestamp::from_second(due.as_secs()).expect("a time"))
        .to_string();
    let body = json!({"amount": 1000, "orderId": ORDER, "orderName": "Card", "customerName": "김민수", "bank": "88",
        "dueDate": korean, "taxFreeAmount": free});
    provider.call(Method::POST, "/v1/virtual-accounts", Some(key), body).await
}

async fn deposit(provider: &Provider, body: Value) -> Answer {
    provider.call(Method::POST, "/v1/test/deposits", None, body).await
}

#[tokio::test]
async fn an_account_is_opened_paid_into_and_refunded() {
    let provider = Provider::start();
    let opened = account(&provider, "k", 600).await;
    assert_eq!(
        (opened.status, &opened.json["status"], &opened.json["method"]),
        (200, &json!("WAITING_FOR_DEPOSIT"), &json!("가상계좌"))
    );
    let virtual_account = &opened.json["virtualAccount"];
    assert_eq!(virtual_account["accountNumber"].as_str().map(str::len), Some(14), "{}", opened.text);
    assert_eq!((&virtual_account["bankCode"], &virtual_account["expired"]), (&json!("88"), &json!(false)));
    assert!(opened.json["secret"].as_str().is_some_and(|secret| secret.starts_with("ps_")), "{}", opened.text);
    assert_eq!(account(&provider, "k", 600).await.text, opened.text, "one account for one key");
    let key = opened.json["paymentKey"].as_str().expect("a key");
    assert_eq!(code(&deposit(&provider, json!({"orderId": ORDER, "amount": 999})).await), (400, "INVALID_REQUEST"));
    assert_eq!(deposit(&provider, json!({"orderId": ORDER})).await.status, 200);
    assert_eq!(code(&deposit(&provider, json!({"orderId": ORDER})).await), (400, "ALREADY_PROCESSED_PAYMENT"));
    assert_eq!(provider.lookup(key).await.json["status"], "DONE");
    assert_eq!(account(&provider, "k", 600).await.text, opened.text, "the answer that was given first");
    let part = json!({"cancelReason": "r", "cancelAmount": 300});
    assert_eq!(code(&provider.cancel(key, "c", part.clone()).await), (400, "INVALID_REFUND_ACCOUNT_INFO"));
    let mut to = part;
    to["refundReceiveAccount"] = json!({"bank": "20", "accountNumber": "1002123456789", "holderName": "김민수"});
    let back = provider.cancel(key, "c", to).await;
    assert_eq!((&back.json["status"], &back.json["balanceAmount"]), (&json!("PARTIAL_CANCELED"), &json!(700)));
    let refunded = &back.json["virtualAccount"];
    assert_eq!(
        (&refunded["refundStatus"], &refunded["refundReceiveAccount"]["accountNumber"]),
        (&json!("COMPLETED"), &json!("****89"))
    );
}

#[tokio::test]
async fn an_account_keeps_what_is_free_of_vat() {
    let provider = Provider::start();
    assert_eq!(code(&account_with(&provider, "a", 600, 1001).await), (400, "INVALID_REQUEST"));
    let opened = account_with(&provider, "b", 600, 400).await;
    let said = (&opened.json["taxFreeAmount"], &opened.json["suppliedAmount"], &opened.json["vat"]);
    assert_eq!(said, (&json!(400), &json!(545), &json!(55)));
}

#[tokio::test]
async fn an_account_ends_with_its_time_or_is_closed() {
    let provider = Provider::start();
    for (due_in, wrong) in [(0, "INVALID_DATE"), (31 * 24 * 60 * 60, "EXCEED_MAX_DUE_DATE")] {
        assert_eq!(code(&account(&provider, "k", due_in).await), (400, wrong));
    }
    let opened = account(&provider, "k", 600).await;
    let key = opened.json["paymentKey"].as_str().expect("a key").to_owned();
    provider.clock.advance(Duration::from_secs(600));
    let over = provider.lookup(&key).await;
    assert_eq!((&over.json["status"], &over.json["virtualAccount"]["expired"]), (&json!("EXPIRED"), &json!(true)));
    assert_eq!(code(&provider.cancel(&key, "c", json!({"cancelReason": "r"})).await), (403, "NOT_CANCELABLE_PAYMENT"));
    assert_eq!(deposit(&provider, json!({"orderId": ORDER})).await.status, 200, "a bank whose clock is late");
    assert_eq!(provider.lookup(&key).await.json["status"], "DONE");
    provider.clock.advance(Duration::from_millis(1));
    let next = account(&provider, "l", 600).await;
    let key = next.json["paymentKey"].as_str().expect("a key").to_owned();
    let closed = provider.cancel(&key, "d", json!({"cancelReason": "r"})).await;
    assert_eq!(
        (&closed.json["status"], &closed.json["balanceAmount"]),
        (&json!("CANCELED"), &json!(0)),
        "{}",
        closed.text
    );
    assert_eq!(code(&deposit(&provider, json!({"orderId": ORDER})).await), (400, "ALREADY_PROCESSED_PAYMENT"));
    let restarted = Provider::over(provider.records.clone(), provider.clock.clone());
    assert_eq!(restarted.lookup(&key).await.json["status"], "CANCELED");
}

#[tokio::test]
async fn a_cash_receipt_is_issued_and_lowered_once() {
    let provider = Provider::start();
    let body = json!({"amount": 1000, "orderId": ORDER, "orderName": "Card", "customerIdentityNumber": "01012345678",
        "type": "소득공제"});
    let issue =
        async |key: &str, body: &Value| provider.call(Method::POST, "/v1/cash-receipts", Some(key), body.clone()).await;
    let issued = issue("k", &body).await;
    assert_eq!(
        (issued.status, &issued.json["issueStatus"], &issued.json["amount"]),
        (200, &json!("COMPLETED"), &json!(1000))
    );
    assert_eq!(issued.json["customerIdentityNumber"], "****78");
    assert_eq!(issue("k", &body).await.text, issued.text);
    let mut wrong = body.clone();
    wrong["customerIdentityNumber"] = json!("nobody");
    assert_eq!(code(&issue("w", &wrong).await), (400, "INVALID_REGISTRATION_NUMBER"));
    let path = format!("/v1/cash-receipts/{}/cancel", issued.json["receiptKey"].as_str().expect("a key"));
    let lower = async |key: &str, body: Value| provider.call(Method::POST, &path, Some(key), body).await;
    let first = lower("a", json!({"amount": 300})).await;
    assert_eq!(
        (&first.json["transactionType"], &first.json["amount"]),
        (&json!("CANCEL"), &json!(300)),
        "{}",
        first.text
    );
    assert_eq!(lower("a", json!({"amount": 300})).await.text, first.text);
    assert_eq!(code(&lower("b", json!({"amount": 701})).await), (400, "NOT_CANCELABLE_AMOUNT"));
    assert_eq!(lower("c", json!({})).await.json["amount"], 700);
    let path = format!("/v1/test/cash-receipts?orderId={ORDER}");
    let listed = provider.call(Method::GET, &path, None, Value::Null).await;
    assert_eq!((&listed.json["items"][0]["amount"], &listed.json["items"][0]["left"]), (&json!(1000), &json!(0)));
    let mut free = body;
    free["taxFreeAmount"] = json!(400);
    assert_eq!(
        (&issued.json["taxFreeAmount"], &issue("f", &free).await.json["taxFreeAmount"]),
        (&json!(0), &json!(400))
    );
    free["taxFreeAmount"] = json!(1001);
    assert_eq!(code(&issue("g", &free).await), (400, "INVALID_REQUEST"));
}

#[tokio::test]
async fn the_page_of_an_account() {
    let provider = Provider::start();
    let path = format!("/checkout/deposit?orderId={ORDER}&lang=ko");
    let none = provider.call(Method::GET, &path, None, Value::Null).await;
    assert!(none.status == 400 && none.text.contains("가상계좌가 없습니다"), "{}", none.text);
    account(&provider, "k", 600).await;
    let page = provider.call(Method::GET, &path, None, Value::Null).await;
    assert!(page.status == 200 && page.text.contains("₩1,000 입금하기"), "{}", page.text);
    let (kind, form) = ("application/x-www-form-urlencoded", format!("orderId={ORDER}&lang=en"));
    let paid = provider.send(Method::POST, "/checkout/deposit", None, "", kind, form).await;
    assert!(paid.status == 200 && paid.text.contains("id=\"over\""), "{}", paid.text);
}
