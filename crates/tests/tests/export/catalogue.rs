//! Catalogues that were exported come back through an import.

use std::fs;

use firstcome_tests::{Api, Shop, Storefront as _};
use hyper::Method;
use serde_json::{Value, json};

use super::text;
use crate::images::{png, upload};

/// A catalogue of everything that a file must be able to say.
async fn fill(seller: &Api) {
    let category = async |fields: Value| {
        let made = seller.post("/admin/categories").json(&fields).want(201).await;
        made["category_id"].as_str().expect("an id").to_owned()
    };
    let outer = category(json!({"name": {"ko": "가전", "en": "Appliances"}, "position": 7})).await;
    let inner = category(json!({"name": {"ko": "조명", "en": "Lights"}, "parent": outer, "position": 3})).await;
    // Nothing is in these.
    category(json!({"name": {"en": "Fans"}, "parent": outer, "position": 1})).await;
    category(json!({"name": {"ko": "가구"}, "position": 5})).await;
    let lines = "Zwei Zeilen, \"zitiert\"\n한글 설명\n";
    let goods = json!({"sku": "lamp", "kind": "goods", "name": "램프", "description": lines, "tax_free": true,
        "categories": [inner]});
    let goods = seller.create_product(&goods).await;
    for (sku, stock, more) in [
        ("lamp-now", 5, json!({})),
        (
            "lamp-later",
            7,
            json!({"opens_at": "2099-01-01T00:00:00Z", "closes_at": "2099-01-02T00:00:00.5Z", "limit_per_person": 2,
                "time_zone": "Pacific/Honolulu"}),
        ),
        ("lamp-draft", 9, json!({"draft": true, "max_per_order": 3, "hold_for_seconds": 60})),
    ] {
        let mut offer =
            json!({"sku": sku, "product_id": goods, "stock": stock, "price": {"amount": 9_900, "currency": "KRW"}});
        offer.as_object_mut().expect("fields").extend(more.as_object().expect("fields").clone());
        seller.create_offer(&offer).await;
    }
    // Without a sku, and in two currencies.
    let card = json!({"kind": "gift_card", "name": "Card", "face_value": {"amount": 50, "currency": "USD"}});
    let card = seller.create_product(&card).await;
    let price = json!({"amount": 60_000, "currency": "KRW"});
    seller.create_offer(&json!({"product_id": card, "stock": 1, "price": price})).await;
    // Without an offer.
    let coupon = json!({"sku": "ten", "kind": "coupon", "name": "Ten percent", "minimum_amount": 1_000,
        "discount": {"percent": 10, "max_amount": 5_000}});
    seller.create_product(&coupon).await;
    let formulas = ("=1+1", "'=1+1\n＋82");
    let dated = json!({"sku": "-visit", "kind": "ticket", "name": formulas.0, "description": formulas.1, "visit_date": "2099-05-05"});
    seller.create_product(&dated).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_exported_comes_back_the_same() {
    let shop = Shop::start().await;
    fill(&shop.seller().await).await;
    for kind in ["json", "csv"] {
        let first = shop.scratch().join(format!("first.{kind}"));
        assert_eq!(shop.run(&["export", text(&first)], "").ok().trim(), "4 categories, 4 products, 4 offers");
        // A row of CSV is an offer with its product; it only names categories.
        let all = if kind == "json" { 12 } else { 8 };
        let unchanged = shop.run(&["import", text(&first)], "").ok();
        assert_eq!(unchanged.trim(), format!("0 created, 0 updated, {all} unchanged"), "{kind}");
        let other = Shop::start().await;
        for (created, unchanged) in [(all, 0), (0, all)] {
            let taken = other.run(&["import", text(&first)], "");
            let counts = format!("{created} created, 0 updated, {unchanged} unchanged");
            assert_eq!(taken.ok().trim(), counts, "{kind}");
        }
        let second = shop.scratch().join(format!("second.{kind}"));
        other.run(&["export", text(&second)], "").ok();
        let (first, second) = (fs::read_to_string(first).expect("there"), fs::read_to_string(second).expect("there"));
        assert_eq!(first, second, "{kind}");
        if kind == "json" {
            assert_eq!(categories(&shop.api()).await, categories(&other.api()).await);
        }
        assert!(first.contains("한글 설명"));
        assert!(kind == "json" || first.contains("'-visit,ticket,'=1+1,\"''=1+1\n＋82\""), "no formulas: {first}");
    }
    let there = shop.run(&["export", text(&shop.scratch().join("first.json"))], "");
    assert!(there.code == Some(2) && there.err.contains("is there already"), "{there:?}");
}

/// Categories as buyers see them, whatever their ids.
async fn categories(api: &Api) -> Vec<Value> {
    let list = api.call(Method::GET, "/api/v1/categories").want(200).await;
    let list = list["items"].as_array().expect("a list");
    let name = |id: &Value| list.iter().find(|other| other["category_id"] == *id).map(|found| found["name"].clone());
    list.iter().map(|one| json!([one["name"], name(&one["parent"]), one["position"]])).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn categories_that_do_not_fit_are_refused_with_their_line() {
    let shop = Shop::start().await;
    let file = shop.scratch().join("shop.json");
    for (categories, said) in [
        (r#"{"name": {"en": "A"}, "parent": "B"}"#, "2: categories[0]: parent: there is no category B at the top"),
        (r#"{"name": {"en": "A > B"}}"#, "2: categories[0]: name.en: must not have >"),
        (
            "{\"name\": {\"en\": \"A\"}},\n{\"name\": {\"ko\": \"가\", \"en\": \"a\"}}",
            "3: categories[1]: name: another category",
        ),
    ] {
        fs::write(&file, format!("{{\"categories\": [\n{categories}]}}")).expect("written");
        let refused = shop.run(&["import", text(&file)], "");
        assert!(refused.code == Some(2) && refused.err.contains(&format!("shop.json:{said}")), "{refused:?}");
        assert!(refused.err.contains("nothing was imported"), "{refused:?}");
    }
    assert!(categories(&shop.api()).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploaded_pictures_are_exported_beside_the_catalogue_and_come_back() {
    let shop = Shop::start().await;
    let seller = shop.seller().await;
    let shown = upload(&seller, png(2), "image/png").await.want(201);
    // No product shows this one.
    upload(&seller, png(3), "image/png").await.want(201);
    let url = shown["url"].as_str().expect("a path");
    for sku in ["lamp", "shade"] {
        let product = json!({"sku": sku, "kind": "goods", "name": sku, "image_url": url});
        seller.create_product(&product).await;
    }
    let bytes = async |api: &Api, url: &str| api.call(Method::GET, url).send().await.expect("an answer").bytes;
    let first = shop.scratch().join("first");
    let said = shop.run(&["export", text(&first)], "");
    assert_eq!(said.ok().trim(), "0 categories, 2 products, 0 offers, 1 pictures");
    let files: Vec<_> =
        fs::read_dir(first.join("images")).expect("there").map(|file| file.expect("there").path()).collect();
    assert_eq!(files, [first.join(format!(".{url}.png"))], "one, beside what names it");
    assert_eq!(fs::read(&files[0]).expect("readable"), bytes(&shop.api(), url).await.to_vec());

    let other = Shop::start().await;
    for counts in ["2 created, 0 updated, 0 unchanged", "0 created, 0 updated, 2 unchanged"] {
        let taken = other.run(&["import", text(&first)], "");
        assert!(taken.out.trim() == counts && !taken.err.contains("image_url"), "{taken:?}");
    }
    assert_eq!(bytes(&other.api(), url).await, bytes(&shop.api(), url).await);
    let second = shop.scratch().join("second");
    other.run(&["export", text(&second)], "").ok();
    let [before, after] = [&first, &second].map(|folder| fs::read(folder.join("catalogue.json")).expect("there"));
    assert_eq!(before, after);

    // What is no picture is named with its place, and nothing is taken.
    let third = Shop::start().await;
    fs::write(&files[0], b"no picture").expect("written");
    let refused = third.run(&["import", text(&first)], "");
    assert!(
        refused.code == Some(2) && refused.err.contains("products[0]: image_url: is no JPEG, PNG or WebP ("),
        "{refused:?}"
    );
    assert!(refused.err.contains(".png); nothing was imported"), "{refused:?}");
    assert!(third.api().all("/products").await.expect("an answer").is_empty());
    // Without it its products have none.
    fs::remove_file(&files[0]).expect("removed");
    let taken = third.run(&["import", text(&first)], "");
    assert_eq!(taken.out.trim(), "2 created, 0 updated, 0 unchanged");
    assert_eq!(taken.err.matches("the picture is not in this shop, nor in a folder images").count(), 2, "{taken:?}");
    shop.audit().ok();
}
