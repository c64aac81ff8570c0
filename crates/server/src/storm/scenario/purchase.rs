//! Whole purchases: order, pay, until the order is completed and its voucher can be read.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use super::orders::Orders;
use super::{HOLD, Round};
use crate::storm::StormError;
use crate::storm::client::request;
use crate::storm::client::{ClientError, Connection, text_after};
use crate::storm::drive::{Plan, Work, drive};
use crate::storm::meter::Meter;
use crate::storm::progress::Progress;
use crate::storm::shop::{Offering, PRICE, Shop};
use crate::storm::tally::Tally;

const STOCK: u64 = 1_000_000_000;
/// How long after the payment a voucher may take; longer is an error.
const DELIVERED_WITHIN: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

struct Purchases {
    orders: Orders,
    buyers: Rc<[String]>,
    /// How long a delivery takes at the moment: nobody looks before, since looking costs the shop as much as selling.
    delivery: Cell<Duration>,
}

impl Work for Purchases {
    async fn once(&self, connection: &mut Connection, number: u64, tally: &RefCell<Tally>) -> Result<(), ClientError> {
        let token = self.buyers[self.orders.buyer(number)].as_str();
        let host = connection.address();
        self.orders.write(connection.request(), number);
        let response = connection.send().await?;
        let order = match text_after(response.body, r#""order_id":""#) {
            Some(order) if response.status == 201 => order.to_owned(),
            _ => {
                refused(tally, response);
                return Ok(());
            }
        };
        charge(connection.request(), host, &order);
        let response = connection.send().await?;
        let Some(payment) = text_after(response.body, r#""paymentKey":""#).map(str::to_owned) else {
            refused(tally, response);
            return Ok(());
        };
        confirm(connection.request(), host, token, &order, &payment);
        let response = connection.send().await?;
        if response.status != 200 {
            refused(tally, response);
            return Ok(());
        }
        self.delivered(connection, token, &order, tally).await
    }
}

fn refused(tally: &RefCell<Tally>, response: crate::storm::client::Response<'_>) {
    tally.borrow_mut().refuse(response);
}

/// The buyer pays in the provider's widget.
fn charge(into: &mut Vec<u8>, host: SocketAddr, order: &str) {
    let body = json!({ "orderId": order, "amount": PRICE }).to_string();
    request::with_body(into, ("POST", "/sandbox/toss/v1/test/payments"), host, None, None, body.as_bytes());
}

/// The buyer comes back from it.
fn confirm(into: &mut Vec<u8>, host: SocketAddr, token: &str, order: &str, payment: &str) {
    let amount = json!({ "amount": PRICE, "currency": "KRW" });
    let body = json!({ "order_id": order, "payment_key": payment, "amount": amount }).to_string();
    request::with_body(into, ("POST", "/api/v1/payments/confirm"), host, Some(token), Some(order), body.as_bytes());
}

impl Purchases {
    /// Reads the order, which must be completed, and the buyer's newest vouchers until the order's is among them.
    async fn delivered(
        &self,
        connection: &mut Connection,
        token: &str,
        order: &str,
        tally: &RefCell<Tally>,
    ) -> Result<(), ClientError> {
        let host = connection.address();
        let path = format!("/api/v1/orders/{order}");
        request::get(connection.request(), host, &path, Some(token));
        let state = connection.send().await?;
        if text_after(state.body, r#""state":""#) != Some("COMPLETED") {
            tally.borrow_mut().error(&format!("paid and not completed: {}", String::from_utf8_lossy(state.body)));
            return Ok(());
        }
        let start = Instant::now();
        let mut pause = self.delivery.get();
        while start.elapsed() < DELIVERED_WITHIN {
            sleep(pause).await;
            request::get(connection.request(), host, "/api/v1/me/vouchers?limit=3", Some(token));
            let vouchers = connection.send().await?;
            if memchr::memmem::find(vouchers.body, order.as_bytes()).is_some() {
                // There at the first look: look a little earlier next time. Else it took as long as it took.
                let took = if pause == LOOK_AGAIN { start.elapsed() } else { pause };
                self.delivery.set((self.delivery.get() * 9 + took) / 10 * 99 / 100);
                tally.borrow_mut().ok += 1;
                return Ok(());
            }
            pause = LOOK_AGAIN;
        }
        tally.borrow_mut().error("paid and no voucher");
        Ok(())
    }
}

/// Measures one round on an offer of its own.
pub(super) async fn round(shop: &Shop, plan: Plan, progress: &Progress) -> Result<Round, StormError> {
    let offer =
        shop.sell(Offering { stock: STOCK, limit_per_person: None, hold_for_seconds: HOLD, opens_in: None }).await?;
    let work =
        Purchases { orders: Orders::of(shop, &offer), buyers: Rc::clone(&shop.buyers), delivery: Cell::default() };
    let meter = Meter::start(shop.pid());
    let run = drive(work, shop.address, plan, progress).await;
    Ok(Round::new(run, meter.stop()))
}
