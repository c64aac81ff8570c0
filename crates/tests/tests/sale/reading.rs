//! Reads everything back.

use std::collections::BTreeMap;

use firstcome_tests::{Api, NoAnswer};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value;

use super::Sale;
use super::books::{Books, Charge, Counters, OrderRow, VoucherRow};
use super::history::{Told, cancel_key};

/// How many buyers are read at once.
const AT_ONCE: usize = 8;

impl Sale {
    /// The books as they are now.
    pub(super) async fn read(&self) -> Result<Books, NoAnswer> {
        let mut books = Books { charges: charges(&self.buyers[0]).await?, ..Books::default() };
        let seller = self.staff().seller;
        for terms in &self.offers {
            let live = seller.live(&terms.offer).await?.want(200);
            books.counters.insert(terms.offer.clone(), counters(&live));
        }
        let people = stream::iter(0..self.buyers.len()).map(|buyer| self.read_buyer(buyer));
        let people: Vec<_> = people.buffer_unordered(AT_ONCE).try_collect().await?;
        for (orders, vouchers) in people {
            books.orders.extend(orders);
            books.vouchers.extend(vouchers);
        }
        self.read_refunds(&mut books).await?;
        Ok(books)
    }

    /// Whoever canceled asks again how the refund stands; the answer to the same key is that of now.
    async fn read_refunds(&self, books: &mut Books) -> Result<(), NoAnswer> {
        let canceled: Vec<(usize, String)> = {
            let history = self.history();
            let wishes = history.wishes.iter().filter(|wish| matches!(wish.cancel, Some(Told::Ok(()))));
            wishes.filter_map(|wish| Some((wish.buyer, wish.order.ok()?.id.clone()))).collect()
        };
        let asked = stream::iter(canceled).map(|(buyer, order)| async move {
            let answer = self.buyers[buyer].cancel(&cancel_key(&order), &order).await?;
            Ok::<_, NoAnswer>((order, answer))
        });
        let asked: Vec<_> = asked.buffer_unordered(AT_ONCE).try_collect().await?;
        for (order, answer) in asked {
            if answer.status != 200 {
                books.refused_cancels.insert(order, answer.to_string());
            } else if let Some(row) = books.orders.get_mut(&order) {
                row.refunds.extend(answer.json["refund"]["state"].as_str().map(str::to_owned));
            }
        }
        Ok(())
    }

    async fn read_buyer(&self, buyer: usize) -> Result<(BTreeMap<String, OrderRow>, Vec<VoucherRow>), NoAnswer> {
        let api = &self.buyers[buyer];
        let mut orders = BTreeMap::new();
        for order in api.orders().await? {
            let id = text(&order["order_id"]);
            let mut row = order_row(buyer, &order);
            if row.amount > 0 {
                read_payment(api, &id, &mut row).await?;
            }
            orders.insert(id, row);
        }
        let vouchers = api.vouchers().await?.iter().map(|voucher| voucher_row(buyer, voucher)).collect();
        Ok((orders, vouchers))
    }
}

fn order_row(buyer: usize, order: &Value) -> OrderRow {
    let line = &order["lines"][0];
    let ends: Option<jiff::Timestamp> = order["hold_expires_at"].as_str().and_then(|text| text.parse().ok());
    OrderRow {
        buyer,
        state: text(&order["state"]),
        offer: text(&line["offer_id"]),
        quantity: line["quantity"].as_u64().unwrap_or_default() as u32,
        amount: order["amount"]["amount"].as_i64().unwrap_or(-1),
        seq: line["seq"].as_u64().unwrap_or_default(),
        overdue: ends.is_some_and(|ends| ends < jiff::Timestamp::now()),
        payment: None,
        refunds: Vec::new(),
    }
}

async fn read_payment(api: &Api, order: &str, row: &mut OrderRow) -> Result<(), NoAnswer> {
    let answer = api.payment_of(order).await?;
    if answer.status == 404 {
        return Ok(());
    }
    let payment = answer.want(200);
    row.payment = payment["state"].as_str().map(str::to_owned);
    let refunds = payment["refunds"].as_array().into_iter().flatten();
    row.refunds = refunds.map(|refund| text(&refund["state"])).collect();
    Ok(())
}

fn voucher_row(buyer: usize, voucher: &Value) -> VoucherRow {
    VoucherRow {
        buyer,
        code: text(&voucher["code"]),
        order: text(&voucher["order_id"]),
        state: text(&voucher["state"]),
        balance: voucher["balance"]["amount"].as_i64(),
    }
}

async fn charges(api: &Api) -> Result<Vec<Charge>, NoAnswer> {
    let charge = |payment: &Value| Charge {
        payment_key: text(&payment["paymentKey"]),
        order: text(&payment["orderId"]),
        status: text(&payment["status"]),
        total: payment["totalAmount"].as_i64().unwrap_or(-1),
        balance: payment["balanceAmount"].as_i64().unwrap_or(-1),
        cancels: payment["cancels"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|back| back["cancelAmount"].as_i64())
            .collect(),
    };
    Ok(api.sandbox_payments().await?.iter().map(charge).collect())
}

fn counters(live: &Value) -> Counters {
    let number = |name: &str| live[name].as_i64().unwrap_or(-1);
    Counters { stock: number("stock"), available: number("available"), held: number("held"), sold: number("sold") }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
