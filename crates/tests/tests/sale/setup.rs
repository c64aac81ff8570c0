//! What is sold, and by whom.

use firstcome_tests::{Api, Storefront, gift_card, ticket};
use serde_json::{Value, json};

use super::history::{Kind, Terms};
use super::staff::Staff;

/// Units of each offer at the start: few, so that they sell out again and again.
const STOCK: i64 = 60;

pub(super) async fn stage(shop: &impl Storefront) -> (Staff, Vec<Terms>) {
    let staff = Staff::hire(shop).await;
    let seller = &staff.seller;
    let coupon = json!({"kind": "coupon", "name": "Ten percent", "discount": {"percent": 10, "max_amount": 5000}});
    let goods = json!({"kind": "goods", "name": "Air fryer"});
    let card = Kind::GiftCard { face: 50_000 };
    let offers = vec![
        offer(seller, &gift_card(50_000), card, 47_500, Some(4), 900).await,
        offer(seller, &ticket("One day"), Kind::Ticket, 39_000, None, 8).await,
        offer(seller, &coupon, Kind::Coupon, 0, Some(1), 900).await,
        offer(seller, &goods, Kind::Goods, 89_000, Some(2), 900).await,
    ];
    (staff, offers)
}

async fn offer(seller: &Api, product: &Value, kind: Kind, price: i64, limit: Option<u32>, hold_for: u32) -> Terms {
    let mut terms = json!({"price": price, "stock": STOCK, "hold_for_seconds": hold_for});
    if let Some(limit) = limit {
        terms["limit_per_person"] = json!(limit);
    }
    let id = seller.sell(product, &terms).await;
    Terms { offer: id, kind, price, stock: STOCK, limit, short_hold: hold_for < 900 }
}
