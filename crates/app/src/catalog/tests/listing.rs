//! What lists show: words in Korean and English, orders, and pages while others change the shop.

use std::collections::HashMap;

use firstcome_core::ids::{OfferId, OfferNumber};
use firstcome_core::ports::Records as _;
use firstcome_core::records::{Query, Record as _, RecordsExt as _, Stored, Unit};
use firstcome_core::time::Time;
use serde_json::{Value, json};

use super::{ErrorCode, Shop, refused};
use crate::catalog::store::{OfferRow, ProductRow, offer_row};
use crate::catalog::{offers_public, products_public, search};
use crate::http::{Items, Outcome, PageParameters, decode_cursor};

impl Shop {
    async fn product(&self, fields: Value) -> firstcome_core::ids::ProductId {
        let mut product = json!({ "kind": "goods" });
        product.as_object_mut().expect("fields").extend(fields.as_object().expect("fields").clone());
        let new = serde_json::from_value(product).expect("a product");
        self.catalog.create_product(new).await.expect("created").product_id
    }

    /// A product on sale since the beginning of the shop and some seconds.
    async fn sold(&self, name: &str, price: i64, seconds: i64) -> firstcome_core::ids::OfferId {
        let product_id = self.product(json!({ "name": name })).await;
        let opens_at = firstcome_core::time::Time::from_millis(1_800_000_000_000 + seconds * 1_000);
        let new = json!({
            "product_id": product_id, "stock": 1, "opens_at": opens_at, "price": { "amount": price, "currency": "KRW" },
        });
        self.catalog.create_offer(serde_json::from_value(new).expect("an offer")).await.expect("created").offer_id
    }

    async fn products(&self, filters: Value, page: &PageParameters) -> Outcome<Items<Value>> {
        let filters: products_public::Filters = serde_json::from_value(filters).expect("filters");
        self.catalog.products(&filters, page).await.map(shown)
    }

    async fn listed(&self, filters: Value, page: &PageParameters) -> Outcome<Items<Value>> {
        let filters: offers_public::Filters = serde_json::from_value(filters).expect("filters");
        self.catalog.offers(&filters, page, false).await.map(shown)
    }

