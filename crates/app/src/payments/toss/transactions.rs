//! `GET /v1/transactions`: what moved, by the time at which it moved.

use std::time::Duration;

use firstcome_core::money::{Currency, Money};
use firstcome_core::ports::{Movement, PortError, ProviderTransaction, ProviderTransactions};
use firstcome_core::time::Time;
use http_body_util::Full;
use hyper::Method;
use serde::Deserialize;
use serde_json::Number;

use super::amount::from_number;
use super::message::ErrorBody;
use super::transfer::korean_time;
use super::{TossProvider, is_payment_key};

/// Movements that one answer has at most; the provider gives up to 5,000.
const PAGE: usize = 1_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TransactionBody {
    transaction_key: String,
    payment_key: String,
    order_id: String,
    status: String,
    transaction_at: String,
    currency: Currency,
    amount: Number,
}

impl TransactionBody {
    /// The movement in our words; none of money when the status is of none. An error when a field cannot be read.
    fn read(self) -> Result<Option<ProviderTransaction>, String> {
        let movement = match self.status.as_str() {
            "DONE" => Movement::Charge,
            "CANCELED" | "PARTIAL_CANCELED" => Movement::Cancel,
            _ => return Ok(None),
        };
        let unreadable = |what: &str| format!("{what} of the transaction {} cannot be read", self.transaction_key);
        let amount = unsigned(&self.amount, self.currency).ok_or_else(|| unreadable("the amount"))?;
        let at = self.transaction_at.parse().map_err(|_| unreadable("the time"))?;
        let Self { transaction_key: transaction, payment_key, order_id, .. } = self;
        Ok(Some(ProviderTransaction { transaction, payment_key, order_id, movement, amount, at }))
    }
}

/// How much moved. Which way is said by the status alone: an amount that goes back may be written with a sign.
fn unsigned(amount: &Number, currency: Currency) -> Option<Money> {
    let text = amount.to_string();
    let digits = text.strip_prefix('-').unwrap_or(&text);
    from_number(&digits.parse().ok()?, currency)
}

impl TossProvider {
    /// A page of movements.
    pub(super) async fn list(
        &self,
        from: Time,
        until: Time,
        after: Option<&str>,
    ) -> Result<ProviderTransactions, PortError> {
        // The provider counts the second that is named as the end.
        let end = korean_time(until - Duration::from_secs(1));
        let mut path = format!("transactions?startDate={}&endDate={end}&limit={PAGE}", korean_time(from));
        if let Some(after) = after {
            path.push_str("&startingAfter=");
            path.push_str(after);
        }
        let answered = self.answer(self.request(Method::GET, &path).body(Full::default())).await;
        answered.and_then(|(status, body)| read(status, &body)).map_err(PortError::Unavailable)
    }
}

fn read(status: u16, body: &[u8]) -> Result<ProviderTransactions, String> {
    if status != 200 {
        let code = serde_json::from_slice::<ErrorBody>(body).map(|error| error.code);
        return Err(format!("the provider answered {status} {}", code.unwrap_or_default()));
    }
    let bodies: Vec<TransactionBody> = serde_json::from_slice(body)
        .map_err(|error| format!("the answer is no list of transactions that can be read: {error}"))?;
    let last = bodies.last().filter(|_| bodies.len() >= PAGE).map(|body| body.transaction_key.clone());
    // It becomes a part of an address.
    if last.as_deref().is_some_and(|key| !is_payment_key(key)) {
        return Err("the last transaction of a page has a key that no page can begin after".to_owned());
    }
    let items = bodies.into_iter().filter_map(|body| body.read().transpose()).collect::<Result<_, _>>()?;
    Ok(ProviderTransactions { items, next: last })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(status: &str, amount: &str) -> String {
        format!(
            r#"{{"mId":"m","transactionKey":"txn_1","paymentKey":"key","orderId":"order","currency":"KRW","method":"카드",
            "customerKey":null,"useEscrow":false,"receiptUrl":"","status":"{status}","amount":{amount},
            "transactionAt":"2026-01-03T12:11:34+09:00"}}"#
        )
    }

    #[test]
    fn charges_and_cancels_are_told_apart_and_the_rest_is_left_out() {
        let rows = [row("DONE", "1000"), row("PARTIAL_CANCELED", "300"), row("CANCELED", "-700"), row("READY", "1")];
        let page = read(200, format!("[{}]", rows.join(",")).as_bytes()).expect("readable");
        let found: Vec<_> = page.items.iter().map(|row| (row.movement, row.amount.amount)).collect();
        assert_eq!(found, [(Movement::Charge, 1_000), (Movement::Cancel, 300), (Movement::Cancel, 700)]);
        assert_eq!(page.items[0].at.to_string(), "2026-01-03T03:11:34Z");
        assert_eq!(page.next, None, "a page that is not full is the last");
    }

    #[test]
    fn a_full_page_has_a_next_one() {
        let page = |key: &str| format!("[{}]", vec![row("DONE", "1").replace("txn_1", key); PAGE].join(","));
        assert_eq!(read(200, page("txn_9").as_bytes()).expect("readable").next.as_deref(), Some("txn_9"));
        assert!(read(200, page("a&limit=1").as_bytes()).is_err());
    }

    #[test]
    fn what_cannot_be_read_is_no_empty_list() {
        for (status, body) in [(200, "{}"), (200, ""), (401, r#"{"code":"UNAUTHORIZED_KEY"}"#), (500, "")] {
            assert!(read(status, body.as_bytes()).is_err(), "{status} {body}");
        }
        assert!(read(200, format!("[{}]", row("DONE", "1.5")).as_bytes()).is_err());
    }

    #[test]
    fn days_are_asked_for_in_korean_time() {
        let midnight: Time = "2026-11-26T15:00:00Z".parse().expect("a time");
        assert_eq!(korean_time(midnight), "2026-11-27T00:00:00");
        assert_eq!(korean_time(midnight - Duration::from_secs(1)), "2026-11-26T23:59:59");
    }
}
