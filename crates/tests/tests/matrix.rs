//! Every endpoint times every kind of caller. The table below is written from the contract, not from the code: a new
//! endpoint without an entry fails, and so does an entry without an endpoint.

use std::collections::BTreeSet;

use firstcome_tests::{Answer, Api, PASSWORD, SOON, Shop, ShopOptions, Storefront as _, gift_card, until};
use hyper::Method;
use serde_json::{Value, json};

use crate::advertising::at_any_hour;
use crate::letters::unreadable;

/// Who may call an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Anyone,
    /// Any account.
    Account,
    /// Any account; what is another's is not there.
    Owner,
    /// The owner, and a merchant.
    OwnerOrMerchant,
    /// The owner, and who runs the shop.
    OwnerOrStaff,
    Merchant,
    Seller,
    /// An operator or a seller.
    Operator,
    /// An operator only.
    Administrator,
}

use Who::{Account, Administrator, Anyone, Merchant, Operator, Owner, OwnerOrMerchant, OwnerOrStaff, Seller};

const TABLE: &[(&str, &str, Who)] = &[
    ("POST", "/auth/email-codes", Anyone),
    ("POST", "/auth/email-codes/verify", Anyone),
    ("POST", "/auth/password-reset", Anyone),
    ("POST", "/auth/password-reset/confirm", Anyone),
    ("GET", "/auth/consents", Anyone),
    ("POST", "/auth/signup", Anyone),
    ("POST", "/auth/login", Anyone),
    ("POST", "/auth/refresh", Anyone),
    ("POST", "/auth/logout", Account),
    ("POST", "/auth/logout-all", Account),
    ("GET", "/me", Account),
    ("PATCH", "/me", Account),
    ("DELETE", "/me", Account),
    ("PUT", "/me/password", Account),
    ("GET", "/me/consents", Account),
    ("PUT", "/me/consents", Account),
    ("GET", "/unsubscribe/{token}", Anyone),
    ("POST", "/unsubscribe/{token}", Anyone),
    ("GET", "/me/identity", Account),
    ("POST", "/me/identity", Account),
    ("POST", "/me/identity/confirm", Account),
    ("GET", "/me/second-factor", Account),
    ("POST", "/me/second-factor", Account),
    ("POST", "/me/second-factor/confirm", Account),
    ("POST", "/me/second-factor/recovery-codes", Account),
    ("POST", "/me/second-factor/disable", Account),
    ("GET", "/me/sessions", Account),
    ("DELETE", "/me/sessions/{session_id}", Owner),
    ("GET", "/me/wishlist", Account),
    ("PUT", "/me/wishlist/{product_id}", Account),
    ("DELETE", "/me/wishlist/{product_id}", Account),
    ("GET", "/products", Anyone),
    ("GET", "/products/{id}", Anyone),
    ("GET", "/categories", Anyone),
    ("GET", "/offers", Anyone),
    ("GET", "/offers/{id}", Anyone),
    ("GET", "/offers/{id}/stock/stream", Anyone),
    ("POST", "/orders", Account),
    ("GET", "/orders", Account),
    ("GET", "/orders/{id}", Owner),
    ("GET", "/orders/{id}/receipt", Owner),
    ("GET", "/orders/{id}/stream", Owner),
    ("POST", "/orders/{id}/cancel", Owner),
    ("GET", "/me/cart", Account),
    ("PUT", "/me/cart/items/{offer_id}", Account),
    ("DELETE", "/me/cart/items/{offer_id}", Account),
    ("POST", "/me/cart/checkout", Account),
    ("POST", "/orders/{id}/return", Owner),
    ("POST", "/payments/confirm", Owner),
    ("POST", "/payments/virtual-accounts", Owner),
    ("GET", "/payments/{order_id}", OwnerOrStaff),
    ("POST", "/webhooks/toss", Anyone),
    ("GET", "/me/vouchers", Account),
    ("GET", "/vouchers/{code}", OwnerOrMerchant),
    ("GET", "/vouchers/{code}/history", OwnerOrMerchant),
    ("GET", "/vouchers/{code}/qr.svg", OwnerOrMerchant),
    ("POST", "/vouchers/{code}/redeem", Merchant),
    ("POST", "/vouchers/{code}/refund", Owner),
    ("POST", "/admin/products", Seller),
    ("GET", "/admin/products", Seller),
    ("GET", "/admin/products/{id}", Seller),
    ("PATCH", "/admin/products/{id}", Seller),
    ("POST", "/admin/images", Seller),
    ("POST", "/admin/categories", Seller),
    ("GET", "/admin/categories", Seller),
    ("PATCH", "/admin/categories/{id}", Seller),
    ("DELETE", "/admin/categories/{id}", Seller),
    ("POST", "/admin/offers", Seller),
    ("GET", "/admin/offers", Seller),
    ("GET", "/admin/offers/{id}", Seller),
    ("PATCH", "/admin/offers/{id}", Seller),
    ("POST", "/admin/offers/{id}/open", Seller),
    ("POST", "/admin/offers/{id}/close", Seller),
    ("POST", "/admin/offers/{id}/freeze", Seller),
    ("POST", "/admin/offers/{id}/unfreeze", Seller),
    ("POST", "/admin/offers/{id}/adjust", Seller),
    ("GET", "/admin/offers/{id}/live", Operator),
    ("GET", "/admin/offers/{id}/live/stream", Operator),
    ("GET", "/admin/audit", Operator),
    ("GET", "/admin/orders", Operator),
    ("POST", "/admin/orders/{id}/refund", Operator),
    ("POST", "/admin/orders/{id}/ship", Operator),
    ("POST", "/admin/orders/{id}/deliver", Operator),
    ("POST", "/admin/orders/{id}/return/approve", Operator),
    ("POST", "/admin/orders/{id}/return/refuse", Operator),
    ("POST", "/admin/orders/{id}/return/receive", Operator),
    ("GET", "/admin/orders/{id}/address", Operator),
    ("POST", "/admin/orders/{id}/resend", Operator),
    ("GET", "/admin/addresses/{id}", Operator),
    ("POST", "/admin/users/find", Operator),
    ("GET", "/admin/quarantine", Operator),
    ("POST", "/admin/quarantine/{id}/ask-again", Operator),
    ("POST", "/admin/quarantine/{id}/resolve", Operator),
    ("POST", "/admin/settlement", Operator),
    ("GET", "/admin/settlement", Operator),
    ("GET", "/admin/settlement/{id}", Operator),
    ("GET", "/admin/settlement/{id}/findings", Operator),
    ("GET", "/admin/books/orders.csv", Operator),
    ("GET", "/admin/books/payments.csv", Operator),
    ("GET", "/admin/books/refunds.csv", Operator),
    ("GET", "/admin/books/vouchers.csv", Operator),
    ("GET", "/admin/dead-letters", Operator),
    ("POST", "/admin/dead-letters/{id}/replay", Operator),
    ("GET", "/admin/actions", Operator),
    ("POST", "/admin/accounts/{id}/second-factor/reset", Administrator),
    ("POST", "/admin/mailings", Seller),
    ("GET", "/admin/mailings", Seller),
    ("GET", "/admin/mailings/{id}", Seller),
    ("POST", "/admin/mailings/{id}/stop", Seller),
    ("POST", "/admin/webhooks", Seller),
    ("GET", "/admin/webhooks", Seller),
    ("GET", "/admin/webhooks/{id}", Seller),
    ("PATCH", "/admin/webhooks/{id}", Seller),
    ("POST", "/admin/webhooks/{id}/rotate", Seller),
    ("POST", "/admin/webhooks/{id}/test", Seller),
    ("GET", "/admin/webhook-deliveries", Operator),
    ("GET", "/admin/webhook-deliveries/{id}", Operator),
    ("POST", "/admin/webhook-deliveries/{id}/resend", Operator),
    ("DELETE", "/admin/webhooks/{id}", Seller),
    ("GET", "/time", Anyone),
];

