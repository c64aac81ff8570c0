//! Categories and searches over HTTP, from files and on the page.

use std::fs;

use firstcome_tests::{Api, Shop, Storefront as _};
use hyper::Method;
use serde_json::{Value, json};

const FILE: &str = "sku,kind,name,description,categories,price,stock\n\
    card,goods,백화점 선물 카드,Gift card,상품권,50000,5\n\
    buds,goods,Earbuds,,\"Appliances > Earphones, 신상품\",19900,5\n\
    lamp,goods,Lamp,,Appliances,9900,5\n";

async fn names(api: &Api, path: &str) -> Vec<String> {
    let items = api.all(path).await.expect("an answer");
    let name = |item: &Value| item.get("product").unwrap_or(item)["name"].as_str().expect("a name").to_owned();
    items.iter().map(name).collect()
}

async fn categories(api: &Api) -> Vec<Value> {
    let list = api.call(Method::GET, "/api/v1/categories").want(200).await;
    assert_eq!(list["next_cursor"], Value::Null);
    list["items"].as_array().expect("a list").clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_with_categories_is_found_again_in_the_shop_and_in_its_export() {
    let mut shop = Shop::start().await;
    let file = shop.scratch().join("catalogue.csv");
    fs::write(&file, FILE).expect("written");
    let file = file.to_str().expect("a plain path").to_owned();
    assert_eq!(shop.run(&["import", &file], "").ok().trim(), "6 created, 0 updated, 0 unchanged");
    assert_eq!(shop.run(&["import", &file], "").ok().trim(), "0 created, 0 updated, 6 unchanged");
    let out = |shop: &Shop, name: &str| {
        let target = shop.scratch().join(name);
        shop.run(&["export", target.to_str().expect("a plain path")], "").ok();
        fs::read_to_string(target).expect("exported")
    };
    let before = out(&shop, "first.csv");
    assert!(before.contains("Appliances > Earphones, 신상품"), "{before}");
    for restarted in [false, true] {
        if restarted {
            shop.stop().await;
            shop.start_again().await;
        }
        let api = shop.api();
        let list = categories(&api).await;
        let shown: Vec<_> = list.iter().map(|category| &category["name"]).collect();
        let inner = list.iter().find(|category| category["name"]["en"] == "Earphones").expect("made").clone();
        let outer = inner["parent"].as_str().expect("in another");
        assert_eq!(shown.len(), 4, "{shown:?}");
        assert_eq!(names(&api, &format!("/products?category={outer}&sort=name")).await, ["Earbuds", "Lamp"]);
        assert_eq!(names(&api, &format!("/offers?category={outer}&sort=price&limit=1")).await, ["Lamp", "Earbuds"]);
        assert_eq!(names(&api, &format!("/offers?category={outer}&sort=-price&state=open")).await, ["Earbuds", "Lamp"]);
        for question in ["%EC%84%A0%EB%AC%BC%EC%B9%B4%EB%93%9C", "%EC%84%A0%EB%AC%BC+%EC%B9%B4%EB%93%9C", "GIFT+card"] {
            assert_eq!(names(&api, &format!("/offers?q={question}")).await, ["백화점 선물 카드"], "{question}");
            assert_eq!(names(&api, &format!("/products?q={question}")).await, ["백화점 선물 카드"], "{question}");
        }
        assert_eq!(names(&api, "/products?q=earphones").await, ["Earbuds"]);
    }
    // What was exported is taken by an empty shop, and exported by it alike.
    fs::write(shop.scratch().join("again.csv"), &before).expect("written");
    let other = Shop::start().await;
    let again = shop.scratch().join("again.csv");
    other.run(&["import", again.to_str().expect("a plain path")], "").ok();
    assert_eq!(out(&other, "second.csv"), before);
    shop.audit().ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sellers_make_categories_and_buyers_see_them() {
    let shop = Shop::start().await;
    let seller = shop.seller().await;
    let new = |name: Value| seller.post("/admin/categories").json(&json!({ "name": name, "position": 1 }));
    let cards = new(json!({ "ko": "상품권", "en": "Gift cards" })).want(201).await;
    let id = cards["category_id"].as_str().expect("an id");
    new(json!({ "en": "GIFT CARDS" })).want(422).await;
    new(json!({})).want(422).await;
    new(json!({ "en": "a > b" })).want(422).await;
    let product = json!({ "kind": "goods", "name": "Card", "categories": [id] });
    let offer = seller.sell(&product, &json!({ "stock": 5 })).await;
    let path = format!("/admin/categories/{id}");
    let changed = seller.patch(&path).json(&json!({ "position": 7 })).want(200).await;
    assert_eq!((&changed["name"]["ko"], &changed["position"]), (&json!("상품권"), &json!(7)));
    assert_eq!(categories(&shop.api()).await, [changed]);
    let page = async |path: &str| {
        let answer = shop.api().call(Method::GET, path).send().await.expect("an answer");
        assert_eq!(answer.status, 200);
        String::from_utf8_lossy(&answer.bytes).into_owned()
    };
    assert!(page(&format!("/?category={id}")).await.contains(&offer));
    assert!(page("/?q=gift").await.contains(&offer));
    assert!(!page("/?q=nothing").await.contains(&offer));
    assert_eq!(seller.offer(&offer).await.expect("an answer").want(200)["product"]["categories"], json!([id]));
    let gone = json!({ "categories": ["cat_00000000000000000000000000"] });
    let product = seller.offer(&offer).await.expect("an answer").want(200)["product_id"].clone();
    let product = format!("/admin/products/{}", product.as_str().expect("an id"));
    seller.patch(&product).json(&gone).want(422).await;
    seller.delete(&path).want(204).await;
    seller.delete(&path).want(404).await;
    assert!(categories(&shop.api()).await.is_empty());
    assert_eq!(seller.offer(&offer).await.expect("an answer").want(200)["product"]["categories"], json!([]));
    seller.patch(&product).json(&json!({ "name": "Card 2" })).want(200).await;
    shop.audit().ok();
}
