//! What a seller does.

use serde_json::{Value, json};

use super::{Answer, Api, NoAnswer};

/// The body of a gift card's product.
pub fn gift_card(face_value: i64) -> Value {
    json!({"kind": "gift_card", "name": format!("Gift card {face_value}"),
        "face_value": {"amount": face_value, "currency": "KRW"}})
}

/// The body of a ticket's product.
pub fn ticket(name: &str) -> Value {
    json!({"kind": "ticket", "name": name, "valid_for_days": 90})
}

impl Api {
    /// Creates a product and returns its id.
    pub async fn create_product(&self, body: &Value) -> String {
        let created = self.post("/admin/products").json(body).want(201).await;
        created["product_id"].as_str().expect("a product_id").to_owned()
    }

    /// Creates an offer and returns its id.
    pub async fn create_offer(&self, body: &Value) -> String {
        let created = self.post("/admin/offers").json(body).want(201).await;
        created["offer_id"].as_str().expect("an offer_id").to_owned()
    }

    /// Creates a product and an offer of it, open now; returns the offer's id. `terms` are fields of the offer: price (a
    /// plain amount in KRW), stock, `limit_per_person`, ... 55,000 won and 100 units when not said.
    pub async fn sell(&self, product: &Value, terms: &Value) -> String {
        let mut body = json!({"price": 55_000, "stock": 100});
        for (name, value) in terms.as_object().expect("terms are an object") {
            body[name] = value.clone();
        }
        if let Some(amount) = body["price"].as_i64() {
            body["price"] = json!({"amount": amount, "currency": "KRW"});
        }
        body["product_id"] = json!(self.create_product(product).await);
        self.create_offer(&body).await
    }

    /// `open`, `close`, `freeze` or `unfreeze`.
    pub async fn steer(&self, offer: &str, action: &str) -> Result<Answer, NoAnswer> {
        self.post(&format!("/admin/offers/{offer}/{action}")).json(&json!({})).send().await
    }

    /// Changes the stock.
    pub async fn adjust(&self, key: &str, offer: &str, delta: i64) -> Result<Answer, NoAnswer> {
        let body = json!({"delta": delta, "reason": "counted again"});
        self.post(&format!("/admin/offers/{offer}/adjust")).key(key).json(&body).send().await
    }

    /// The counters of a running sale.
    pub async fn live(&self, offer: &str) -> Result<Answer, NoAnswer> {
        self.get(&format!("/admin/offers/{offer}/live")).send().await
    }

    /// Everybody's orders that match `query` (`state=PAYING`).
    pub async fn admin_orders(&self, query: &str) -> Result<Vec<Value>, NoAnswer> {
        self.all(&format!("/admin/orders?limit=100&{query}")).await
    }

    /// The last result of the audit per offer.
    pub async fn admin_audit(&self) -> Result<Answer, NoAnswer> {
        self.get("/admin/audit").send().await
    }

    /// What everybody sees of an offer.
    pub async fn offer(&self, offer: &str) -> Result<Answer, NoAnswer> {
        self.get(&format!("/offers/{offer}")).send().await
    }
}
