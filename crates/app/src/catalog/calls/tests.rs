//! Who is told, when, and how often.

use std::time::Duration;

use firstcome_core::events::RoleEvent;
use firstcome_core::ids::{EventId, OfferId, ProductId, UserId};
use firstcome_core::ledger::Command;
use firstcome_core::ports::{Clock as _, StockLedger as _};
use firstcome_core::records::{Query, Record as _, RecordsExt as _};
use serde_json::json;

use super::{Call, tell};
use crate::catalog::tests::Shop;

const ANN: UserId = UserId([1; 16]);
const BOB: UserId = UserId([2; 16]);

impl Shop {
    async fn lamp(&self) -> ProductId {
        let new = serde_json::from_value(json!({ "kind": "goods", "name": "Lamp" })).expect("a product");
        self.catalog.create_product(new).await.expect("created").product_id
    }

    /// An offer of one unit that opens after some seconds.
    async fn offered(&self, product: ProductId, seconds: u64) -> OfferId {
        let opens_at = self.clock.now() + Duration::from_secs(seconds);
        let price = json!({ "amount": 0, "currency": "KRW" });
        let new = json!({ "product_id": product, "stock": 1, "opens_at": opens_at, "price": price });
        self.catalog.create_offer(serde_json::from_value(new).expect("an offer")).await.expect("created").offer_id
    }

    /// Sells, or gives back, the units that are there.
    async fn adjust(&self, offer: OfferId, delta: i64) {
        let now = self.clock.advance(Duration::from_secs(1));
        let id = EventId::derived(&[&now.0.to_be_bytes()]);
        self.ledger.decide(offer.number(), Command::Adjust { id, delta }).await.expect("decided");
    }

    async fn close(&self, offer: OfferId) {
        let mut stored = self.catalog.offer(offer).await.expect("there");
        stored.record.offer.0.closes_at = Some(self.clock.now());
        self.catalog.save_offer(stored).await.expect("closed");
    }

    /// Everything that is to be done at this moment.
    async fn look(&self) {
        self.terms.catch_up().await.expect("read");
        self.catalog.ring().await.expect("looked");
        self.catalog.tell_all().await.expect("told");
    }

    /// Who was told so far, in order.
    fn told(&self) -> Vec<UserId> {
        let events = self.records.events();
        let granted = events.iter().filter_map(|event| match RoleEvent::parse(&event.kind, &event.data) {
            Ok(RoleEvent::WishesGranted { users, .. }) => Some(users),
            _ => None,
        });
        granted.flatten().collect()
    }
}

#[tokio::test(start_paused = true)]
async fn who_wished_before_is_told_once_when_it_opens() {
    let shop = Shop::open();
    let lamp = shop.lamp().await;
    shop.catalog.wish(ANN, lamp).await.expect("wished");
    shop.offered(lamp, 60).await;
    shop.look().await;
    assert!(shop.told().is_empty(), "it is not open yet");
    shop.clock.advance(Duration::from_secs(60));
    for _ in 0..3 {
        shop.look().await;
        shop.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(shop.told(), [ANN]);
    shop.catalog.wish(BOB, lamp).await.expect("wished");
    shop.look().await;
    assert_eq!(shop.told(), [ANN], "who wishes for what can be had knows that");
}

#[tokio::test(start_paused = true)]
async fn what_comes_back_is_told_of_after_a_while_and_only_to_who_still_wishes() {
    let shop = Shop::open();
    let lamp = shop.lamp().await;
    shop.catalog.wish(ANN, lamp).await.expect("wished");
    shop.catalog.wish(BOB, lamp).await.expect("wished");
    let offer = shop.offered(lamp, 0).await;
    shop.look().await;
    assert_eq!(shop.told().len(), 2);
    shop.adjust(offer, -1).await;
    shop.look().await;
    shop.adjust(offer, 1).await;
    shop.look().await;
    assert_eq!(shop.told().len(), 2, "they were told of it lately");
    shop.adjust(offer, -1).await;
    shop.look().await;
    shop.clock.advance(Duration::from_hours(25));
    shop.catalog.unwish(BOB, lamp).await.expect("taken off");
    shop.adjust(offer, 1).await;
    shop.look().await;
    assert_eq!(shop.told()[2..], [ANN]);
}

#[tokio::test(start_paused = true)]
async fn a_next_offer_is_told_of_when_the_one_before_has_ended() {
    let shop = Shop::open();
    let lamp = shop.lamp().await;
    shop.catalog.wish(ANN, lamp).await.expect("wished");
    let first = shop.offered(lamp, 0).await;
    shop.look().await;
    shop.close(first).await;
    shop.look().await;
    shop.clock.advance(Duration::from_hours(25));
    shop.offered(lamp, 0).await;
    shop.look().await;
    assert_eq!(shop.told(), [ANN, ANN]);
}

#[tokio::test(start_paused = true)]
async fn many_are_told_page_by_page_and_none_twice_whoever_goes_on() {
    let shop = Shop::open();
    let lamp = shop.lamp().await;
    let many = tell::PAGE as usize * 2 + 7;
    let mut everyone = Vec::new();
    for number in 0..many {
        let person = UserId(u128::try_from(number + 10).expect("small").to_be_bytes());
        shop.catalog.wish(person, lamp).await.expect("wished");
        everyone.push(person);
    }
    shop.offered(lamp, 0).await;
    shop.terms.catch_up().await.expect("read");
    shop.catalog.ring().await.expect("looked");
    let calls = async || shop.records.list::<Call>(Query::all(Call::TABLE, 10)).await.expect("readable");
    let call = calls().await.remove(0);
    // Two processes have read the same row, and one of them takes its page to somebody who has just gone.
    shop.catalog.tell_page(call.clone()).await.expect("told");
    shop.catalog.tell_page(call).await.expect("nothing happens");
    assert_eq!(shop.told().len(), tell::PAGE as usize);
    let gone = *everyone.iter().find(|person| !shop.told().contains(person)).expect("someone waits");
    shop.catalog.unwish(gone, lamp).await.expect("taken off");
    shop.catalog.tell_all().await.expect("told");
    let mut told = shop.told();
    told.sort_unstable();
    everyone.retain(|person| *person != gone);
    assert_eq!(told, everyone);
    assert!(calls().await[0].record.offer.is_none());
}
