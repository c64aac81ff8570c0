//! The provider's side: what a buyer does in its checkout, what it believes, and what goes wrong there.

use hyper::Method;
use serde_json::{Value, json};

use super::{Answer, Api, NoAnswer};

const TEST: &str = "/sandbox/toss/v1/test";

impl Api {
    /// As if a buyer had just paid in the widget; the answer has the `paymentKey`.
    pub async fn pay_at_sandbox(&self, order: &str, amount: i64) -> Result<Answer, NoAnswer> {
        let path = format!("{TEST}/payments");
        self.anonymous().call(Method::POST, &path).json(&json!({"orderId": order, "amount": amount})).send().await
    }

    /// As if somebody had just paid into the virtual account of an order.
    pub async fn deposit_at_sandbox(&self, order: &str) -> Result<Answer, NoAnswer> {
        let path = format!("{TEST}/deposits");
        self.anonymous().call(Method::POST, &path).json(&json!({"orderId": order})).send().await
    }

    /// The cash receipts of an order: what each was issued over, and what is left of that.
    pub async fn sandbox_receipts(&self, order: &str) -> Vec<(i64, i64)> {
        let path = format!("{TEST}/cash-receipts?orderId={order}");
        let answer = self.anonymous().call(Method::GET, &path).want(200).await;
        let amount = |item: &Value, field: &str| item[field].as_i64().expect("an amount");
        let items = answer["items"].as_array().expect("items");
        items.iter().map(|item| (amount(item, "amount"), amount(item, "left"))).collect()
    }

    /// Every payment that the provider knows of.
    pub async fn sandbox_payments(&self) -> Result<Vec<Value>, NoAnswer> {
        let anyone = self.anonymous();
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("{TEST}/payments?limit=100{cursor}");
            let answer = anyone.call(Method::GET, &path).send().await?;
            if answer.status != 200 {
                return Err(NoAnswer::Lost(format!("{path}: {answer}")));
            }
            items.extend(answer.json["items"].as_array().cloned().unwrap_or_default());
            match answer.json["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(items),
            }
        }
    }

    /// Replaces the rules by which the provider misbehaves.
    pub async fn sandbox_faults(&self, rules: &[Value]) -> Result<Answer, NoAnswer> {
        let path = format!("{TEST}/faults");
        self.anonymous().call(Method::PUT, &path).json(&json!({"rules": rules})).send().await
    }
}
