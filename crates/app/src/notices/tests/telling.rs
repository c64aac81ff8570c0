//! What is told, to whom, and how often.

use std::time::Duration;

use axum::http::Method;
use firstcome_core::events::{RoleEvent, TakenLine};
use firstcome_core::ids::{OrderId, RefundId};
use firstcome_core::ledger::{Command, ReleaseReason};
use firstcome_core::ports::StockLedger as _;
use serde_json::{Value, json};

use super::super::notice::NoticeKind;
use super::receiver::Receiver;
use super::{BUYER, OFFER, OTHER, WEBHOOKS, World, offer_id, won};

/// The bodies of the deliveries, by kind.
async fn told(world: &World, kind: NoticeKind) -> Vec<Value> {
    world.read().await;
    let rows = world.rows().await.into_iter().filter(|row| row.kind == kind);
    rows.map(|row| serde_json::from_str(&row.body).expect("JSON")).collect()
}

#[tokio::test]
async fn an_order_that_is_paid_is_told_once_with_its_amounts_and_nothing_of_the_person() {
    let (world, receiver) = (World::open().await, Receiver::start().await);
    world.listen(&receiver, &[]).await;
    let order = world.hold("k", 2, Some(1)).await;
    assert!(told(&world, NoticeKind::OrderCompleted).await.is_empty());
    world.pay(order).await;
    for _ in 0..2 {
        let bodies = told(&world, NoticeKind::OrderCompleted).await;
        let data = json!({
            "order_id": order, "amount": won(1_500),
            "lines": [
                { "offer_id": offer_id(OFFER), "quantity": 2, "unit_price": won(500) },
                { "offer_id": offer_id(OTHER), "quantity": 1, "unit_price": won(500) },
            ],
        });
        assert_eq!(bodies, [json!({ "type": "order.completed", "timestamp": "2027-01-15T08:00:00Z", "data": data })]);
        assert!(!bodies[0].to_string().contains(&BUYER.to_string()));
    }
}

#[tokio::test]
async fn an_unpaid_order_that_is_withdrawn_is_told_and_one_that_expires_is_not() {
    let (world, receiver) = (World::open().await, Receiver::start().await);
    world.listen(&receiver, &[]).await;
    let (withdrawn, left) = (world.hold("a", 1, Some(2)).await, world.hold("b", 1, None).await);
    world.decide(withdrawn, [Command::Release { order: withdrawn, reason: ReleaseReason::Canceled }]).await;
    world.clock.advance(Duration::from_secs(600));
    world.decide(left, [Command::Expire]).await;
    let bodies = told(&world, NoticeKind::OrderCanceled).await;
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    let lines = json!([{ "offer_id": offer_id(OFFER), "quantity": 1 }, { "offer_id": offer_id(OTHER), "quantity": 2 }]);
    let data = json!({ "order_id": withdrawn, "refund_id": null, "whole": true, "lines": lines });
    assert_eq!(bodies[0]["data"], data);
}

#[tokio::test]
async fn what_is_taken_back_and_money_that_goes_back_are_told() {
    let (world, receiver) = (World::open().await, Receiver::start().await);
    world.listen(&receiver, &[]).await;
    let (order, refund) = (world.sell("k", 2).await, RefundId([2; 16]));
    let lines = vec![TakenLine { offer: OFFER, quantity: 1, of: 2 }];
    for _ in 0..2 {
        // An event that comes twice is one thing to tell.
        world.announce(RoleEvent::OrderCanceled { refund, order, lines: lines.clone(), whole: false }).await;
        world.announce(RoleEvent::RefundDone { refund, order, amount: won(400), to_card: Some(300) }).await;
    }
    let canceled = told(&world, NoticeKind::OrderCanceled).await;
    let lines = json!([{ "offer_id": offer_id(OFFER), "quantity": 1 }]);
    assert_eq!(canceled.len(), 1);
    assert_eq!(canceled[0]["data"], json!({ "order_id": order, "refund_id": refund, "whole": false, "lines": lines }));
    let refunded = told(&world, NoticeKind::OrderRefunded).await;
    assert_eq!(refunded.len(), 1);
    let back = json!({ "order_id": order, "refund_id": refund, "amount": won(400), "to_gift_card": won(300) });
    assert_eq!(refunded[0]["data"], back);
}

