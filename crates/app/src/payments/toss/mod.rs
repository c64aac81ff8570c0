//! The payment provider's client: the Toss Payments core API over HTTP.
//!
//! Every call has a deadline and is made once. Whether to call again is the payments role's decision: each call carries
//! an idempotency key or only reads, so repeating is always safe. What an answer means stands in [`answer`].

mod amount;
mod answer;
mod message;
#[cfg(test)]
mod tests;
mod transactions;
mod transfer;

use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use firstcome_core::ids::{OrderId, PaymentId, RefundId};
use firstcome_core::money::Money;
use firstcome_core::ports::{
    AccountRequest, PaymentProvider, PortError, ProviderAnswer, ProviderTransactions, ReceiptAnswer, ReceiptRequest,
    RefundAccount,
};
use firstcome_core::time::Time;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::Number;

pub(crate) use amount::to_number;
pub(crate) use message::reason_with_refund;

use answer::{Answer, about_payment, about_receipt};
use message::{AccountBody, CancelRequest, ConfirmRequest, PaymentBody};
use transfer::{AccountRequestBody, LowerReceiptBody, ReceiptBody, ReceiptRequestBody};

/// Bytes that an answer may have. A payment with hundreds of cancels is far smaller.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;
/// How long an idle connection is kept; below the 60 s after which servers commonly close theirs.
const IDLE_FOR: Duration = Duration::from_secs(30);

/// Where the provider is and how to speak to it.
pub struct TossOptions {
    /// The address before `/v1`: `https://api.tosspayments.com`, or the sandbox's.
    pub base_url: String,
    /// The secret key; the user name of HTTP Basic, with an empty password.
    pub secret_key: SecretString,
    /// How long a call may take before its outcome counts as unknown.
    pub deadline: Duration,
    /// Idle connections that are kept.
    pub idle_connections: usize,
}

/// The settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("payment provider: {0}")]
pub struct InvalidTossOptions(String);

/// A client of the Toss Payments core API.
pub struct TossProvider {
    http: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    base: String,
    authorization: HeaderValue,
    deadline: Duration,
}

impl TossProvider {
    /// A client; opens no connection yet.
    pub fn new(options: &TossOptions) -> Result<Self, InvalidTossOptions> {
        let invalid = |reason: &str| InvalidTossOptions(reason.to_owned());
        let base = options.base_url.trim_end_matches('/').to_owned();
        let uri: hyper::Uri = base.parse().map_err(|_| invalid("the base URL is not a URL"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none() {
            return Err(invalid("the base URL must begin with http:// or https:// and name a host"));
        }
        let credentials = STANDARD.encode(format!("{}:", options.secret_key.expose_secret()));
        let mut authorization = HeaderValue::try_from(format!("Basic {credentials}"))
            .map_err(|_| invalid("the secret key does not fit in a header"))?;
        authorization.set_sensitive(true);
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(options.deadline));
        let connector =
            HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().wrap_connector(http);
        let http = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_FOR)
            .pool_max_idle_per_host(options.idle_connections)
            .build(connector);
        Ok(Self { http, base, authorization, deadline: options.deadline })
    }

    /// The payment that an address under `/v1/payments` shows.
    async fn get(&self, path: &str) -> ProviderAnswer {
        let request = self.request(Method::GET, &format!("payments/{path}")).body(Full::default());
        about_payment(self.call(request, PaymentBody::parse).await)
    }

    /// The payment that a change under `/v1` comes to.
    async fn post(&self, path: &str, key: &str, body: &impl Serialize) -> ProviderAnswer {
        about_payment(self.change(path, key, body, PaymentBody::parse).await)
    }

    async fn change<T>(
        &self,
        path: &str,
        key: &str,
        body: &impl Serialize,
        read: impl Fn(&[u8]) -> Option<T>,
    ) -> Answer<T> {
        let Ok(body) = serde_json::to_vec(body) else {
            return answer::unknown("the request cannot be written as JSON");
        };
        let request = self
            .request(Method::POST, path)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header("idempotency-key", key)
            .body(Full::from(body));
        self.call(request, read).await
    }

    fn request(&self, method: Method, path: &str) -> hyper::http::request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("{}/v1/{path}", self.base))
            .header(AUTHORIZATION, self.authorization.clone())
    }

    async fn call<T>(
        &self,
        request: hyper::http::Result<Request<Full<Bytes>>>,
        read: impl Fn(&[u8]) -> Option<T>,
    ) -> Answer<T> {
        match self.answer(request).await {
            Ok((status, body)) => answer::classify(status, &body, read),
            Err(reason) => answer::unknown(reason),
        }
    }

    /// The status and the body of an answer, or what was seen in place of one.
    async fn answer(&self, request: hyper::http::Result<Request<Full<Bytes>>>) -> Result<(u16, Bytes), String> {
        let request = request.map_err(|error| format!("the request cannot be formed: {error}"))?;
        let exchange = tokio::time::timeout(self.deadline, self.exchange(request));
        exchange.await.unwrap_or_else(|_| Err("no answer in time".to_owned()))
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(u16, Bytes), String> {
        let response = self.http.request(request).await.map_err(|error| format!("the connection failed: {error}"))?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
        body.map(|body| (status, body.to_bytes())).map_err(|error| format!("the answer broke off: {error}"))
    }
}

