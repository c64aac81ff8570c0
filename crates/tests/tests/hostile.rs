//! Input that nobody sends by accident. Each gets its problem document; the program neither panics nor tells what belongs
//! to someone else, and goes on serving.

use firstcome_tests::{Answer, Shop, Storefront as _, gift_card};
use hyper::Method;
use serde_json::{Value, json};

const JSON: &str = "application/json";

/// The shop still serves, and nothing in it has panicked.
pub(crate) async fn unharmed(shop: &Shop) {
    shop.api().get("/time").want(200).await;
    let log = shop.log();
    assert!(!log.contains("panicked"), "{log}");
}

async fn sent(call: firstcome_tests::Call<'_>) -> Answer {
    call.send().await.expect("an answer")
}

/// A whole problem document of the client's making: 400 to 431, never 500.
#[track_caller]
fn refused(answer: Answer, what: &str) {
    let (status, code) = (answer.status, answer.code().to_owned());
    assert!((400..500).contains(&status), "{what} {answer}");
    answer.problem(status, &code);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies() {
    let shop = Shop::start().await;
    let seller = shop.seller().await;
    let offer = seller.sell(&gift_card(1_000), &json!({})).await;
    let buyer = shop.buyers(1).remove(0);
    let order = |body: Vec<u8>, kind: &'static str| buyer.post("/orders").key("hostile").raw(body, kind);

    let right = json!({"offer_id": offer, "quantity": 1}).to_string().into_bytes();
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
        sent(order(right.clone(), kind)).await.problem(415, "unsupported_media_type");
    }
    let twice = order(right.clone(), JSON).header("content-type", "text/plain");
    sent(twice).await.problem(415, "unsupported_media_type");
    sent(order(right.clone(), JSON).header("idempotency-key", "other")).await.problem(400, "idempotency_key_missing");
    let list = json!([offer, 1]).to_string().into_bytes();
    sent(order(list, JSON)).await.problem(422, "invalid_body");
    let broken: [&[u8]; 9] = [
        b"",
        b"{",
        b"{\"offer_id\": \"\xff\xfe\"}",
        b"\xef\xbb\xbf{}",
        b"\0\0\0",
        b"{} {}",
        b"{'a': 1}",
        b"NaN",
        b"{\"offer_id\": \"\\ud800\"}",
    ];
    for body in broken {
        let answer = sent(order(body.to_vec(), JSON)).await;
        assert!(matches!(answer.code(), "malformed_body" | "invalid_body"), "{body:?} {answer}");
        refused(answer, "a broken body");
    }
    for (open, times) in [("[", 60_000), ("{\"offer_id\":", 5_000)] {
        refused(sent(order(open.repeat(times).into_bytes(), JSON)).await, "deep nesting");
    }
    for size in [64 * 1024 + 1, 1024 * 1024] {
        sent(order(vec![b' '; size], JSON)).await.problem(413, "body_too_large");
    }
    let numbers = [
        "0",
        "-1",
        "1.5",
        "1e0",
        "1e400",
        "-0",
        "4294967296",
        "99999999999999999999999999",
        "true",
        "null",
        "\"1\"",
        "[1]",
        "{}",
    ];
    for number in numbers {
        let body = format!("{{\"offer_id\": \"{offer}\", \"quantity\": {number}}}");
        refused(sent(order(body.into_bytes(), JSON)).await, number);
    }
    for extra in ["\"quantity\": 1", "\"unknown\": 1", "\"price\": {\"amount\": 0, \"currency\": \"KRW\"}"] {
        let body = format!("{{\"offer_id\": \"{offer}\", \"quantity\": 1, {extra}}}");
        sent(order(body.into_bytes(), JSON)).await.problem(422, "invalid_body");
    }
    for whole in ["null", "[]", "\"x\"", "1", "true", "{}"] {
        refused(sent(order(whole.into(), JSON)).await, whole);
    }
    assert!(buyer.orders().await.expect("an answer").is_empty(), "nothing of that is an order");
    unharmed(&shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn amounts_and_texts_of_sellers() {
    let shop = Shop::start().await;
    let seller = shop.seller().await;
    let product = seller.create_product(&gift_card(1_000)).await;
    let offers = [
        ("stock", json!(-1)),
        ("stock", json!(u64::MAX)),
        ("price", json!({"amount": i64::MAX, "currency": "KRW"})),
        ("price", json!({"amount": -1, "currency": "KRW"})),
        ("price", json!({"amount": 1, "currency": "won"})),
        ("price", json!(1)),
        ("opens_at", json!("tomorrow")),
        ("opens_at", json!("-9999-01-01T00:00:00Z")),
        ("opens_at", json!(0)),
        ("limit_per_person", json!(0)),
        ("max_per_order", json!(0)),
        ("hold_for_seconds", json!(0)),
        ("hold_for_seconds", json!(u64::MAX)),
        ("refund_policy", json!("maybe")),
        ("refund_policy", json!("by_visit_date")),
        ("refund_policy", json!("withdrawal")),
        ("time_zone", json!("asia/seoul")),
        ("time_zone", json!("../../etc/passwd")),
        ("product_id", json!("prd_00000000000000000000000000")),
        ("sold", json!(1)),
    ];
    for (field, value) in offers {
        let mut body = json!({"product_id": product, "price": {"amount": 900, "currency": "KRW"}, "stock": 5});
        body[field] = value;
        sent(seller.post("/admin/offers").json(&body)).await.problem(422, "invalid_body");
    }
    // An action takes no body: what is in one was meant for something.
    let offer = seller.sell(&gift_card(1_000), &json!({})).await;
    for action in ["open", "freeze", "unfreeze", "close"] {
        let path = format!("/admin/offers/{offer}/{action}");
        for (body, status, code) in [
            ("{\"at\": \"2026-11-27T00:00:00Z\"}", 422, "invalid_body"),
            ("[]", 422, "invalid_body"),
            ("1", 422, "invalid_body"),
            ("null", 422, "invalid_body"),
            ("close", 400, "malformed_body"),
        ] {
            sent(seller.post(&path).raw(body, JSON)).await.problem(status, code);
        }
        seller.post(&path).json(&json!({})).want(200).await;
        seller.post(&path).want(200).await;
    }
    let products = [
        ("name", json!("")),
        ("name", json!("  ")),
        ("name", json!("a\nb")),
        ("name", json!("a\0b")),
        ("name", json!("\u{1b}[31mred")),
        ("description", json!("a\u{7}b")),
        ("sku", json!("a\tb")),
        ("name", json!("x".repeat(50_000))),
        ("kind", json!("nothing")),
        ("image_url", json!("javascript:alert(1)")),
        ("image_url", json!("http://pictures.example/1.png")),
        ("face_value", json!({"amount": 0, "currency": "KRW"})),
        ("face_value", Value::Null),
        ("face_value", json!(5_000)),
        ("valid_for_days", json!(-1)),
        ("visit_date", json!("2026-13-45")),
    ];
    for (field, value) in products {
        let mut body = gift_card(1_000);
        body[field] = value;
        let problem = sent(seller.post("/admin/products").json(&body)).await.problem(422, "invalid_body");
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(field) && !detail.contains("struct") && !detail.contains("u32"), "{problem}");
    }
    unharmed(&shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses() {
    let shop = Shop::start().await;
    let seller = shop.seller().await;
    for thing in ["/orders", "/offers", "/products", "/vouchers", "/payments", "/admin/offers", "/admin/products"] {
        refused(sent(seller.get(&format!("{thing}/%ff"))).await, thing);
        for id in [
            "x",
            "ord_",
            "%00",
            "%F0%9F%98%80",
            "..%2f..%2fetc",
            "ofr_00000000000000000000000000",
            "'%20OR%201=1--",
            "ord_zzzzzzzzzzzzzzzzzzzzzzzzzz",
            &"x".repeat(4_000),
        ] {
            sent(seller.get(&format!("{thing}/{id}"))).await.problem(404, "not_found");
        }
    }
    let lists = [
        "/orders",
        "/offers",
        "/products",
        "/me/sessions",
        "/me/vouchers",
        "/admin/orders",
        "/admin/offers",
        "/admin/products",
    ];
    // Cursors that are text, bytes, and places of the wrong kinds: [1,2] [null,null] ["a","b"] {"b":1}.
    let cursors = ["x", "%ff", "WzEsMl0", "W251bGwsbnVsbF0", "WyJhIiwiYiJd", "eyJiIjoxfQ", "W10"];
    for list in lists {
        for limit in ["0", "-1", "1.5", "101", "99999999999999", "x", "1&limit=2"] {
            sent(seller.get(&format!("{list}?limit={limit}"))).await.problem(400, "malformed_request");
        }
        for cursor in cursors {
            sent(seller.get(&format!("{list}?cursor={cursor}"))).await.problem(400, "malformed_request");
        }
    }
    for query in [
        "/offers?state=x",
        "/offers?kind=x",
        "/offers?kind=%ff",
        "/products?q=%ff",
        "/products?q=a&q=b",
        "/offers?state=open&state=ended",
        "/products?kind=x",
        "/admin/orders?stuck=maybe",
        "/admin/orders?state=x",
        "/admin/orders?user=x",
        "/admin/orders?offer=x",
    ] {
        sent(seller.get(query)).await.problem(400, "malformed_request");
    }
    for (method, path, status) in [
        (Method::PUT, "/api/v1/orders", 405),
        (Method::DELETE, "/api/v1/offers", 405),
        (Method::TRACE, "/api/v1/time", 405),
        (Method::from_bytes(b"BREW").expect("a method"), "/api/v1/orders", 405),
        (Method::GET, "/api/v1/auth/login", 405),
        (Method::OPTIONS, "/api/v1/orders", 405),
        (Method::OPTIONS, "/login", 405),
        (Method::PUT, "/nothing", 404),
        (Method::GET, "/api/v1/nothing", 404),
        (Method::GET, "/api/v1/orders/", 404),
        (Method::GET, "/api/v2/orders", 404),
    ] {
        let code = if status == 405 { "method_not_allowed" } else { "not_found" };
        let answer = sent(seller.call(method, path)).await;
        assert_eq!(answer.headers.contains_key("allow"), status == 405, "{path}");
        answer.problem(status, code);
    }
    unharmed(&shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens() {
    let shop = Shop::start().await;
    let buyer = shop.account("buyer", "buyer@shop.test").await;
    let token = buyer.token().expect("a token").to_owned();
    let foreign = Shop::start().await.account("seller", "seller@elsewhere.test").await;
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    parts[1] = parts[1].chars().rev().collect();
    let cut = &token[..token.len() - 2];
    let none = "eyJ0eXAiOiJKV1QiLCJhbGciOiJub25lIn0";
    let unsigned = format!("{none}.{}.", token.split('.').nth(1).expect("claims"));
    let long = "x".repeat(20_000);
    let odd = [foreign.token().expect("a token"), &parts.join("."), cut, &unsigned, "", "null", "a.b.c", &long];
    for token in odd {
        let caller = shop.api().with_token(token);
        sent(caller.get("/me")).await.problem(401, "unauthenticated");
        let body = json!({"offer_id": "ofr_00000000000000000000000000", "quantity": 1});
        sent(caller.post("/orders").key("k").json(&body)).await.problem(401, "unauthenticated");
        sent(caller.get("/admin/orders")).await.problem(401, "unauthenticated");
    }
    sent(shop.api().get("/me").header("authorization", "Basic YTpi")).await.problem(401, "unauthenticated");
    // Two tokens: whoever stands between may have read the other one.
    for other in [&token, "a.b.c"] {
        let twice = buyer.get("/me").header("authorization", &format!("Bearer {other}"));
        sent(twice).await.problem(401, "unauthenticated");
    }
    // Logged out.
    buyer.log_out().await.expect("an answer").want(204);
    sent(buyer.get("/me")).await.problem(401, "unauthenticated");
    unharmed(&shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_anothers() {
    let shop = Shop::start().await;
    let seller = shop.seller().await;
    let offer = seller.sell(&gift_card(1_000), &json!({"price": 0})).await;
    let buyers = shop.buyers(2);
    let (owner, other) = (&buyers[0], &buyers[1]);
    let order = owner.order("key", &offer, 1).await.expect("an answer").want(201);
    let order = order["order_id"].as_str().expect("an id").to_owned();
    let code = owner.delivered(|_| true).await["code"].as_str().expect("a code").to_owned();
    // The very same answer as for what never existed.
    let nothing = "ord_00000000000000000000000000";
    for path in ["/orders/{}", "/orders/{}/stream", "/payments/{}"] {
        let theirs = sent(other.get(&path.replace("{}", &order))).await;
        let none = sent(other.get(&path.replace("{}", nothing))).await;
        assert_eq!(theirs.bytes, none.bytes, "{path}");
        theirs.problem(404, "not_found");
    }
    for path in ["/vouchers/{}", "/vouchers/{}/history", "/vouchers/{}/qr.svg"] {
        sent(other.get(&path.replace("{}", &code))).await.problem(404, "not_found");
    }
    other.cancel("k", &order).await.expect("an answer").problem(404, "not_found");
    let zero = json!({"amount": 0, "currency": "KRW"});
    other.confirm("k", &order, "made_up", &zero).await.expect("an answer").problem(404, "not_found");
    other.redeem("k", &code, Some(1)).await.expect("an answer").problem(403, "forbidden");
    let sessions = owner.sessions().await;
    if let Some(session) = sessions["items"][0]["session_id"].as_str() {
        sent(other.delete(&format!("/me/sessions/{session}"))).await.problem(404, "not_found");
    }
    assert!(other.orders().await.expect("an answer").is_empty());
    assert!(other.vouchers().await.expect("an answer").is_empty());
    owner.get("/me").want(200).await;
}