async fn take_back(world: &World, order: OrderId, return_id: RefundId) {
    let back = Command::Return { order, return_id, quantity: 1, restock: true };
    world.ledger.decide(OFFER, back).await.expect("taken back");
}

#[tokio::test]
async fn sold_out_is_told_when_the_last_unit_is_sold_and_again_after_units_came_back() {
    let (world, receiver) = (World::open().await, Receiver::start().await);
    world.listen(&receiver, &["offer.sold_out"]).await;
    let first = world.sell("a", 2).await;
    let last = world.hold("b", 1, None).await;
    assert!(told(&world, NoticeKind::OfferSoldOut).await.is_empty(), "a unit that is held may come back");
    world.pay(last).await;
    let bodies = told(&world, NoticeKind::OfferSoldOut).await;
    assert_eq!(bodies.len(), 1);
    assert_eq!(bodies[0]["data"], json!({ "offer_id": offer_id(OFFER), "stock": 3, "sold": 3 }));
    take_back(&world, first, RefundId([1; 16])).await;
    assert_eq!(told(&world, NoticeKind::OfferSoldOut).await.len(), 1);
    world.sell("c", 1).await;
    assert_eq!(told(&world, NoticeKind::OfferSoldOut).await.len(), 2);
    // Between two looks it was sold out, and is not any more: nothing is said that is not so.
    take_back(&world, first, RefundId([2; 16])).await;
    told(&world, NoticeKind::OfferSoldOut).await;
    world.sell("d", 1).await;
    take_back(&world, last, RefundId([3; 16])).await;
    assert_eq!(told(&world, NoticeKind::OfferSoldOut).await.len(), 2);
    assert_eq!(world.rows().await.len(), 2, "nothing else was asked for");
}

#[tokio::test]
async fn whoever_comes_later_or_is_paused_or_gone_is_not_told() {
    let (world, receiver) = (World::open().await, Receiver::start().await);
    world.sell("before", 1).await;
    world.clock.advance(Duration::from_secs(1));
    let (webhook, _) = world.listen(&receiver, &[]).await;
    world.read().await;
    assert!(world.rows().await.is_empty(), "it happened before the webhook was there");
    let path = format!("{WEBHOOKS}/{webhook}");
    assert_eq!(world.seller(Method::PATCH, &path, json!({ "paused": true })).await.0, 200);
    world.sell("paused", 1).await;
    world.read().await;
    world.sell("paused, and read later", 1).await;
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.seller(Method::PATCH, &path, json!({ "paused": false })).await.0, 200);
    world.read().await;
    assert!(world.rows().await.is_empty());
    let free = OrderId::of_request(BUYER, "told", 0, OTHER);
    let request = firstcome_core::ledger::HoldRequest {
        order: free,
        person: BUYER,
        quantity: 1,
        digest: 0,
        discount: 500,
        unit_price: None,
        facts: None,
    };
    world.decide(free, [Command::Hold(request)]).await;
    world.read().await;
    let row = world.row().await;
    assert_eq!((row.kind, row.subject), (NoticeKind::OrderCompleted, free.to_string()), "free, so at once");
    assert_eq!(serde_json::from_str::<Value>(&row.body).expect("JSON")["data"]["discount"], json!(won(500)));
    assert_eq!(world.seller(Method::DELETE, &path, Value::Null).await.0, 204);
    world.sell("gone", 1).await;
    world.read().await;
    assert_eq!(world.row().await.id, row.id);
}
