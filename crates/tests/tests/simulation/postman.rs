//! The provider's notices: lost, late, twice, and now and then one that somebody made up.

use std::sync::Arc;
use std::time::Duration;

use firstcome_core::ids::UserId;
use firstcome_tests::Random;
use parking_lot::Mutex;
use serde_json::json;

use super::charges::Books;
use super::client::Client;

/// Delivers notices as long as the shop lives.
pub(super) async fn deliver(client: Client, books: Arc<Mutex<Books>>, mut random: Random) {
    loop {
        tokio::time::sleep(Duration::from_millis(20 + random.below(1_500))).await;
        let notice = {
            let books = books.lock();
            if client.faults.strike(1, 50) && !books.charges.is_empty() {
                let key = books.charges.keys().nth(random.below(books.charges.len() as u64) as usize);
                key.map(|key| (key.clone(), books.charges[key].payment.order_id.clone(), "DONE"))
            } else if books.notices.is_empty() {
                None
            } else {
                Some(books.notices[random.below(books.notices.len() as u64) as usize].clone())
            }
        };
        let Some(notice) = notice else { continue };
        // Of a deposit nobody hears but by its notice, and the provider repeats one until it is taken.
        let lost = client.faults.strike(client.faults.weather.lost_notices, 100) && !notice.0.starts_with("deposit");
        let taken = lost || {
            let (payment_key, order_id, status) = &notice;
            let data = json!({"paymentKey": payment_key, "orderId": order_id, "status": status});
            let body = json!({"eventType": "PAYMENT_STATUS_CHANGED", "data": data});
            let answer = client.post("/api/v1/webhooks/toss", UserId::NIL, "none", body).await;
            answer.is_some_and(|answer| answer.status == 200)
        };
        if taken && !random.chance(20) {
            books.lock().notices.retain(|other| *other != notice);
        }
    }
}
