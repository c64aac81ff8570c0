//! What people of the shop did: written down with what they did, listed, and never changed unseen.

use std::path::Path;

use firstcome_tests::{Api, Shop, Storefront, gift_card};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::tamper::copy_folder;

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("{field} in {value}")).to_owned()
}

async fn actions(operator: &Api, query: &str) -> Vec<Value> {
    operator.all(&format!("/admin/actions?limit=100&{query}")).await.expect("actions")
}

/// The endpoints that were called, newest first.
fn named(actions: &[Value]) -> Vec<String> {
    actions.iter().map(|action| text(action, "action")).collect()
}

/// What a seller and an operator do in a shop of either kind is listed as one, and nothing else is.
pub(crate) async fn staff_is_seen<S: Storefront>(shop: &S, seller: &Api, operator: &Api) -> String {
    let product = seller.create_product(&gift_card(10_000)).await;
    let price = json!({"amount": 9_000, "currency": "KRW"});
    let offer = seller.create_offer(&json!({"product_id": product, "price": price, "stock": 10})).await;
    seller.steer(&offer, "freeze").await.expect("an answer").want(200);
    seller.steer(&offer, "unfreeze").await.expect("an answer").want(200);
    for _ in 0..2 {
        seller.adjust("more", &offer, 5).await.expect("an answer").want(200);
    }
    seller.adjust("less", &offer, -100).await.expect("an answer").problem(409, "would_go_negative");
    seller
        .patch(&format!("/admin/offers/{offer}"))
        .json(&json!({"price": {}}))
        .send()
        .await
        .expect("an answer")
        .problem(422, "invalid_body");
    operator.steer(&offer, "freeze").await.expect("an answer").problem(403, "forbidden");

    let buyer = shop.buyers(1).remove(0);
    let order = buyer.order("one", &offer, 1).await.expect("an answer").want(201);
    let id = text(&order, "order_id");
    let paid = buyer.pay_at_sandbox(&id, 9_000).await.expect("an answer");
    buyer.confirm("pay", &id, &text(&paid.json, "paymentKey"), &price).await.expect("an answer").want(200);
    let refund = async |key: &str, amount: i64| {
        let body = json!({"amount": {"amount": amount, "currency": "KRW"}, "reason": "a scratch"});
        operator.post(&format!("/admin/orders/{id}/refund")).key(key).json(&body).send().await.expect("an answer")
    };
    refund("much", 90_000).await.problem(422, "invalid_body");
    refund("part", 500).await.want(200);

    let all = actions(operator, "").await;
    let expected = [
        "POST /admin/orders/{id}/refund",
        "POST /admin/offers/{id}/adjust",
        "POST /admin/offers/{id}/adjust",
        "POST /admin/offers/{id}/unfreeze",
        "POST /admin/offers/{id}/freeze",
        "POST /admin/offers",
        "POST /admin/products",
    ];
    assert_eq!(named(&all), expected);
    let me = text(&operator.get("/me").want(200).await, "user_id");
    let refunded = &all[0];
    assert_eq!(
        (text(refunded, "user_id"), text(refunded, "object"), text(refunded, "role")),
        (me.clone(), id, "orders".into())
    );
    assert_eq!((&refunded["roles"], &all[6]["object"]), (&json!(["buyer", "operator"]), &json!(product)));
    let sessions = operator.get("/me/sessions").want(200).await;
    assert_eq!(refunded["session_id"], sessions["items"][0]["session_id"]);

    assert_eq!(actions(operator, &format!("user={me}")).await.len(), 1);
    assert_eq!(actions(operator, &format!("object={offer}")).await.len(), 5);
    assert_eq!(
        actions(operator, &format!("object={offer}&action=POST%20/admin/offers/%7Bid%7D/freeze")).await.len(),
        1
    );
    assert_eq!(actions(operator, "role=catalog").await.len(), 6);
    assert_eq!(actions(operator, "role=payments").await, Vec::<Value>::new());
    let at = text(&all[3], "at");
    let (before, since) =
        (actions(operator, &format!("to={at}")).await, actions(operator, &format!("from={at}")).await);
    assert_eq!((before.len(), since.len()), (3, 4));
    let (mut pages, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = operator.get(&format!("/admin/actions?limit=2{cursor}")).want(200).await;
        pages.extend(page["items"].as_array().expect("a list").clone());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(pages, all, "pages are the list");
    for wrong in ["user=me", "from=yesterday", "role=gateway", "cursor=x"] {
        let refused = operator.get(&format!("/admin/actions?{wrong}")).send().await.expect("an answer");
        refused.problem(400, "malformed_request");
    }
    offer
}

fn by_hand(data: &Path, role: &str, change: &str) {
    let books = Connection::open(data.join(format!("{role}.db"))).expect("the books");
    assert_eq!(books.execute(change, ()).expect(change), 1, "{change}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_staff_does_is_written_down_and_what_is_changed_by_hand_is_seen() {
    let mut shop = Shop::start().await;
    let (seller, operator) = (shop.seller().await, shop.account("operator", "night@shop.test").await);
    staff_is_seen(&shop, &seller, &operator).await;
    // It outlives a crash, and goes on behind it.
    shop.kill();
    shop.start_again().await;
    assert_eq!(actions(&operator, "").await.len(), 7);
    seller.create_product(&gift_card(1_000)).await;
    assert_eq!(named(&actions(&operator, "").await)[0], "POST /admin/products");
    shop.stop().await;
    assert_eq!(shop.audit_json()["actions"], 8);
    shop.audit().ok();

    let whole = shop.scratch().join("whole");
    copy_folder(shop.data(), &whole);
    for (role, change, said) in [
        ("catalog", "update actions set object = null where seq = 3", "action 3 ("),
        ("catalog", "update actions set at = at + 1 where seq = 1", "action 1 ("),
        ("catalog", "delete from actions where seq = 2", "action 2 is gone"),
        ("catalog", "delete from actions where seq = 7", "action 7 is gone"),
        ("orders", "update actions set user = randomblob(16) where seq = 1", "action 1 ("),
        ("orders", "delete from action_heads", "put behind the last one"),
        (
            "catalog",
            "update action_heads set seq = 6, proof = (select proof from actions where seq = 6)",
            "behind the last one",
        ),
    ] {
        by_hand(shop.data(), role, change);
        let audit = shop.audit();
        let seen = audit.said();
        assert!(
            audit.code != Some(0) && seen.contains(&format!("actions of {role}")) && seen.contains(said),
            "{change}: {seen}"
        );
        std::fs::remove_dir_all(shop.data()).expect("removed");
        copy_folder(&whole, shop.data());
    }
    shop.audit().ok();
}
