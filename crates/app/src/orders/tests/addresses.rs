//! Where goods go, as the seller sees it.

use firstcome_core::records::{RecordsExt as _, Unit};
use serde_json::{Value, json};

use super::shop::{HOME, SECOND, Shop, ship_to};
use crate::orders::addresses::{ShippingAddress, address_of};
use crate::orders::books::AfterSale;

#[tokio::test]
async fn an_address_that_nobody_can_read_hides_no_other() {
    let mut shop = Shop::open([1_000, 300, 50]).await;
    shop.sell_goods().await;
    let holds = [shop.sold("one", HOME, 1).await, shop.sold("two", HOME, 1).await, shop.sold("no", SECOND, 1).await];
    let harmed = address_of(&holds[1]).expect("goods");
    let mut stored = shop.ports.records.load::<ShippingAddress>(harmed).await.expect("readable").expect("kept");
    stored.record.sealed.reverse();
    shop.ports.records.commit(Unit::new().update(&stored)).await.expect("harmed");
    let addresses = shop.orders.addresses(holds.iter()).await.expect("readable");
    assert_eq!((addresses.len(), addresses[&harmed].is_none()), (2, true));
    for (hold, expected) in holds.iter().zip([Some(ship_to()), Some(Value::Null), None]) {
        let after = AfterSale::new(hold);
        let sold = shop.orders.sold_order(hold, &after).await.expect("shown");
        assert_eq!(json!(sold).get("ship_to"), expected.as_ref());
    }
}
