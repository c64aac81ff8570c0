//! What an order was sold under, when the catalogue has not been heard of yet.

use firstcome_core::events::RoleEvent;
use firstcome_core::ledger::Hold;
use firstcome_core::money::{Currency, Money};
use firstcome_core::ports::{PortError, Records as _};
use firstcome_core::product::{OfferInfo, RefundPolicy};
use firstcome_core::records::Unit;

use super::shop::{HOME, SECOND, Shop, offer};

/// Everything was sold without a right to cancel. The ledger knows it; the catalogue's announcement is on its way.
async fn sold_before_it_was_heard() -> (Shop, Hold, [RoleEvent; 2]) {
    let mut shop = Shop::open([1_000, 300, 50]).await;
    shop.basket("key", &[(HOME, 1), (SECOND, 1)]).await;
    let changed = [(HOME, 1_000), (SECOND, 300)].map(|(number, price)| OfferInfo {
        refund_policy: RefundPolicy::None,
        version: 2,
        ..offer(number, Money::new(price, Currency::KRW))
    });
    for offer in &changed {
        shop.set_terms(offer).await;
    }
    let view = shop.place("key", &[(HOME, 1), (SECOND, 1)]).await.expect("alive").expect("placed");
    let hold = shop.ports.ledger.find(view.order_id).await.expect("readable").expect("placed");
    (shop, hold, changed.map(|offer| RoleEvent::OfferSaved { offer: Box::new(offer) }))
}

#[tokio::test]
async fn an_order_keeps_the_time_zone_that_it_was_sold_under() {
    let mut shop = Shop::open([1_000, 300, 50]).await;
    let ticket = |version, zone: &str| OfferInfo {
        time_zone: Some(zone.to_owned()),
        version,
        ..offer(HOME, Money::new(1_000, Currency::KRW))
    };
    shop.sell(&ticket(2, "Asia/Seoul")).await;
    shop.orders.facts.heard(HOME, 2).await.expect("heard");
    shop.basket("key", &[(HOME, 1)]).await;
    let view = shop.place("key", &[(HOME, 1)]).await.expect("alive").expect("placed");
    shop.sell(&ticket(3, "Pacific/Honolulu")).await;
    shop.orders.facts.heard(HOME, 3).await.expect("heard");
    let hold = shop.ports.ledger.find(view.order_id).await.expect("readable").expect("placed");
    let terms = shop.orders.terms_of(&hold).await.expect("known");
    assert_eq!(terms[&HOME].time_zone.as_deref(), Some("Asia/Seoul"));
}

#[tokio::test(start_paused = true)]
async fn terms_that_are_not_heard_of_are_waited_for_and_never_made_up() {
    let (shop, hold, announced) = sold_before_it_was_heard().await;
    for event in announced {
        let refused = shop.orders.terms_of(&hold).await.expect_err("unknown");
        assert!(matches!(refused, PortError::Unavailable(_)), "{refused:?}");
        shop.catalog.commit(Unit::new().event(&event, hold.created_at)).await.expect("announced");
    }
    let terms = shop.orders.terms_of(&hold).await.expect("known");
    assert!([HOME, SECOND].iter().all(|offer| terms[offer].policy == RefundPolicy::None), "{terms:?}");
}