/// A kind of caller. The buyer owns what the paths name.
struct Caller {
    name: &'static str,
    email: &'static str,
    api: Api,
}

/// What the paths name.
struct Things {
    account: String,
    mailing: String,
    unsubscribe: String,
    offer: String,
    product: String,
    category: String,
    order: String,
    voucher: String,
    session: String,
    letter: String,
    webhook: String,
    delivery: String,
    /// An order of goods that says where it goes, and the address of an account where another one goes.
    parcel: String,
    address: String,
    payment: String,
    settlement: String,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_endpoint_for_every_caller() {
    let shop = Shop::start_with(ShopOptions { environment: at_any_hour(), ..ShopOptions::default() }).await;
    let described = described(&shop.api()).await;
    let written: BTreeSet<_> =
        TABLE.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(described, written, "the OpenAPI document and the table name the same operations");

    let (things, buyer) = prepare(&shop).await;
    let caller = async |name, email| Caller { name, email, api: shop.account(role_of(name), email).await };
    let callers = [
        Caller { name: "nobody", email: "", api: shop.api() },
        caller("other", "other@shop.test").await,
        caller("merchant", "till@shop.test").await,
        caller("operator", "night@shop.test").await,
        caller("seller", "desk@shop.test").await,
        Caller { name: "buyer", email: "owner@shop.test", api: buyer },
    ];
    let mut wrong = Vec::new();
    // What ends a session comes last, on sessions of its own, the end of the account last of all.
    let (last, first): (Vec<_>, Vec<_>) = TABLE.iter().partition(|(method, path, _)| ends_session(method, path));
    for (method, path, who) in first.into_iter().chain(last) {
        for caller in &callers {
            let api = match caller.name {
                "nobody" => caller.api.clone(),
                _ if ends_session(method, path) => shop.api().log_in(caller.email, PASSWORD).await,
                _ => caller.api.clone(),
            };
            let answer = call(&api, method, path, &things).await;
            if let Some(fault) = fault(expected(who, caller.name), &answer) {
                wrong.push(format!("{method} {path} as {}: {fault}", caller.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(!shop.log().contains("panicked"), "no request makes the program panic");
}

fn ends_session(method: &str, path: &str) -> bool {
    path.contains("/logout") || (method, path) == ("DELETE", "/me")
}

/// The role of the account of a kind of caller.
fn role_of(caller: &str) -> &str {
    if caller == "other" { "buyer" } else { caller }
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Allowed,
    Unauthenticated,
    Forbidden,
    NotFound,
}

fn expected(who: Who, caller: &str) -> Expected {
    use Expected::{Allowed, Forbidden, NotFound, Unauthenticated};
    let when = |allowed: bool, otherwise: Expected| if allowed { Allowed } else { otherwise };
    match (who, caller) {
        (Anyone, _) => Allowed,
        (_, "nobody") => Unauthenticated,
        (Account, _) => Allowed,
        (Owner, _) => when(caller == "buyer", NotFound),
        (OwnerOrMerchant, _) => when(["buyer", "merchant"].contains(&caller), NotFound),
        (OwnerOrStaff, _) => when(["buyer", "seller", "operator"].contains(&caller), NotFound),
        (Merchant, _) => when(caller == "merchant", Forbidden),
        (Seller, _) => when(caller == "seller", Forbidden),
        (Operator, _) => when(["seller", "operator"].contains(&caller), Forbidden),
        (Administrator, _) => when(caller == "operator", Forbidden),
    }
}

/// What is wrong with an answer. Who is allowed may still be told that the request makes no sense.
fn fault(expected: Expected, answer: &Answer) -> Option<String> {
    let (status, code) = (answer.status, answer.code());
    let right = match expected {
        Expected::Allowed => status < 500 && !matches!(code, "unauthenticated" | "forbidden" | "not_found"),
        Expected::Unauthenticated => (status, code) == (401, "unauthenticated"),
        Expected::Forbidden => (status, code) == (403, "forbidden"),
        Expected::NotFound => (status, code) == (404, "not_found"),
    };
    let whole =
        status < 400 || answer.headers.get("content-type").is_some_and(|kind| kind == "application/problem+json");
    (!right || !whole).then(|| format!("{expected:?} expected, {answer}"))
}

/// A call with a body that is right, so that nothing but who calls can be refused first.
async fn call(api: &Api, method: &str, path: &str, things: &Things) -> Answer {
    let id = match path {
        _ if path.contains("/accounts/") => &things.account,
        _ if path.contains("/mailings/") => &things.mailing,
        "/admin/orders/{id}/address" => &things.parcel,
        "/admin/addresses/{id}" => &things.address,
        _ if path.contains("quarantine") => &things.payment,
        _ if path.contains("/orders/") => &things.order,
        _ if path.contains("products") => &things.product,
        _ if path.contains("settlement") => &things.settlement,
        _ if path.contains("categories") => &things.category,
        _ if path.contains("dead-letters") => &things.letter,
        _ if path.contains("webhook-deliveries") => &things.delivery,
        _ if path.contains("webhooks") => &things.webhook,
        _ => &things.offer,
    };
    let filled = path
        .replace("{id}", id)
        .replace("{offer_id}", &things.offer)
        .replace("{order_id}", &things.order)
        .replace("{product_id}", &things.product)
        .replace("{code}", &things.voucher)
        .replace("{token}", &things.unsubscribe)
        .replace("{session_id}", &things.session);
    let method: Method = method.parse().expect("a method");
    let key = format!("matrix-{path}");
    let call = api.call(method.clone(), &format!("/api/v1{filled}")).key(&key);
    let call = if method == Method::GET { call } else { call.json(&body(path, things)) };
    if path.ends_with("/stream") {
        return call.head().await.expect("an answer");
    }
    call.send().await.expect("an answer")
}

fn body(path: &str, things: &Things) -> Value {
    match path {
        "/auth/email-codes" => json!({"email": "new@shop.test"}),
        "/auth/email-codes/verify" => json!({"email": "new@shop.test", "code": "000000"}),
        "/auth/password-reset" => json!({"email": "new@shop.test"}),
        "/auth/password-reset/confirm" => json!({"email": "new@shop.test", "code": "000000", "password": PASSWORD}),
        "/me/password" => json!({"current_password": "not the right one", "new_password": PASSWORD}),
        "/auth/login" => json!({"email": "new@shop.test", "password": "not the right one"}),
        "/auth/refresh" => json!({"refresh_token": "none"}),
        "/auth/signup" => json!({"email": "new@shop.test", "password": PASSWORD, "name": "New",
            "verification_token": "none"}),
        "/orders" => json!({"offer_id": things.offer, "quantity": 1}),
        "/me/cart/items/{offer_id}" => json!({"quantity": 1}),
        "/admin/orders/{id}/refund" => json!({"amount": {"amount": 1, "currency": "KRW"}, "reason": "a scratch"}),
        "/admin/orders/{id}/ship" => json!({"carrier": "CJ Logistics", "tracking": "1"}),
        "/admin/orders/{id}/return/refuse" => json!({"reason": "it was worn"}),
        "/admin/orders/{id}/resend" => json!({"step": "completed"}),
        "/admin/users/find" => json!({"email": "owner@shop.test"}),
        "/admin/quarantine/{id}/resolve" => json!({"outcome": "charged", "reason": "seen in the console"}),
        "/payments/confirm" => json!({"order_id": things.order, "payment_key": "made_up",
            "amount": {"amount": 1, "currency": "KRW"}}),
        "/payments/virtual-accounts" => json!({"order_id": things.order, "bank": "88", "depositor_name": "Kim Minsu",
            "refund_account": {"bank": "20", "account_number": "1002-123-456789", "holder_name": "Kim Minsu"}}),
        "/vouchers/{code}/redeem" => json!({"amount": {"amount": 1, "currency": "KRW"}}),
        "/admin/products" => gift_card(1_000),
        "/admin/categories" => json!({"name": {"en": "New"}}),
        "/admin/offers" => {
            json!({"product_id": things.product, "price": {"amount": 900, "currency": "KRW"}, "stock": 1})
        }
        "/me/identity" => json!({"return_url": "http://127.0.0.1:9/account"}),
        "/me/consents" => json!({"advertising": true}),
        "/admin/mailings" => json!({"subject": "Tickets", "text": "They open at two."}),
        "/me/second-factor" => json!({"password": PASSWORD}),
        "/me/second-factor/confirm" => json!({"code": "no code"}),
        "/me/second-factor/recovery-codes" | "/me/second-factor/disable" => {
            json!({"password": PASSWORD, "code": "no code"})
        }
        "/admin/webhooks" => json!({"url": "http://127.0.0.1:9/"}),
        "/admin/offers/{id}/adjust" => json!({"delta": 1, "reason": "counted again"}),
        _ => json!({}),
    }
}

/// A buyer with a paid order, its voucher and a second device.
async fn prepare(shop: &Shop) -> (Things, Api) {
    let seller = shop.seller().await;
    let product = seller.create_product(&gift_card(10_000)).await;
    let category = seller.post("/admin/categories").json(&json!({"name": {"ko": "상품권"}})).want(201).await;
    let category = category["category_id"].as_str().expect("an id").to_owned();
    let price = json!({"amount": 9_000, "currency": "KRW"});
    let offer = seller.create_offer(&json!({"product_id": product, "price": price, "stock": 1_000})).await;
    let buyer = shop.account("buyer", "owner@shop.test").await;
    let phone = buyer.log_in("owner@shop.test", PASSWORD).await;
    let order = phone.buy("first", &offer, 1).await;
    let voucher = buyer.delivered(|_| true).await["code"].as_str().expect("a code").to_owned();
    let sessions = buyer.sessions().await;
    let other = sessions["items"].as_array().expect("a list").iter().find(|session| session["current"] != true);
    let session = other.expect("a second device")["session_id"].as_str().expect("an id").to_owned();
    let letter = unreadable(shop).await;
    let webhook = seller.post("/admin/webhooks").json(&json!({"url": "http://127.0.0.1:9/"})).want(201).await;
    let webhook = webhook["webhook_id"].as_str().expect("an id").to_owned();
    let delivery = seller.post(&format!("/admin/webhooks/{webhook}/test")).want(202).await;
    let delivery = delivery["delivery_id"].as_str().expect("an id").to_owned();
    let payment = buyer.payment_of(&order).await.expect("an answer").want(200);
    let payment = payment["payment_id"].as_str().expect("an id").to_owned();
    let (parcel, address) = parcels(shop, &seller, &buyer).await;
    let settlement = seller.post("/admin/settlement").json(&json!({})).want(202).await;
    let settlement = settlement["items"][0]["settlement_id"].as_str().expect("an id").to_owned();
    let account = buyer.get("/me").want(200).await["user_id"].as_str().expect("an id").to_owned();
    let (mailing, unsubscribe) = advertise(shop, &seller, &buyer).await;
    let things = Things {
        account,
        mailing,
        unsubscribe,
        offer,
        product,
        category,
        order,
        voucher,
        session,
        letter,
        webhook,
        delivery,
        parcel,
        address,
        payment,
        settlement,
    };
    (things, buyer)
}

/// Advertising to the buyer, and the way out of it.
async fn advertise(shop: &Shop, seller: &Api, buyer: &Api) -> (String, String) {
    buyer.put("/me/consents").json(&json!({"advertising": true})).want(200).await;
    let body = json!({"subject": "Tickets", "text": "They open at two."});
    let mailing = seller.post("/admin/mailings").key("first").json(&body).want(202).await;
    let token = until("the e-mail", SOON, async || {
        let mails = shop.api().call(Method::GET, "/dev/mailbox?to=owner%40shop.test").want(200).await;
        let found = mails["items"].as_array().expect("a list").iter().find_map(|mail| mail["unsubscribe"].as_str());
        found.and_then(|link| Some(link.rsplit_once('/')?.1.to_owned()))
    });
    (mailing["mailing_id"].as_str().expect("an id").to_owned(), token.await)
}

/// An order of the buyer that says where its goods go, and the address of an account where another's go.
async fn parcels(shop: &Shop, seller: &Api, buyer: &Api) -> (String, String) {
    let cups = seller.sell(&json!({"kind": "goods", "name": "Cup"}), &json!({"price": 500, "stock": 9})).await;
    let ship_to = json!({"name": "Kim", "phone": "010-1234-5678", "address": "1 Sejong-daero, Seoul"});
    let body = json!({"offer_id": cups, "quantity": 1, "ship_to": ship_to});
    let own = buyer.post("/orders").key("parcel").json(&body).want(201).await;
    let other = shop.buyers(1).remove(0).order("parcel", &cups, 1).await.expect("an answer").want(201);
    let path = format!("/admin/orders/{}/address", other["order_id"].as_str().expect("an id"));
    let leads = seller.get(&path).send().await.expect("an answer");
    let location = leads.headers["location"].to_str().expect("an address").to_owned();
    let address = location.rsplit('/').next().expect("an id").to_owned();
    (own["order_id"].as_str().expect("an id").to_owned(), address)
}

/// Every operation under the base path that the OpenAPI document names.
async fn described(api: &Api) -> BTreeSet<(String, String)> {
    let document = api.call(Method::GET, "/openapi.json").want(200).await;
    let paths = document["paths"].as_object().expect("paths");
    let under_base = paths.iter().filter_map(|(path, operations)| Some((path.strip_prefix("/api/v1")?, operations)));
    under_base
        .flat_map(|(path, operations)| {
            let methods = operations.as_object().expect("operations").keys();
            methods.map(|method| (method.to_uppercase(), path.to_owned())).collect::<Vec<_>>()
        })
        .collect()
}
