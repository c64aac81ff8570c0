//! Two levels of categories, and the products in them.

mod import;

use std::sync::Arc;

use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::CategoryId;
use firstcome_core::product::Product;
use firstcome_core::records::{Query, Record as _, RecordsExt as _};
use serde_json::{Value, json};

use super::tree::{Category, Names};
use crate::catalog::products_public::Filters;
use crate::catalog::store::ProductRow;
use crate::catalog::tests::{Far, Shop};
use crate::http::{Outcome, PageParameters};

impl Shop {
    async fn category(&self, name: Names, parent: Option<CategoryId>) -> Outcome<CategoryId> {
        let category = Category { category_id: self.catalog.new_category_id(), name, parent, position: 0 };
        self.catalog.change_tree(|tree| tree.put(category.clone())).await.map(|()| category.category_id)
    }

    async fn in_categories(&self, name: &str, categories: &[CategoryId]) -> Outcome<Product> {
        let new = json!({ "kind": "goods", "name": name, "categories": categories });
        self.catalog.create_product(serde_json::from_value(new).expect("a product")).await
    }

    /// The names of the products that a list shows, and the first one's categories.
    async fn shown(&self, filters: Value) -> (Vec<String>, Value) {
        let mut filters = filters;
        filters["sort"] = json!("name");
        let filters: Filters = serde_json::from_value(filters).expect("filters");
        let page = self.catalog.products(&filters, &PageParameters { limit: 100, after: None }).await.expect("a page");
        let shown = serde_json::to_value(&page.items).expect("JSON");
        let shown = shown.as_array().expect("a list");
        let names = shown.iter().map(|product| product["name"].as_str().expect("a name").to_owned()).collect();
        (names, shown.first().map_or(Value::Null, |product| product["categories"].clone()))
    }
}

fn both(ko: &str, en: &str) -> Names {
    Names { ko: Some(ko.to_owned()), en: Some(en.to_owned()) }
}

fn code<T: std::fmt::Debug>(outcome: Outcome<T>) -> ErrorCode {
    outcome.expect_err("refused").code()
}

#[tokio::test]
async fn what_is_in_an_inner_category_is_in_the_outer_one_too() {
    let shop = Shop::open();
    let outer = shop.category(both("가전", "Appliances"), None).await.expect("made");
    let inner = shop.category(both("이어폰", "Earphones"), Some(outer)).await.expect("made");
    let cards = shop.category(Names::of("상품권"), None).await.expect("made");
    shop.in_categories("Buds", &[inner]).await.expect("created");
    shop.in_categories("Toaster", &[outer]).await.expect("created");
    shop.in_categories("Card", &[cards]).await.expect("created");
    shop.in_categories("Thing", &[]).await.expect("created");
    let names = async |filters| shop.shown(filters).await.0;
    assert_eq!(names(json!({ "category": outer })).await, ["Buds", "Toaster"]);
    assert_eq!(names(json!({ "category": inner })).await, ["Buds"]);
    assert_eq!(names(json!({ "category": CategoryId([7; 16]) })).await, [""; 0]);
    assert_eq!(names(json!({ "q": "appli" })).await, ["Buds", "Toaster"], "a category's name finds what is in it");
    assert_eq!(names(json!({ "q": "이어폰 buds" })).await, ["Buds"]);
    for id in [outer.to_string(), "cat".to_owned(), "a".repeat(2), "7".to_owned()] {
        assert_eq!(names(json!({ "q": id })).await, [""; 0], "ids are no words");
    }
    let filters: Filters = serde_json::from_value(json!({ "category": "shoes" })).expect("filters");
    let page = PageParameters { limit: 1, after: None };
    assert_eq!(code(shop.catalog.products(&filters, &page).await), ErrorCode::MalformedRequest);
}

#[tokio::test]
async fn a_word_that_many_categories_are_called_by_finds_none_of_them() {
    let shop = Shop::open();
    let mut last = CategoryId([0; 16]);
    for number in 0..20 {
        last = shop.category(Names::of(&format!("Shelf {number}")), None).await.expect("made");
    }
    shop.in_categories("Vase", &[last]).await.expect("created");
    shop.in_categories("Shelf", &[]).await.expect("created");
    assert_eq!(shop.shown(json!({ "q": "shelf" })).await.0, ["Shelf", "Vase"]);
    shop.category(Names::of("Shelf 20"), None).await.expect("made");
    assert_eq!(shop.shown(json!({ "q": "shelf" })).await.0, ["Shelf"]);
    assert_eq!(shop.shown(json!({ "q": "shelf19" })).await.0, [""; 0]);
    assert_eq!(shop.shown(json!({ "q": "19" })).await.0, ["Vase"]);
}

#[tokio::test(start_paused = true)]
async fn who_looks_into_a_category_does_not_wait_for_those_who_search() {
    let shop = Shop::open();
    let outer = shop.category(both("가전", "Appliances"), None).await.expect("made");
    shop.in_categories("Toaster", &[outer]).await.expect("created");
    let _searching = shop.catalog.searches.acquire().await.expect("open");
    let page = PageParameters { limit: 10, after: None };
    let asked = async |filters: Value| {
        let filters: Filters = serde_json::from_value(filters).expect("filters");
        shop.catalog.products(&filters, &page).await.map(|page| page.items.len())
    };
    for plain in [json!({}), json!({ "category": outer }), json!({ "category": outer, "q": " " })] {
        assert_eq!(asked(plain.clone()).await.expect("a page"), 1, "{plain}");
    }
    for words in [json!({ "q": "toast" }), json!({ "q": "toast", "category": outer })] {
        assert_eq!(code(asked(words).await), ErrorCode::Overloaded);
    }
    for number in 0..20 {
        shop.category(Names::of(&format!("C{number}")), Some(outer)).await.expect("made");
    }
    assert_eq!(code(asked(json!({ "category": outer })).await), ErrorCode::Overloaded, "it is many by now");
}

