//! The cart: twins of a checkout, of which one is refused and another places the order.

use firstcome_core::codes::ErrorCode;

use super::shop::{BUYER, HOME, Shop, offer_id};
use crate::http::Problem;
use crate::orders::cart::CartItem;

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
    let freeze = async || orders.freeze(BUYER, "key", 1).await.expect("frozen");
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
