//! Buying, paying, canceling, redeeming; and the seller's forms.

use std::sync::atomic::Ordering;

use axum::http::StatusCode;
use serde_json::json;

use super::{Browser, hidden};

async fn buyer() -> Browser {
    Browser::logged_in("en", "kim@example.com").await
}

#[tokio::test]
async fn one_form_is_one_order() {
    let mut browser = buyer().await;
    let page = browser.get("/offers/ofr_open").await;
    let (csrf, key) = (hidden(&page.body, "csrf"), hidden(&page.body, "key"));
    for _ in 0..2 {
        let fields = [("csrf", csrf.as_str()), ("key", key.as_str()), ("quantity", "2")];
        let got = browser.post("/offers/ofr_open/buy", &fields, &[]).await;
        assert_eq!((got.status, got.location()), (StatusCode::SEE_OTHER, "/orders/ord_pending"));
    }
    let asked = browser.memory.asked_of("/orders");
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0], asked[1]);
    assert_eq!(asked[0], (key.clone(), json!({ "offer_id": "ofr_open", "quantity": 2 })));
    assert_ne!(hidden(&browser.get("/offers/ofr_open").await.body, "key"), key);
}

#[tokio::test]
async fn refusals_say_why() {
    let mut browser = buyer().await;
    let refusals = [
        ("ofr_open", "9", "Everyone may have 2 units of this offer; you have 1 already."),
        ("ofr_sold_out", "1", "3 units are still being paid. The next could come back at"),
        ("ofr_upcoming", "1", "The sale has not opened yet. It opens"),
        ("ofr_ended", "1", "The sale is over."),
        ("ofr_frozen", "1", "The sale is paused at the moment."),
        ("ofr_goods", "1", "Tell us below where to send it."),
    ];
    for (offer, quantity, words) in refusals {
        let path = format!("/offers/{offer}");
        let got = browser.submit(&path, &format!("{path}/buy"), &[("quantity", quantity)]).await;
        assert!(got.status.is_client_error() && got.body.contains(words), "{offer}: {}", got.body);
    }
    let got = browser.submit("/offers/ofr_open", "/offers/ofr_open/buy", &[("quantity", "many")]).await;
    assert_eq!(got.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn goods_are_sent_where_the_form_says() {
    let mut browser = buyer().await;
    let page = "/offers/ofr_goods";
    let form = browser.get(page).await.body;
    assert!(form.contains("id=\"ship_name\" name=\"ship_name\" autocomplete=\"shipping name\" value=\"Kim\""));
    assert!(form.contains("<fieldset class=\"shipping\">") && !form.contains("aria-invalid"));
    let typed = [
        ("quantity", "2"),
        ("ship_name", " Kim Minsu "),
        ("ship_phone", "010-1234-5678"),
        ("ship_address", "1 Sejong-daero\r\nSeoul"),
    ];
    let got = browser.submit(page, "/offers/ofr_goods/buy", &typed).await;
    assert_eq!(got.location(), "/orders/ord_goods");
    let ship_to = json!({ "name": "Kim Minsu", "phone": "010-1234-5678", "address": "1 Sejong-daero\nSeoul" });
    let body = json!({ "offer_id": "ofr_goods", "quantity": 2, "ship_to": ship_to });
    assert_eq!(browser.memory.asked_of("/orders")[0].1, body);
}

#[tokio::test]
async fn what_is_wrong_with_an_address_stands_at_its_field() {
    let words = [
        ("en", ["Please check: Phone.", "A phone number for the carrier", "Street, town and postal code"]),
        ("ko", ["다음을 확인해 주세요: 전화번호.", "배송 연락처를", "우편번호를"]),
    ];
    for (language, [summary, phone, address]) in words {
        let mut browser = Browser::logged_in(language, "kim@example.com").await;
        let typed = [("quantity", "2"), ("ship_name", "Kim"), ("ship_phone", "1"), ("ship_address", "<Seoul>")];
        let got = browser.submit("/offers/ofr_goods", "/offers/ofr_goods/buy", &typed).await;
        assert_eq!(got.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(got.body.contains(summary) && got.body.contains(phone) && !got.body.contains(address));
        assert!(got.body.contains("max=\"10\" value=\"2\"") && got.body.contains("&#60;Seoul&#62;</textarea>"));
        let got = browser.submit("/offers/ofr_goods", "/offers/ofr_goods/buy", &[("quantity", "2")]).await;
        // The name is known from the account.
        assert_eq!(got.body.matches("aria-invalid=\"true\"").count(), 2);
        assert!(got.body.contains("max=\"10\" value=\"2\"") && got.body.contains(address));
    }
}

#[tokio::test]
async fn an_address_of_the_account_is_enough() {
    let mut browser = buyer().await;
    browser.memory.has_address.store(true, Ordering::Relaxed);
    let form = browser.get("/offers/ofr_goods").await.body;
    assert!(form.contains("Ships to your account&#39;s address: 1 Main Street") && form.contains("<details"));
    let got = browser.submit("/offers/ofr_goods", "/offers/ofr_goods/buy", &[("quantity", "1")]).await;
    assert_eq!(got.location(), "/orders/ord_goods");
    assert_eq!(browser.memory.asked_of("/orders")[0].1, json!({ "offer_id": "ofr_goods", "quantity": 1 }));
    // What is not shipped asks for no address, and neither does what is gone.
    for path in ["/offers/ofr_open", "/offers/ofr_ended"] {
        assert!(!browser.get(path).await.body.contains("ship_name"), "{path}");
    }
}

#[tokio::test]
async fn who_is_not_logged_in_comes_back_to_the_offer() {
    let mut browser = Browser::new("en");
    let got = browser.submit("/offers/ofr_open", "/offers/ofr_open/buy", &[("quantity", "1")]).await;
    assert_eq!(got.location(), "/login?next=%2Foffers%2Fofr_open");
}

#[tokio::test]
async fn the_checkout_gets_what_the_order_costs() {
    let mut browser = buyer().await;
    let got = browser.get("/orders/ord_pending/pay").await;
    let to = got.location();
    assert!(
        to.starts_with("/sandbox/toss/checkout?orderId=ord_pending&amount=90000&taxFreeAmount=0&orderName="),
        "{to}"
    );
    assert!(to.contains("&successUrl=http%3A%2F%2Fshop.example%2Fcheckout%2Fsuccess&failUrl="), "{to}");
    assert_eq!(browser.get("/orders/ord_completed/pay").await.location(), "/orders/ord_completed");
}

#[tokio::test]
async fn one_payment_is_confirmed_under_one_key() {
    let mut browser = buyer().await;
    for _ in 0..2 {
        let got = browser.get("/checkout/success?paymentKey=good&orderId=ord_pending&amount=90000").await;
        assert_eq!(got.location(), "/orders/ord_pending");
    }
    let asked = browser.memory.asked_of("/payments/confirm");
    assert_eq!(asked[0], asked[1]);
    let body =
        json!({ "order_id": "ord_pending", "payment_key": "good", "amount": { "amount": 90000, "currency": "KRW" } });
    assert_eq!(asked[0].1, body);
}

#[tokio::test]
async fn a_payment_that_nobody_knows_of_yet_is_followed() {
    let got = buyer().await.get("/checkout/success?paymentKey=unknown&orderId=ord_pending&amount=90000").await;
    assert_eq!(got.location(), "/orders/ord_pending");
    let page = buyer().await.get("/orders/ord_paying").await;
    assert!(page.body.contains("please do not pay again") && page.body.contains("data-live-panel=\"true\""));
}

#[tokio::test]
async fn payments_that_fail_say_why() {
    let mut browser = buyer().await;
    for (key, amount, status, words) in [
        ("declined", 90_000, 402, "한도초과 혹은 잔액부족입니다."),
        ("late", 90_000, 409, "The time to pay has run out"),
        ("good", 1, 422, "The amount is not what the order costs"),
    ] {
        let got = browser.get(&format!("/checkout/success?paymentKey={key}&orderId=ord_pending&amount={amount}")).await;
        assert!(got.status.as_u16() == status && got.body.contains(words), "{key}: {}", got.body);
        assert!(got.body.contains("/orders/ord_pending/pay"), "{key}: can be tried again");
    }
    let got = browser.get("/checkout/fail?code=REJECT_CARD_COMPANY&message=call+0700&orderId=ord_pending").await;
    assert!(got.body.contains("The card was declined") && !got.body.contains("call 0700"));
    assert_eq!(browser.get("/checkout/success?orderId=ord_pending").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_camera_reads_the_code_of_a_voucher_that_can_be_used() {
    let mut browser = buyer().await;
    for code in ["TK3N8VYBC5ZLJ6FA", "GC7K2MPQX9WTR4HD", "CP9D4SGUE2XKW7MQ"] {
        let page = browser.get(&format!("/vouchers/{code}")).await.body;
        let (_, picture) = page.split_once("role=\"img\" aria-label=\"QR code of ").expect("a picture");
        assert_eq!(crate::qr::read(picture), code);
    }
    assert!(!browser.get("/vouchers/TK1111USED111111").await.body.contains("pass-qr"));
}

#[tokio::test]
async fn vouchers_are_on_the_order_that_they_came_with() {
    let mut browser = buyer().await;
    assert!(browser.get("/orders/ord_completed").await.body.contains("/vouchers/GC7K2MPQX9WTR4HD"));
    let waiting = browser.get("/orders/ord_issuing").await;
    assert!(waiting.body.contains("being issued") && waiting.body.contains("data-live-panel=\"true\""));
    let goods = browser.get("/orders/ord_goods").await;
    assert!(!goods.body.contains("being issued") && goods.body.contains("data-live-panel=\"false\""));
}

#[tokio::test]
async fn canceling() {
    let mut browser = buyer().await;
    let got = browser.submit("/orders/ord_pending", "/orders/ord_pending/cancel", &[]).await;
    assert_eq!(got.location(), "/orders/ord_pending?canceling=yes");
    // The refund of a completed order follows by a moment: the page keeps looking.
    let page = browser.get("/orders/ord_completed?canceling=yes").await;
    assert!(page.body.contains("Canceling.") && page.body.contains("data-live-panel=\"true\""));
    assert!(!browser.memory.asked_of("/cancel")[0].0.is_empty());
    let page = browser.get("/orders/ord_canceled").await;
    assert!(page.body.contains("₩45,000 is on its way back to you."));
    let got = browser.submit("/orders/ord_pending", "/orders/ord_paying/cancel", &[]).await;
    assert!(got.status == StatusCode::CONFLICT && got.body.contains("no longer possible"));
}

#[tokio::test]
async fn streams_go_through_with_the_cookies_token() {
    let mut browser = Browser::logged_in("en", "seller@example.com").await;
    for (path, event) in [
        ("/offers/ofr_open/stream", "event: stock"),
        ("/orders/ord_pending/stream", "event: order"),
        ("/admin/offers/ofr_open/stream", "event: live"),
    ] {
        let got = browser.get(path).await;
        assert!(got.headers["content-type"] == "text/event-stream" && got.body.starts_with(event), "{path}");
    }
    assert_eq!(Browser::new("en").get("/orders/ord_pending/stream").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn redeeming_in_parts() {
    let mut browser = Browser::logged_in("en", "seller@example.com").await;
    let page = "/redeem?code=GC7K2MPQX9WTR4HD";
    let code = ("code", "GC7K2MPQX9WTR4HD");
    let got = browser.submit(page, "/redeem", &[code, ("amount", "12,000")]).await;
    assert_eq!(got.location(), "/redeem?code=GC7K2MPQX9WTR4HD&done=yes");
    assert_eq!(browser.memory.asked_of("/redeem")[0].1, json!({ "amount": { "amount": 12000, "currency": "KRW" } }));
    let got = browser.submit(page, "/redeem", &[code, ("amount", "99000")]).await;
    assert!(got.status == StatusCode::CONFLICT && got.body.contains("The balance is not enough"));
    let got = browser.get("/redeem?code=none").await;
    assert!(got.status == StatusCode::NOT_FOUND && got.body.contains("value=\"none\""));
    let page = "/redeem?code=TK3N8VYBC5ZLJ6FA";
    browser.submit(page, "/redeem", &[("code", "TK3N8VYBC5ZLJ6FA")]).await;
    assert_eq!(browser.memory.asked_of("/redeem")[2].1, json!({}));
}

#[tokio::test]
async fn sold_out_is_sold_out_for_everyone() {
    let words =
        "<div data-show=\"sold_out\"><p class=\"buy\"><button class=\"button wide\" type=\"button\" disabled>Sold out";
    let got = Browser::new("en").get("/offers/ofr_sold_out").await;
    assert!(got.body.contains(words) && got.body.contains("its units come back here by themselves"), "{}", got.body);
}

#[tokio::test]
async fn the_till_is_for_merchants() {
    for (language, words) in [("en", "Only accounts with the role of a merchant"), ("ko", "가맹점 권한이 있는 계정만")]
    {
        let mut browser = Browser::logged_in(language, "kim@example.com").await;
        let got = browser.get("/redeem?code=GC7K2MPQX9WTR4HD").await;
        assert!(got.status == StatusCode::FORBIDDEN && got.body.contains(words), "{}", got.body);
        assert!(!got.body.contains("name=\"code\""));
        let got = browser.submit("/", "/redeem", &[("code", "GC7K2MPQX9WTR4HD")]).await;
        assert!(got.status == StatusCode::FORBIDDEN && browser.memory.asked_of("/redeem").is_empty());
    }
}

#[tokio::test]
async fn the_seller_sees_who_bought() {
    let mut browser = Browser::logged_in("en", "seller@example.com").await;
    let user = "usr_01h455vb4pex5vsknk084sn02q";
    let link = format!("<a href=\"/admin/orders?user={user}\">{user}</a>");
    assert!(browser.get("/admin/orders").await.body.contains(&link));
}

#[tokio::test]
async fn a_number_in_the_journal_is_no_count() {
    for (language, label) in [("en", "<dt>Journal number</dt><dd>1,284"), ("ko", "<dt>원장 번호</dt><dd>1,284")] {
        let mut browser = Browser::logged_in(language, "kim@example.com").await;
        assert!(browser.get("/orders/ord_pending").await.body.contains(label));
    }
}

#[tokio::test]
async fn a_new_sale_is_a_product_and_an_offer() {
    let mut browser = Browser::logged_in("en", "seller@example.com").await;
    let product = [("kind", "gift_card"), ("name", "Card"), ("face_value", "50,000")];
    let offer = [("price", "45,000"), ("stock", "0"), ("opens_at", "2026-11-20T18:00"), ("hold_minutes", "5")];
    let fields = [&product[..], &offer[..]].concat();
    let got = browser.submit("/admin/offers/new", "/admin/offers/new", &fields).await;
    assert!(got.status == StatusCode::UNPROCESSABLE_ENTITY && got.body.contains("Please check: Units."));
    assert_eq!(hidden(&got.body, "product_id"), "prd_new");
    let fields = [&product[..], &[("product_id", "prd_new"), ("price", "45,000"), ("stock", "100")]].concat();
    let got = browser.submit("/admin/offers/new", "/admin/offers/new", &fields).await;
    assert_eq!(got.location(), "/admin/offers/ofr_open?done=created");
    assert_eq!(browser.memory.asked_of("/admin/products").len(), 1);
    let offers = browser.memory.asked_of("/admin/offers");
    assert_eq!(
        (&offers[0].1["opens_at"], &offers[0].1["hold_for_seconds"]),
        (&json!("2026-11-20T09:00:00Z"), &json!(300))
    );
    assert_eq!(offers[1].1["stock"], 100);
    assert_eq!(offers[1].1.get("refund_policy"), None, "the API has one policy and chooses it");
}

#[tokio::test]
async fn steering_a_sale() {
    let mut browser = Browser::logged_in("en", "seller@example.com").await;
    let page = "/admin/offers/ofr_open";
    for action in ["open", "close", "freeze", "unfreeze"] {
        let got = browser.submit(page, &format!("{page}/{action}"), &[]).await;
        assert_eq!(got.location(), format!("{page}?done={action}"));
    }
    let got = browser.submit(page, &format!("{page}/explode"), &[]).await;
    assert_eq!(got.status, StatusCode::NOT_FOUND);
    let got = browser.submit(page, &format!("{page}/adjust"), &[("delta", "10"), ("reason", "found some")]).await;
    assert_eq!(got.location(), format!("{page}?done=adjust"));
    let got = browser.submit(page, &format!("{page}/adjust"), &[("delta", "-90"), ("reason", "lost some")]).await;
    assert!(got.status == StatusCode::CONFLICT && got.body.contains("more than what is still available"));
}
