//! Wishes of people with several devices.

use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::{ProductId, UserId};
use firstcome_core::ports::{Committed, Records as _};
use firstcome_core::records::{Query, Record as _, RecordsExt as _, Unit};
use serde_json::json;

use super::{MOST_WISHES, WishRow, WishlistRow, forget_wishes};
use crate::catalog::Catalog;
use crate::catalog::store::ProductRow;
use crate::catalog::tests::Shop;
use crate::http::PageParameters;

const ANN: UserId = UserId([1; 16]);
const BOB: UserId = UserId([2; 16]);

async fn product(catalog: &Catalog, name: &str) -> ProductId {
    let new = serde_json::from_value(json!({ "kind": "goods", "name": name })).expect("a product");
    catalog.create_product(new).await.expect("created").product_id
}

async fn names(catalog: &Catalog, person: UserId, limit: u32) -> Vec<String> {
    let mut page = PageParameters { limit, after: None };
    let mut names = Vec::new();
    loop {
        let wishes = catalog.wishes(person, &page).await.expect("a page");
        let shown = serde_json::to_value(&wishes.items).expect("JSON");
        names.extend(shown.as_array().expect("a list").iter().map(|wish| wish["product"]["name"].to_string()));
        let Some(cursor) = wishes.next_cursor else { return names };
        page.after = crate::http::decode_cursor(&cursor);
    }
}

#[tokio::test]
async fn twice_is_once_and_lists_are_apart() {
    let shop = Shop::open();
    let (lamp, chair) = (product(&shop.catalog, "Lamp").await, product(&shop.catalog, "Chair").await);
    assert!(names(&shop.catalog, ANN, 20).await.is_empty());
    for wished in [lamp, chair, lamp] {
        shop.catalog.wish(ANN, wished).await.expect("wished");
    }
    shop.catalog.wish(BOB, chair).await.expect("wished");
    let mut both = names(&shop.catalog, ANN, 1).await;
    both.sort();
    assert_eq!(both, ["\"Chair\"", "\"Lamp\""], "one page each, none twice");
    for _ in 0..2 {
        shop.catalog.unwish(ANN, lamp).await.expect("gone");
    }
    assert_eq!(names(&shop.catalog, ANN, 20).await, ["\"Chair\""]);
    assert_eq!(names(&shop.catalog, BOB, 20).await, ["\"Chair\""]);
    let counted = shop.records.load::<WishlistRow>(ANN).await.expect("readable").expect("there");
    assert_eq!(counted.record.wishes, 1, "what is counted is what is there");
}

#[tokio::test]
async fn a_product_that_is_gone_is_left_out_and_can_be_taken_off() {
    let shop = Shop::open();
    let lamp = product(&shop.catalog, "Lamp").await;
    shop.catalog.wish(ANN, lamp).await.expect("wished");
    let row = shop.records.load::<ProductRow>(lamp).await.expect("readable").expect("there").record;
    shop.records.commit(Unit::new().delete(&row)).await.expect("committed");
    assert!(names(&shop.catalog, ANN, 20).await.is_empty());
    assert_eq!(shop.catalog.wish(BOB, lamp).await.expect_err("gone").code(), ErrorCode::NotFound);
    shop.catalog.unwish(ANN, lamp).await.expect("taken off");
    assert_eq!(shop.records.load::<WishlistRow>(ANN).await.expect("readable").expect("there").record.wishes, 0);
}

#[tokio::test]
async fn a_list_has_an_end_for_all_devices_together() {
    let shop = Shop::open();
    let lamp = product(&shop.catalog, "Lamp").await;
    let almost = WishlistRow { person: ANN, wishes: MOST_WISHES - 1 };
    shop.records.commit(Unit::new().insert(&almost)).await.expect("committed");
    let others = [product(&shop.catalog, "Chair").await, product(&shop.catalog, "Table").await];
    let (one, two) = tokio::join!(shop.catalog.wish(ANN, others[0]), shop.catalog.wish(ANN, others[1]));
    let refused: Vec<_> = [one, two].into_iter().filter_map(Result::err).map(|problem| problem.code()).collect();
    assert_eq!(refused, [ErrorCode::WishlistFull]);
    assert_eq!(shop.catalog.wish(ANN, lamp).await.expect_err("full").code(), ErrorCode::WishlistFull);
    let had = if shop.catalog.wish(ANN, others[0]).await.is_ok() { others[0] } else { others[1] };
    shop.catalog.wish(ANN, had).await.expect("what is there is there, also on a full list");
    shop.catalog.unwish(ANN, had).await.expect("taken off");
    shop.catalog.wish(ANN, lamp).await.expect("there is room again");
}

#[tokio::test]
async fn what_a_person_wished_for_goes_with_the_account() {
    let shop = Shop::open();
    let (lamp, chair) = (product(&shop.catalog, "Lamp").await, product(&shop.catalog, "Chair").await);
    for (person, wished) in [(ANN, lamp), (BOB, lamp)] {
        shop.catalog.wish(person, wished).await.expect("wished");
    }
    let forget = async || forget_wishes(&*shop.records, ANN).await.expect("readable");
    let before = forget().await;
    shop.catalog.wish(ANN, chair).await.expect("on another device");
    let committed = shop.records.commit(before).await.expect("an answer");
    assert!(matches!(committed, Committed::Conflict(_)), "it would leave the chair");
    assert_eq!(shop.records.commit(forget().await).await.expect("an answer"), Committed::Done);
    let left = shop.records.list::<WishRow>(Query::all(WishRow::TABLE, 10)).await.expect("readable");
    assert_eq!(left.iter().map(|wish| wish.record.person).collect::<Vec<_>>(), [BOB]);
    assert!(shop.records.load::<WishlistRow>(ANN).await.expect("readable").is_none());
    assert!(forget().await.is_empty(), "twice is once");
}
