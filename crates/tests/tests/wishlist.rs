//! The wish list over HTTP: one list for all devices of a person, also after a restart.

use firstcome_tests::{Api, PASSWORD, SOON, Shop, Storefront as _, ticket, until};
use hyper::Method;
use serde_json::Value;

async fn names(api: &Api) -> Vec<Value> {
    let wishes = api.all("/me/wishlist?limit=1").await.expect("an answer");
    wishes.iter().map(|wish| wish["product"]["name"].clone()).collect()
}

async fn put(api: &Api, product: &str, status: u16) {
    let path = format!("/api/v1/me/wishlist/{product}");
    api.call(Method::PUT, &path).send().await.expect("an answer").want(status);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wish_list_is_the_same_on_every_device() {
    let mut shop = Shop::start().await;
    let seller = shop.seller().await;
    let (gate, tower) = (seller.create_product(&ticket("Gate")).await, seller.create_product(&ticket("Tower")).await);
    let laptop = shop.account("buyer", "ann@shop.test").await;
    let phone = laptop.log_in("ann@shop.test", PASSWORD).await;
    let other = shop.account("buyer", "bob@shop.test").await;
    assert!(names(&laptop).await.is_empty());
    for (device, product) in [(&laptop, &gate), (&phone, &tower), (&phone, &gate)] {
        put(device, product, 204).await;
    }
    put(&laptop, "prd_00000000000000000000000000", 404).await;
    put(&laptop, "gate", 404).await;
    for restarted in [false, true] {
        if restarted {
            shop.stop().await;
            shop.start_again().await;
        }
        assert_eq!(names(&laptop).await, ["Tower", "Gate"], "what was added last comes first");
        assert_eq!(names(&phone).await, ["Tower", "Gate"]);
        assert!(names(&other).await.is_empty());
    }
    seller.patch(&format!("/admin/products/{gate}")).json(&serde_json::json!({"name": "West gate"})).want(200).await;
    assert_eq!(names(&phone).await, ["Tower", "West gate"], "a wish shows the product as it is");
    for _ in 0..2 {
        let path = format!("/me/wishlist/{tower}");
        phone.delete(&path).send().await.expect("an answer").want(204);
        other.delete(&path).send().await.expect("an answer").want(204);
    }
    assert_eq!(names(&laptop).await, ["West gate"]);
}

/// Rows of a table of the catalogue.
fn rows(shop: &Shop, table: &str) -> i64 {
    let database = rusqlite::Connection::open(shop.data().join("catalog.db")).expect("a database");
    database.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wish_list_goes_with_its_account() {
    let mut shop = Shop::start().await;
    let gate = shop.seller().await.create_product(&ticket("Gate")).await;
    let (ann, bob) = (shop.account("buyer", "ann@shop.test").await, shop.account("buyer", "bob@shop.test").await);
    for person in [&ann, &bob] {
        put(person, &gate, 204).await;
    }
    ann.delete("/me").want(204).await;
    for _ in 0..500 {
        if rows(&shop, "wishes") == 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!((rows(&shop, "wishes"), rows(&shop, "wishlists")), (1, 1), "hers is gone");
    shop.stop().await;
    shop.start_again().await;
    assert_eq!(names(&bob).await, ["Gate"], "and his is not");
}

/// The e-mails to an address about something of this name that the person wishes for.
async fn mails(shop: &Shop, to: &str, name: &str) -> usize {
    let listing = shop.api().call(Method::GET, &format!("/dev/mailbox?to={to}")).send().await.expect("an answer").json;
    let mails = listing["items"].as_array().expect("a list").iter();
    let has = |mail: &Value, field: &str, part: &str| mail[field].as_str().is_some_and(|text| text.contains(part));
    mails.filter(|mail| has(mail, "subject", "On your wish list") && has(mail, "body", name)).count()
}

/// Opens an offer of a product that somebody wishes for, and waits for the mail.
async fn opened(shop: &Shop, product: &str, name: &str, to: &str) -> String {
    let price = serde_json::json!({"amount": 1_000, "currency": "KRW"});
    let draft = serde_json::json!({"product_id": product, "price": price, "stock": 5, "draft": true});
    let seller = shop.seller().await;
    let offer = seller.create_offer(&draft).await;
    seller.steer(&offer, "open").await.expect("an answer").want(200);
    until(format!("a mail to {to}"), SOON, async || mails(shop, to, name).await > 0).await;
    offer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_wished_before_gets_a_mail_when_it_opens_and_one_only() {
    let mut shop = Shop::start().await;
    let seller = shop.seller().await;
    let (gate, tower) = (seller.create_product(&ticket("Gate")).await, seller.create_product(&ticket("Tower")).await);
    let (ann, bob) = (shop.account("buyer", "ann@shop.test").await, shop.account("buyer", "bob@shop.test").await);
    for (person, product) in [(&ann, &gate), (&ann, &tower), (&bob, &gate)] {
        put(person, product, 204).await;
    }
    bob.delete(&format!("/me/wishlist/{gate}")).want(204).await;
    let offer = opened(&shop, &gate, "Gate", "ann@shop.test").await;
    // The mailbox is in memory: what would come a second time would be there again.
    shop.kill();
    shop.start_again().await;
    shop.seller().await.adjust("more", &offer, 1).await.expect("an answer").want(200);
    opened(&shop, &tower, "Tower", "ann@shop.test").await;
    for person in ["ann@shop.test", "bob@shop.test"] {
        assert_eq!(mails(&shop, person, "Gate").await, 0, "{person}");
    }
}
