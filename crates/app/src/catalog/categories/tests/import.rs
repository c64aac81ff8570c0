//! Categories from files.

use firstcome_core::codes::ErrorCode;
use serde_json::{Value, json};

use super::super::GivenCategory;
use super::{Names, both, code};
use crate::catalog::Imported::{self, Created, Unchanged, Updated};
use crate::catalog::tests::Shop;
use crate::http::Outcome;

fn given(rows: &[Value]) -> Vec<GivenCategory> {
    rows.iter().map(|row| serde_json::from_value(row.clone()).expect("a category")).collect()
}

impl Shop {
    async fn give(&self, rows: &[Value]) -> Outcome<Vec<Imported>> {
        let rows = given(rows);
        let mut draft = self.catalog.draft_of_categories().await?;
        let tried: Outcome<Vec<_>> = rows.iter().map(|row| draft.put(row)).collect();
        let taken = self.catalog.import_categories(&rows, &[]).await.map(|(done, _)| done);
        let words = |outcome: &Outcome<Vec<_>>| outcome.as_ref().err().map(|problem| problem.description().to_owned());
        assert_eq!(words(&tried), words(&taken), "what is tried and what is done is the same");
        assert_eq!(tried.ok(), taken.as_ref().ok().cloned());
        taken
    }

    async fn categories_as_exported(&self) -> Value {
        json!(self.catalog.export().await.expect("exported").categories)
    }
}

#[tokio::test]
async fn files_name_categories_and_make_those_that_are_not_there() {
    let shop = Shop::open();
    let outer = shop.category(both("가전", "Appliances"), None).await.expect("made");
    let paths = ["appliances", "가전 > 이어폰", "Clothing > Men > Shirts", "가전>이어 폰"].map(str::to_owned);
    let mut draft = shop.catalog.draft_of_categories().await.expect("readable");
    for path in &paths {
        draft.at(path).expect("right");
    }
    assert_eq!(shop.catalog.tree().await.expect("readable").all().len(), 1, "checking makes nothing");
    let (_, ids) = shop.catalog.import_categories(&[], &paths).await.expect("taken");
    assert_eq!(ids["appliances"], outer);
    assert_eq!(ids["가전 > 이어폰"], ids["가전>이어 폰"], "twice is once");
    let (_, again) = shop.catalog.import_categories(&[], &paths).await.expect("taken");
    assert_eq!(again, ids);
    let tree = shop.catalog.tree().await.expect("readable");
    let named: Vec<_> = tree.all().iter().filter_map(|category| tree.path(category.category_id)).collect();
    assert_eq!(named, ["가전", "가전 > 이어폰", "Clothing", "Clothing > Shirts"]);
    for wrong in [" > ", "", &"a".repeat(61)] {
        let taken = shop.catalog.import_categories(&[], &[wrong.to_owned()]).await;
        assert_eq!(code(taken), ErrorCode::InvalidBody, "{wrong}");
    }
}

#[tokio::test]
async fn files_give_categories_whole_and_twice_is_once() {
    let shop = Shop::open();
    let rows = [
        json!({ "name": { "ko": "상품권" }, "position": 2 }),
        json!({ "name": { "ko": "가전", "en": "Appliances" }, "position": 5 }),
        json!({ "name": { "en": "Toasters" }, "parent": "가전", "position": 1 }),
        json!({ "name": { "ko": "이어폰", "en": "Earphones" }, "parent": "가전", "position": 9 }),
    ];
    assert_eq!(shop.give(&rows).await.expect("taken"), [Created; 4]);
    assert_eq!(shop.give(&rows).await.expect("taken"), [Unchanged; 4]);
    assert_eq!(shop.categories_as_exported().await, json!(rows));
    let other = Shop::open();
    // By another name, with the one that is missing there, and a place of its own.
    let there = other.category(Names::of("earphones"), None).await.expect("made");
    let outer = other.category(Names::of("appliances"), None).await.expect("made");
    let inner = other.category(Names::of("Earphones"), Some(outer)).await.expect("made");
    assert_eq!(other.give(&rows).await.expect("taken"), [Created, Updated, Created, Updated]);
    let tree = other.catalog.tree().await.expect("readable");
    assert_eq!(tree.path(inner).as_deref(), Some("가전 > 이어폰"), "it is the same one");
    assert_eq!(tree.path(there).as_deref(), Some("earphones"), "what the file does not name stays");
    // What a file leaves out stays, and a new one stands behind all others.
    let bare = [json!({ "name": { "en": "appliances" } }), json!({ "name": { "en": "New" } })];
    assert_eq!(shop.give(&bare).await.expect("taken"), [Updated, Created]);
    let rows = [
        rows[0].clone(),
        json!({ "name": { "ko": "가전", "en": "appliances" }, "position": 5 }),
        rows[2].clone(),
        rows[3].clone(),
        json!({ "name": { "en": "New" }, "position": 10 }),
    ];
    assert_eq!(shop.categories_as_exported().await, json!(rows));
}

#[tokio::test]
async fn a_file_whose_categories_do_not_fit_is_refused_whole() {
    let shop = Shop::open();
    for name in ["가전", "Appliances"] {
        shop.category(Names::of(name), None).await.expect("made");
    }
    let inner = json!({ "name": { "en": "Earphones" }, "parent": "가전" });
    for (row, why) in [
        (json!({ "name": { "ko": "가전", "en": "Appliances" } }), "the shop has two such categories, cat_"),
        (json!({ "name": { "en": "good" } }), "write each of them once"),
        (json!({ "name": {} }), "is needed, in Korean (ko)"),
        (json!({ "name": { "en": "A" }, "parent": "Nowhere" }), "there is no category Nowhere at the top"),
        (json!({ "name": { "en": "A" }, "parent": "Earphones" }), "there is no category Earphones at the top"),
    ] {
        let problem = shop.give(&[json!({ "name": { "en": "Good" } }), inner.clone(), row.clone()]).await;
        let problem = problem.expect_err("refused");
        assert_eq!(problem.code(), ErrorCode::InvalidBody, "{row}");
        assert!(problem.description().contains(why), "{row}: {}", problem.description());
    }
    assert_eq!(shop.catalog.tree().await.expect("readable").all().len(), 2, "nothing of it is kept");
    let many: Vec<Value> = (0..499).map(|number| json!({ "name": { "en": format!("C{number}") } })).collect();
    assert_eq!(code(shop.give(&many).await), ErrorCode::WrongState);
    assert_eq!(shop.give(&many[..498]).await.expect("as many as there may be").len(), 498);
}