/// Whether a text can be a payment key: it becomes a part of a path, so nothing that could change the path may be in it.
pub(crate) fn is_payment_key(text: &str) -> bool {
    (1..=200).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

/// What is said to be free of VAT of an amount; nothing need be said where nothing is.
fn free_of_vat(tax_free: i64, of: Money) -> Option<Number> {
    (tax_free > 0).then(|| to_number(Money::new(tax_free, of.currency)))
}

fn not_a_key() -> ProviderAnswer {
    ProviderAnswer::Refused {
        code: "NOT_FOUND_PAYMENT".to_owned(),
        message: "This cannot be the key of a payment".to_owned(),
    }
}

#[async_trait]
impl PaymentProvider for TossProvider {
    async fn lookup(&self, payment_key: &str) -> ProviderAnswer {
        if !is_payment_key(payment_key) {
            return not_a_key();
        }
        self.get(payment_key).await
    }

    async fn lookup_order(&self, order: OrderId) -> ProviderAnswer {
        self.get(&format!("orders/{order}")).await
    }

    async fn confirm(&self, attempt: PaymentId, payment_key: &str, order: OrderId, amount: Money) -> ProviderAnswer {
        let body = ConfirmRequest { payment_key, order_id: order, amount: to_number(amount) };
        let answer = self.post("payments/confirm", &attempt.to_string(), &body).await;
        if answer::is_already_processed(&answer) { self.lookup(payment_key).await } else { answer }
    }

    async fn cancel(
        &self,
        refund: RefundId,
        payment_key: &str,
        amount: Money,
        tax_free: i64,
        reason: &str,
        to: Option<&RefundAccount>,
    ) -> ProviderAnswer {
        if !is_payment_key(payment_key) {
            return not_a_key();
        }
        let body = CancelRequest {
            cancel_reason: reason_with_refund(reason, refund),
            cancel_amount: Some(to_number(amount)),
            tax_free_amount: free_of_vat(tax_free, amount),
            refund_receive_account: to.map(AccountBody::of),
        };
        self.post(&format!("payments/{payment_key}/cancel"), &refund.to_string(), &body).await
    }

    async fn open_account(&self, attempt: PaymentId, account: &AccountRequest) -> ProviderAnswer {
        let body = AccountRequestBody {
            amount: to_number(account.amount),
            order_id: account.order,
            order_name: transfer::order_name(account.order),
            customer_name: &account.depositor.0,
            bank: &account.bank,
            due_date: transfer::korean_time(account.due_at),
            tax_free_amount: free_of_vat(account.tax_free, account.amount),
        };
        self.post("virtual-accounts", &attempt.to_string(), &body).await
    }

    async fn close_account(&self, attempt: PaymentId, payment_key: &str) -> ProviderAnswer {
        if !is_payment_key(payment_key) {
            return not_a_key();
        }
        let cancel_reason = "The order is not to be paid any more".to_owned();
        let body =
            CancelRequest { cancel_reason, cancel_amount: None, tax_free_amount: None, refund_receive_account: None };
        self.post(&format!("payments/{payment_key}/cancel"), &format!("{attempt}-close"), &body).await
    }

    async fn issue_receipt(&self, attempt: PaymentId, receipt: &ReceiptRequest) -> ReceiptAnswer {
        let body = ReceiptRequestBody {
            amount: to_number(receipt.amount),
            order_id: receipt.order,
            order_name: transfer::order_name(receipt.order),
            customer_identity_number: &receipt.number.0,
            r#type: transfer::kind(receipt.kind),
            tax_free_amount: free_of_vat(receipt.tax_free, receipt.amount),
        };
        about_receipt(self.change("cash-receipts", &format!("{attempt}-receipt"), &body, ReceiptBody::parse).await)
    }

    async fn lower_receipt(&self, attempt: PaymentId, receipt_key: &str, amount: Money, before: i64) -> ReceiptAnswer {
        if !is_payment_key(receipt_key) {
            return ReceiptAnswer::Unknown { reason: "this cannot be the key of a receipt".to_owned() };
        }
        let (path, key) = (format!("cash-receipts/{receipt_key}/cancel"), format!("{attempt}-receipt-{before}"));
        let body = LowerReceiptBody { amount: to_number(amount) };
        about_receipt(self.change(&path, &key, &body, ReceiptBody::parse).await)
    }
    async fn transactions(
        &self,
        from: Time,
        until: Time,
        after: Option<&str>,
    ) -> Result<ProviderTransactions, PortError> {
        self.list(from, until, after).await
    }
}
