//! The same order again and again, by one buyer after the other, each time with a new key.

use std::cell::RefCell;
use std::net::SocketAddr;

use serde_json::json;

use crate::storm::client::request::Prepared;
use crate::storm::client::{ClientError, Connection};
use crate::storm::drive::Work;
use crate::storm::shop::Shop;
use crate::storm::tally::Tally;

/// Orders for one unit of an offer.
pub(super) struct Orders {
    prepared: Vec<Prepared>,
    keys: u128,
}

impl Orders {
    /// Orders by all buyers of the shop.
    pub(super) fn of(shop: &Shop, offer: &str) -> Self {
        Self::by(shop.address, &shop.buyers, offer)
    }

    /// Orders by these buyers.
    pub(super) fn by(address: SocketAddr, buyers: &[String], offer: &str) -> Self {
        let body = json!({ "offer_id": offer, "quantity": 1 }).to_string();
        let prepare = |token: &String| Prepared::post(address, "/api/v1/orders", Some(token), body.as_bytes());
        Self { prepared: buyers.iter().map(prepare).collect(), keys: keys() }
    }

    /// Whose turn it is.
    pub(super) fn buyer(&self, number: u64) -> usize {
        number as usize % self.prepared.len()
    }

    /// Writes the order of this number.
    pub(super) fn write(&self, into: &mut Vec<u8>, number: u64) {
        self.prepared[self.buyer(number)].write(into, self.keys + u128::from(number));
    }
}

impl Work for Orders {
    async fn once(&self, connection: &mut Connection, number: u64, tally: &RefCell<Tally>) -> Result<(), ClientError> {
        self.write(connection.request(), number);
        let response = connection.send().await?;
        let mut tally = tally.borrow_mut();
        if response.status == 201 {
            tally.ok += 1;
        } else {
            tally.refuse(response);
        }
        Ok(())
    }
}

/// Idempotency keys that no other run has used: the time a run began above, the request's number below.
pub(super) fn keys() -> u128 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    (now.as_micros() & 0xffff_ffff_ffff) << 40
}