    /// The names of the products that a question finds, and whether offers of them are found by it too.
    async fn found(&self, question: &str) -> Vec<String> {
        let page = PageParameters { limit: 100, after: None };
        let filters = json!({ "q": question, "sort": "name" });
        let products = self.products(filters.clone(), &page).await.expect("a page").items;
        let products: Vec<_> = products.iter().map(|product| text(&product["name"])).collect();
        let offers = self.listed(filters, &page).await.expect("a page").items;
        assert_eq!(offers.iter().map(|offer| text(&offer["product"]["name"])).collect::<Vec<_>>(), products);
        products
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

fn shown<T: serde::Serialize>(page: Items<T>) -> Items<Value> {
    let items = page.items.iter().map(|item| serde_json::to_value(item).expect("JSON")).collect();
    Items { items, next_cursor: page.next_cursor }
}

#[tokio::test]
async fn words_are_found_in_korean_and_in_english() {
    let shop = Shop::open();
    for (name, price) in
        [("백화점 선물 카드", 1), ("모바일선물카드 5만원", 2), ("Gift Card 100%", 3), ("놀이공원 이용권", 4)]
    {
        shop.sold(name, price, 0).await;
    }
    assert_eq!(shop.found("선물 카드").await, ["모바일선물카드 5만원", "백화점 선물 카드"]);
    assert_eq!(shop.found("선물카드").await, ["모바일선물카드 5만원", "백화점 선물 카드"]);
    assert_eq!(shop.found("물카").await, ["모바일선물카드 5만원", "백화점 선물 카드"], "a part of a word");
    assert_eq!(shop.found("카드 백화점").await, ["백화점 선물 카드"], "every word, in any order");
    assert_eq!(shop.found("ＧＩＦＴ car").await, ["Gift Card 100%"]);
    assert_eq!(shop.found("%").await, ["Gift Card 100%"], "no letter is special");
    assert!(shop.found("_").await.is_empty());
    assert!(shop.found("gift 백화점").await.is_empty());
    assert_eq!(shop.found(" \u{3000} ").await.len(), 4, "no word is every word");
    let page = PageParameters { limit: 100, after: None };
    for long in ["가".repeat(101), "a ".repeat(7)] {
        assert_eq!(refused(shop.products(json!({ "q": long }), &page).await).0, ErrorCode::MalformedRequest);
    }
}

#[tokio::test]
async fn a_product_is_found_by_what_it_is_now() {
    let shop = Shop::open();
    let lamp = shop.product(json!({ "name": "Lamp", "sku": "L-1", "description": "따뜻한 빛\nfor reading" })).await;
    let page = PageParameters { limit: 100, after: None };
    let found =
        async |question: &str| shop.products(json!({ "q": question }), &page).await.expect("a page").items.len();
    for question in ["lamp", "l-1", "따뜻한빛", "READING"] {
        assert_eq!(found(question).await, 1, "{question}");
    }
    assert_eq!(found("빛for").await, 1, "blanks beside Korean do not count");
    let stored = shop.catalog.product(lamp).await.expect("there");
    let edit: crate::catalog::product::ProductEdit =
        serde_json::from_value(json!({ "name": "Chandelier" })).expect("an edit");
    let product = edit.apply(stored.record.product.0.clone()).expect("right");
    shop.catalog.change_product(stored, product).await.expect("changed");
    assert_eq!((found("lamp").await, found("chand").await), (0, 1));
}

#[tokio::test]
async fn rows_from_before_are_found_once_the_shop_has_started() {
    let shop = Shop::open();
    let offer = shop.sold("선물 카드", 5, 0).await;
    let row = shop.records.load::<OfferRow>(offer).await.expect("readable").expect("there");
    let Stored { record, version } =
        shop.records.load::<ProductRow>(row.record.product_id).await.expect("readable").expect("there");
    let old = ProductRow { search: None, sort_name: None, ..record };
    let offer = OfferRow { search: None, sort_name: None, price: None, ..row.record.clone() };
    assert!(offer.agrees_with_itself(), "the audit takes it as it is");
    let unit = Unit::new().update(&Stored { record: old, version }).update(&Stored { record: offer, ..row.clone() });
    shop.records.commit(unit).await.expect("committed");
    assert!(shop.found("카드").await.is_empty());
    search::fill(&*shop.records).await.expect("filled");
    assert_eq!(shop.found("카드").await, ["선물 카드"]);
    let offers = shop.records.list::<OfferRow>(Query::all(OfferRow::TABLE, 10)).await.expect("readable");
    assert_eq!(offers.into_iter().map(|stored| stored.record).collect::<Vec<_>>(), [row.record]);
}

#[tokio::test]
async fn every_order_is_paged_while_others_change_the_shop() {
    for sort in ["", "-opens_at", "opens_at", "newest", "name", "-name", "price", "-price"] {
        let shop = Shop::open();
        let mut ids = Vec::new();
        for number in 0..20 {
            ids.push(shop.sold(&format!("상품 {:02}", number * 7 % 20), number % 5, number * 3 % 11).await);
        }
        let mut seen: HashMap<String, u32> = HashMap::new();
        let mut page = PageParameters { limit: 3, after: None };
        let mut places = Vec::new();
        loop {
            let listed = shop.listed(json!({ "sort": sort }), &page).await.expect("a page");
            for offer in &listed.items {
                *seen.entry(text(&offer["offer_id"])).or_default() += 1;
                places.push((
                    offer["opens_at"].clone(),
                    offer["product"]["name"].clone(),
                    offer["price"]["amount"].clone(),
                ));
            }
            let Some(cursor) = listed.next_cursor else { break };
            page.after = decode_cursor(&cursor);
            if seen.len() < 12 {
                // New ones at both ends, and one that was there changes what its order does not look at.
                shop.sold("가", 0, -50).await;
                shop.sold("힣", 99, 50).await;
                let stored = shop.catalog.offer(ids[seen.len()]).await.expect("there");
                shop.catalog.save_offer(stored).await.expect("saved");
            }
        }
        for id in ids {
            assert_eq!(seen.get(&id.to_string()), Some(&1), "{sort}: {id}");
        }
        let key = |place: &(Value, Value, Value)| match sort.trim_start_matches('-') {
            "name" => text(&place.1),
            "price" => format!("{:05}", place.2.as_i64().expect("a number")),
            "newest" => String::new(),
            _ => text(&place.0),
        };
        let keys: Vec<_> = places.iter().map(key).collect();
        let falls = sort.is_empty() || sort.starts_with('-');
        assert!(keys.is_sorted_by(|one, next| if falls { one >= next } else { one <= next }), "{sort}: {keys:?}");
    }
}

#[tokio::test]
async fn a_state_that_few_are_in_is_looked_for_in_steps() {
    let shop = Shop::open();
    let offer = shop.sold("Lamp", 1, 0).await;
    let open = shop.catalog.offer(offer).await.expect("there").record.offer.0;
    let (opened, now) = (open.opens_at, shop.catalog.ports.clock.now());
    let offers = (2..2_102).map(|number| {
        let mut info = open.clone();
        info.offer_id = OfferId::numbered(now, OfferNumber(number), [0; 6]);
        if number == 2 {
            (info.opens_at, info.closes_at) = (Time::from_millis(1), Some(opened));
        }
        info
    });
    let unit = offers.fold(Unit::new(), |unit, info| unit.insert(&offer_row(&info, 1, now)));
    shop.records.commit(unit).await.expect("committed");
    let mut page = PageParameters { limit: 10, after: None };
    let filters = json!({ "state": "frozen,ended" });
    let first = shop.listed(filters.clone(), &page).await.expect("a page");
    assert!(first.items.is_empty(), "none is among those that were read");
    page.after = decode_cursor(&first.next_cursor.expect("there are more"));
    let second = shop.listed(filters, &page).await.expect("a page");
    assert_eq!((second.items.len(), second.next_cursor), (1, None));
}

#[tokio::test]
async fn an_order_that_is_none_and_the_place_in_another_are_refused() {
    let shop = Shop::open();
    for number in 0..3 {
        shop.sold(&format!("Lamp {number}"), number, number).await;
    }
    let mut page = PageParameters { limit: 1, after: None };
    let cursor = shop.listed(json!({ "sort": "price" }), &page).await.expect("a page").next_cursor.expect("more");
    page.after = decode_cursor(&cursor);
    for sort in ["", "-price", "opens_at", "newest", "name", "cheapest", "price,name"] {
        assert_eq!(refused(shop.listed(json!({ "sort": sort }), &page).await).0, ErrorCode::MalformedRequest, "{sort}");
    }
    assert_eq!(shop.listed(json!({ "sort": "price" }), &page).await.expect("a page").items.len(), 1);
    assert_eq!(refused(shop.products(json!({ "sort": "name" }), &page).await).0, ErrorCode::MalformedRequest);
    page.after = None;
    assert_eq!(refused(shop.products(json!({ "sort": "price" }), &page).await).0, ErrorCode::MalformedRequest);
    let nothing = shop.products(json!({ "q": "chair" }), &page).await.expect("a page");
    assert!(nothing.items.is_empty() && nothing.next_cursor.is_none());
}
