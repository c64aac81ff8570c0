//! The cart: twins of a checkout, of which one is refused and another places the order.

use std::sync::Arc;
use std::time::Duration;

use firstcome_core::codes::ErrorCode;

use super::shop::{BUYER, HOME, SECOND, Shop, offer_id};
use crate::harm::Far;
use crate::http::Problem;
use crate::orders::cart::CartItem;
use crate::orders::cart::checkout::Frozen;

#[tokio::test]
async fn a_twin_that_was_refused_forgets_no_order() {
    let shop = Shop::open([1_000, 300, 50]).await;
    let orders = &shop.orders;
    let item = CartItem { offer: offer_id(HOME), quantity: 2 };
    let put = |items: &mut Vec<CartItem>| {
        items.push(item);
        Ok(())
    };
    orders.change_cart(BUYER, put).await.expect("put");
    let freeze = async || orders.freeze(BUYER, "key", 1).await.expect("frozen").checkout;
    let (placed, refused, late) = (freeze().await, freeze().await, freeze().await);
    let sold_out = Problem::new(ErrorCode::SoldOut);
    orders.thaw(refused, &sold_out, false).await.expect("thawed");
    orders.finish_checkout(&placed.record).await.expect("finished");
    orders.thaw(late, &sold_out, false).await.expect("thawed");
    let again = freeze().await.record;
    assert!(
        again.done && again.items == placed.record.items,
        "the key stands for the order that was placed: {again:?}"
    );
    orders.finish_checkout(&placed.record).await.expect("finished");
}

#[tokio::test]
async fn a_cart_is_ordered_under_one_key_at_a_time() {
    let shop = Shop::open([1_000, 300, 50]).await;
    let orders = &shop.orders;
    let put = |items: &mut Vec<CartItem>| {
        items.push(CartItem { offer: offer_id(HOME), quantity: 2 });
        Ok(())
    };
    orders.change_cart(BUYER, put).await.expect("put");
    let freeze = async |key| orders.freeze(BUYER, key, 1).await.map_err(|problem| problem.code());
    let first = freeze("one").await.expect("frozen").checkout;
    assert_eq!(freeze("two").await.err(), Some(ErrorCode::WrongState));
    freeze("one").await.expect("the same again");
    orders.thaw(first.clone(), &Problem::new(ErrorCode::Overloaded), false).await.expect("thawed");
    assert_eq!(freeze("two").await.err(), Some(ErrorCode::WrongState), "an earlier try may have placed it");
    orders.thaw(first, &Problem::new(ErrorCode::Overloaded), true).await.expect("thawed");
    let second = freeze("two").await.expect("nothing was placed, so the cart is free again").checkout;
    orders.thaw(second, &Problem::new(ErrorCode::SoldOut), true).await.expect("thawed");
    freeze("two").await.expect("the cart is free again");
    // Its process dies.
    shop.clock.advance(Duration::from_secs(59));
    assert_eq!(freeze("three").await.err(), Some(ErrorCode::WrongState), "it may come again");
    shop.clock.advance(Duration::from_secs(2));
    let Frozen { checkout, cart } = freeze("three").await.expect("nobody is at it any more");
    assert_eq!(freeze("two").await.err(), Some(ErrorCode::WrongState), "it would be a second order");
    orders.finish_frozen(checkout, cart).await.expect("finished");
    for key in ["one", "two", "four"] {
        assert_eq!(freeze(key).await.err(), Some(ErrorCode::WrongState), "nothing is left for {key}");
    }
}

#[tokio::test]
async fn a_checkout_takes_out_what_it_ordered_also_when_another_device_adds_something() {
    let shop = Shop::open([1_000, 300, 50]).await;
    let orders = &shop.orders;
    let add = async |offer| {
        let item = CartItem { offer: offer_id(offer), quantity: 1 };
        let put = |items: &mut Vec<CartItem>| {
            items.push(item);
            Ok(())
        };
        orders.change_cart(BUYER, put).await.expect("put");
    };
    for (key, meanwhile) in [("one", false), ("two", true)] {
        add(HOME).await;
        let Frozen { checkout, cart } = orders.freeze(BUYER, key, 1).await.expect("frozen");
        if meanwhile {
            add(SECOND).await;
        }
        orders.finish_frozen(checkout, cart).await.expect("finished");
        let again = orders.freeze(BUYER, key, 1).await.expect("frozen");
        assert!(again.checkout.record.done && again.cart.is_none(), "the key stands for what was ordered");
    }
    let left = orders.freeze(BUYER, "three", 1).await.expect("frozen").checkout.record.items.0;
    assert_eq!(left, [CartItem { offer: offer_id(SECOND), quantity: 1 }]);
}

#[tokio::test]
async fn twins_under_one_key_are_one_checkout_wherever_they_meet() {
    for late in 0..20 {
        for is_ordered in [false, true] {
            let mut shop = Shop::open([1_000, 300, 50]).await;
            shop.ports.records = Arc::new(Far(shop.ports.records.clone()));
            shop.restart().await;
            let orders = &shop.orders;
            let put = |items: &mut Vec<CartItem>| {
                items.push(CartItem { offer: offer_id(HOME), quantity: 2 });
                Ok(())
            };
            orders.change_cart(BUYER, put).await.expect("put");
            let freeze =
                async || orders.freeze(BUYER, "key", 1).await.map_err(|problem| problem.description().to_owned());
            let first = async {
                let Frozen { checkout, cart } = freeze().await.expect("frozen");
                if is_ordered {
                    orders.finish_frozen(checkout.clone(), cart).await.expect("finished");
                }
                checkout
            };
            let second = async {
                for _ in 0..late {
                    tokio::task::yield_now().await;
                }
                freeze().await
            };
            let (first, second) = tokio::join!(first, second);
            let second = second.expect("the same").checkout;
            assert_eq!(second.record.items, first.record.items, "{late} steps late");
        }
    }
}
