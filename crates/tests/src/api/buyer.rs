//! What a buyer and a merchant do.

use serde_json::{Value, json};

use super::{Answer, Api, NoAnswer};
use crate::until::{SOON, until};

impl Api {
    /// Orders units of one offer.
    pub async fn order(&self, key: &str, offer: &str, quantity: u32) -> Result<Answer, NoAnswer> {
        self.post("/orders").key(key).json(&json!({"offer_id": offer, "quantity": quantity})).send().await
    }

    /// One of the own orders.
    pub async fn order_of(&self, order: &str) -> Result<Answer, NoAnswer> {
        self.get(&format!("/orders/{order}")).send().await
    }

    /// All own orders.
    pub async fn orders(&self) -> Result<Vec<Value>, NoAnswer> {
        self.all("/orders?limit=100").await
    }

    /// Asks the shop to collect what was authorised at the provider under `payment_key`.
    pub async fn confirm(&self, key: &str, order: &str, payment: &str, amount: &Value) -> Result<Answer, NoAnswer> {
        let body = json!({"order_id": order, "payment_key": payment, "amount": amount});
        self.post("/payments/confirm").key(key).json(&body).send().await
    }

    /// Asks for a virtual account to pay an order into, with a cash receipt.
    pub async fn transfer(&self, key: &str, order: &str) -> Result<Answer, NoAnswer> {
        let body = json!({"order_id": order, "bank": "88", "depositor_name": "Kim Minsu",
            "refund_account": {"bank": "20", "account_number": "1002-123-456789", "holder_name": "Kim Minsu"},
            "cash_receipt": {"type": "deduction", "number": "010-1234-5678"}});
        self.post("/payments/virtual-accounts").key(key).json(&body).send().await
    }

    /// Pays an order, as its placing answered it: at the provider, and then in the shop.
    pub async fn pay(&self, order: &Value) {
        let (id, amount) = (order["order_id"].as_str().expect("an order_id"), &order["amount"]);
        let paid = self.pay_at_sandbox(id, amount["amount"].as_i64().expect("an amount")).await.expect("an answer");
        let payment = paid.json["paymentKey"].as_str().expect("a paymentKey").to_owned();
        self.confirm(&format!("pay-{id}"), id, &payment, amount).await.expect("an answer").want(200);
    }

    /// Orders units of one offer and pays them. Returns the order's id.
    pub async fn buy(&self, key: &str, offer: &str, quantity: u32) -> String {
        let order = self.order(key, offer, quantity).await.expect("an answer").want(201);
        self.pay(&order).await;
        order["order_id"].as_str().expect("an order_id").to_owned()
    }

    /// The payment of an order with its attempts and refunds.
    pub async fn payment_of(&self, order: &str) -> Result<Answer, NoAnswer> {
        self.get(&format!("/payments/{order}")).send().await
    }

    /// Cancels an order.
    pub async fn cancel(&self, key: &str, order: &str) -> Result<Answer, NoAnswer> {
        self.post(&format!("/orders/{order}/cancel")).key(key).json(&json!({"reason": "changed my mind"})).send().await
    }

    /// All own vouchers.
    pub async fn vouchers(&self) -> Result<Vec<Value>, NoAnswer> {
        self.all("/me/vouchers?limit=100").await
    }

    /// An own voucher that is `wanted`, when it is there.
    pub async fn delivered(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        until("a voucher", SOON, async || {
            let all = self.vouchers().await.expect("an answer");
            all.iter().find(|voucher| wanted(voucher)).cloned().ok_or(all)
        })
        .await
    }

    /// A voucher by its code.
    pub async fn voucher(&self, code: &str) -> Result<Answer, NoAnswer> {
        self.get(&format!("/vouchers/{code}")).send().await
    }

    /// What happened to a voucher.
    pub async fn voucher_history(&self, code: &str) -> Result<Answer, NoAnswer> {
        self.get(&format!("/vouchers/{code}/history")).send().await
    }

    /// Takes money off a gift card (`amount` in KRW), or uses a ticket or coupon (`None`).
    pub async fn redeem(&self, key: &str, code: &str, amount: Option<i64>) -> Result<Answer, NoAnswer> {
        let body = amount.map_or(json!({}), |amount| json!({"amount": {"amount": amount, "currency": "KRW"}}));
        self.post(&format!("/vouchers/{code}/redeem")).key(key).json(&body).send().await
    }

    /// Every item of a list under `/api/v1`, page by page. `path` must have a query.
    pub async fn all(&self, path: &str) -> Result<Vec<Value>, NoAnswer> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let answer = self.get(&format!("{path}{cursor}")).send().await?;
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
}