#[tokio::test]
async fn a_renamed_category_finds_by_its_new_name_and_one_that_is_gone_by_none() {
    let shop = Shop::open();
    let outer = shop.category(both("가전", "Appliances"), None).await.expect("made");
    let inner = shop.category(both("이어폰", "Earphones"), Some(outer)).await.expect("made");
    let product = shop.in_categories("Buds", &[inner, outer]).await.expect("created");
    let renamed = Category { category_id: inner, name: Names::of("Headphones"), parent: Some(outer), position: 1 };
    shop.catalog.change_tree(|tree| tree.put(renamed.clone())).await.expect("renamed");
    assert!(shop.shown(json!({ "q": "earphones" })).await.0.is_empty());
    assert_eq!(shop.shown(json!({ "q": "headphones" })).await.0, ["Buds"]);
    shop.catalog.change_tree(|tree| tree.remove(outer)).await.expect("gone");
    assert_eq!(code(shop.catalog.change_tree(|tree| tree.remove(outer)).await), ErrorCode::NotFound);
    let tree = shop.catalog.tree().await.expect("readable");
    assert_eq!(tree.all().iter().map(|category| category.parent).collect::<Vec<_>>(), [None], "the inner one stays");
    let (names, categories) = shop.shown(json!({})).await;
    assert_eq!((names, categories), (vec!["Buds".to_owned()], json!([inner])));
    assert_eq!(tree.path(outer), None);
    // The product can be changed without a word about what is gone.
    let stored = shop.catalog.product(product.product_id).await.expect("there");
    let changed = Product { tax_free: true, ..stored.record.product.0.clone() };
    shop.catalog.change_product(stored, changed).await.expect("changed");
}

#[tokio::test]
async fn what_would_be_a_third_level_or_a_twin_is_refused() {
    let shop = Shop::open();
    let outer = shop.category(both("가전", "Appliances"), None).await.expect("made");
    let inner = shop.category(both("이어폰", "Earphones"), Some(outer)).await.expect("made");
    for (name, parent) in [
        (Names::of("deep"), Some(inner)),
        (Names::of("nowhere"), Some(CategoryId([7; 16]))),
        (Names::of("가전"), None),
        (Names::of("APPLIANCES"), None),
        (Names::of(" 이어 폰 "), Some(outer)),
        (Names::default(), None),
    ] {
        assert_eq!(code(shop.category(name.clone(), parent).await), ErrorCode::InvalidBody, "{name:?}");
    }
    shop.category(Names::of("이어폰"), None).await.expect("another place");
    let into_itself = Category { category_id: outer, name: Names::of("A"), parent: Some(outer), position: 0 };
    assert_eq!(code(shop.catalog.change_tree(|tree| tree.put(into_itself.clone())).await), ErrorCode::InvalidBody);
    // There is one of this name at the top already.
    assert_eq!(code(shop.catalog.change_tree(|tree| tree.remove(outer)).await), ErrorCode::WrongState);
}

#[tokio::test]
async fn many_are_made_at_once() {
    let mut shop = Shop::open();
    shop.catalog.ports.records = Arc::new(Far(shop.records.clone()));
    let made = (0..40).map(async |number| shop.category(Names::of(&format!("C{number}")), None).await);
    for made in futures_util::future::join_all(made).await {
        made.expect("made");
    }
    assert_eq!(shop.catalog.tree().await.expect("readable").all().len(), 40);
}

#[tokio::test]
async fn a_product_is_in_few_categories_that_exist() {
    let shop = Shop::open();
    let mut ids = Vec::new();
    for number in 0..11 {
        ids.push(shop.category(Names::of(&format!("C{number}")), None).await.expect("made"));
    }
    let filled = Query::all(ProductRow::TABLE, 10);
    for wrong in [&ids[..], &[ids[0], ids[0]], &[CategoryId([7; 16])]] {
        assert_eq!(code(shop.in_categories("Thing", wrong).await), ErrorCode::InvalidBody);
    }
    assert!(shop.records.list::<ProductRow>(filled).await.expect("readable").is_empty());
    shop.in_categories("Thing", &ids[..10]).await.expect("created");
}

#[tokio::test]
async fn categories_are_read_once_for_each_change() {
    let shop = Shop::open();
    assert!(shop.catalog.tree().await.expect("readable").all().is_empty());
    shop.category(Names::of("One"), None).await.expect("made");
    let tree = shop.catalog.tree().await.expect("readable");
    assert!(Arc::ptr_eq(&tree, &shop.catalog.tree().await.expect("readable")));
    shop.category(Names::of("Two"), None).await.expect("made");
    assert_eq!((tree.all().len(), shop.catalog.tree().await.expect("readable").all().len()), (1, 2));
}
