//! Everything that the shop and the provider know of a sale after it is over.

use std::collections::HashMap;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use serde_json::Value;

use super::pool::Pool;
use crate::storm::StormError;
use crate::storm::client::json::Call;

/// Rows asked for at once.
const PAGE: usize = 100;
/// Buyers whose lists are read at the same time.
const AT_ONCE: usize = 8;

/// An order as its buyer reads it.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) buyer: usize,
    pub(super) state: String,
}

/// What the provider believes of one charge.
#[derive(Clone, Debug)]
pub(super) struct Charge {
    pub(super) order: String,
    pub(super) balance: i64,
}

/// The books of one offer.
#[derive(Clone, Debug, Default)]
pub(super) struct Books {
    pub(super) stock: u64,
    pub(super) held: u64,
    pub(super) sold: u64,
    /// By order id.
    pub(super) orders: HashMap<String, Order>,
    /// Vouchers that can be used, per order.
    pub(super) vouchers: HashMap<String, u64>,
    /// Where money moved.
    pub(super) charges: Vec<Charge>,
}

impl Books {
    /// Reads everything back.
    pub(super) async fn read(pool: &Pool, buyers: &[String], offer: &str) -> Result<Self, StormError> {
        let mut books = Self::default();
        books.read_counts(pool, offer).await?;
        let read = |(buyer, token): (usize, &String)| {
            let token = token.clone();
            async move {
                let orders = all(pool, "/api/v1/orders", Some(&token)).await?;
                Ok::<_, StormError>((buyer, orders, all(pool, "/api/v1/me/vouchers", Some(&token)).await?))
            }
        };
        let lists: Vec<_> = buyers.iter().enumerate().map(read).collect();
        let mut lists = stream::iter(lists).buffer_unordered(AT_ONCE);
        while let Some((buyer, orders, vouchers)) = lists.try_next().await? {
            for order in orders.iter().filter(|order| of_offer(order, offer)) {
                let state = text(order, "state");
                books.orders.insert(text(order, "order_id"), Order { buyer, state });
            }
            for voucher in vouchers.iter().filter(|voucher| text(voucher, "state") != "CANCELED") {
                *books.vouchers.entry(text(voucher, "order_id")).or_default() += 1;
            }
        }
        drop(lists);
        for charge in all(pool, "/sandbox/toss/v1/test/payments", None).await? {
            let order = text(&charge, "orderId");
            // What was never confirmed never moved money.
            if books.orders.contains_key(&order)
                && matches!(text(&charge, "status").as_str(), "DONE" | "PARTIAL_CANCELED")
            {
                let balance = charge.get("balanceAmount").and_then(Value::as_i64).unwrap_or(0);
                books.charges.push(Charge { order, balance });
            }
        }
        Ok(books)
    }

    async fn read_counts(&mut self, pool: &Pool, offer: &str) -> Result<(), StormError> {
        let answer = pool.call(Call::get(&format!("/api/v1/offers/{offer}"))).await?;
        let count = |field: &str| {
            let value = answer.body.get(field).and_then(Value::as_u64);
            value.ok_or_else(|| StormError::answer("reading the offer", &answer))
        };
        (self.stock, self.held, self.sold) = (count("stock")?, count("held")?, count("sold")?);
        Ok(())
    }
}

/// Every item of a list.
async fn all(pool: &Pool, path: &str, token: Option<&str>) -> Result<Vec<Value>, StormError> {
    let mut items = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let after = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let page = format!("{path}?limit={PAGE}{after}");
        let answer = pool.call(Call { token, ..Call::get(&page) }).await?;
        let Some(more) = answer.body.get("items").and_then(Value::as_array) else {
            return Err(StormError::answer(path, &answer));
        };
        items.extend(more.iter().cloned());
        match answer.text("next_cursor") {
            Some(next) => cursor = Some(next.to_owned()),
            None => return Ok(items),
        }
    }
}

fn text(value: &Value, field: &str) -> String {
    value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn of_offer(order: &Value, offer: &str) -> bool {
    let lines = order.get("lines").and_then(Value::as_array);
    lines.is_none_or(|lines| lines.iter().any(|line| text(line, "offer_id") == offer))
}
