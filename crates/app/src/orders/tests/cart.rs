//! The cart: twins of a checkout, of which one is refused and another places the order.

use firstcome_core::codes::ErrorCode;

use super::shop::{BUYER, HOME, SECOND, Shop, offer_id};
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
    orders.thaw(refused, &sold_out).await.expect("thawed");
    orders.finish_checkout(&placed.record).await.expect("finished");
    orders.thaw(late, &sold_out).await.expect("thawed");
    let again = freeze().await.record;
    assert!(
        again.done && again.items == placed.record.items,
        "the key stands for the order that was placed: {again:?}"
    );
    orders.finish_checkout(&placed.record).await.expect("finished");
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
