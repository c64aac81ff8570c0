//! A person whose account is gone.

use firstcome_core::events::RoleEvent;
use firstcome_core::ids::RefundId;
use firstcome_core::ports::{Clock as _, Committed, Records as _};
use firstcome_core::records::{RecordsExt as _, Unit};
use serde_json::json;

use super::shop::{BUYER, HOME, SECOND, Shop};
use crate::orders::books::AfterSale;
use crate::orders::decide::Decision;
use crate::orders::refund::{Refund, Taken};
use crate::orders::returns::Request;

const WORDS: &str = "too small for my son Zebulon";

#[tokio::test]
async fn what_a_person_wrote_goes_with_the_account() {
    let mut shop = Shop::open([1_000, 300, 50]).await;
    shop.sell_goods().await;
    let goods = shop.sold("goods", HOME, 2).await;
    shop.deliver(&goods).await;
    let request: Request = serde_json::from_value(json!({ "reason": WORDS })).expect("a request");
    let asked = shop.orders.remember("return", BUYER, "return", goods.order, 1).await.expect("kept").record;
    shop.orders.ask_once(&goods, &asked, &request).await.expect("asked");

    let ticket = shop.sold("ticket", SECOND, 1).await;
    let (own, staff) = (RefundId([1; 16]), RefundId([2; 16]));
    for (refund, by, reason) in [(own, None, WORDS), (staff, Some(BUYER), "the concert was moved")] {
        let decided = shop.orders.decide(&ticket, |books, now| {
            let policy = firstcome_core::product::RefundPolicy::FullUntilUsed;
            let refund = books.refund(refund, Taken::default(), 100, policy, reason.to_owned(), now);
            Ok(Decision::New(Refund { by, ..refund }))
        });
        decided.await.expect("decided");
    }

    let erased = Unit::new().event(&RoleEvent::UserErased { user: BUYER }, shop.clock.now());
    assert_eq!(shop.accounts.commit(erased).await.expect("announced"), Committed::Done);
    shop.orders.facts.address(BUYER).await.expect("heard");
    let after = shop.ports.records.load::<AfterSale>(goods.order).await.expect("readable").expect("there").record;
    let returning = after.parcel.0.returning.expect("it is still to come back");
    assert_eq!((returning.reason, returning.lines[0].quantity), (None, 2));
    let reason = async |refund: RefundId| {
        shop.ports.records.load::<Refund>(refund).await.expect("readable").expect("there").record.reason
    };
    assert_eq!(reason(own).await, "the account was deleted");
    assert_eq!(reason(staff).await, "the concert was moved", "the books of the shop stay");
}
