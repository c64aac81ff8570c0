//! Every page renders, in both languages, full and empty, for whoever may see it.

use std::sync::atomic::Ordering;

use axum::http::{HeaderValue, Method, StatusCode, header};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::Browser;

const ANYONE: [&str; 12] = [
    "/",
    "/?state=open&kind=ticket",
    "/?category=cat_home",
    "/?category=cat_ears&kind=goods",
    "/?q=%3Cimg%20src%3Dx%3E%22&category=%22%3E",
    "/offers/ofr_open",
    "/offers/ofr_upcoming",
    "/offers/ofr_sold_out",
    "/offers/ofr_members",
    "/login",
    "/forgot",
    "/signup",
];

const BUYER: [&str; 28] = [
    "/",
    "/offers/ofr_open",
    "/offers/ofr_upcoming",
    "/offers/ofr_sold_out",
    "/offers/ofr_free",
    "/offers/ofr_goods",
    "/offers/ofr_frozen",
    "/offers/ofr_ended",
    "/offers/ofr_members",
    "/offers/ofr_members_later",
    "/offers/ofr_long",
    "/account",
    "/orders",
    "/orders/ord_pending",
    "/orders/ord_paying",
    "/orders/ord_completed",
    "/orders/ord_completed/panel",
    "/orders/ord_issuing",
    "/orders/ord_goods",
    "/orders/ord_free",
    "/orders/ord_expired",
    "/orders/ord_failed",
    "/orders/ord_canceled",
    "/vouchers",
    "/vouchers/GC7K2MPQX9WTR4HD",
    "/vouchers/TK1111USED111111",
    "/checkout/fail?code=PAY_PROCESS_CANCELED&message=x&orderId=ord_pending",
    "/checkout/fail?code=ODD_ONE&message=x&orderId=ord_pending",
];

const SELLER: [&str; 12] = [
    "/admin",
    "/admin/offers/new",
    "/admin/offers/ofr_open",
    "/admin/offers/ofr_draft",
    "/admin/offers/ofr_frozen?done=freeze",
    "/admin/orders",
    "/admin/orders?state=PAYING&stuck=true",
    "/admin/audit",
    "/admin/cluster",
    "/redeem",
    "/redeem?code=GC7K%202MPQ%20X9WT%20R4HD",
    "/redeem?code=CP9D4SGUE2XKW7MQ&done=yes",
];

const LANGUAGES: [&str; 2] = ["ko-KR", "en-US"];

/// Renders a page and looks for what no page may have.
async fn check(browser: &mut Browser, path: &str) {
    let got = browser.get(path).await;
    assert_eq!(got.status, StatusCode::OK, "{path}");
    assert_eq!(got.headers[header::CACHE_CONTROL], "no-store", "{path}");
    let policy = got.headers[header::CONTENT_SECURITY_POLICY].to_str().expect("text");
    assert!(policy.contains("default-src 'self'") && !policy.contains("unsafe"), "{path}");
    for never in [" style=\"", "<script>", " onclick=", "{{", "{%", "<Air"] {
        assert!(!got.body.contains(never), "{path} contains {never}");
    }
    let lang = &browser.language[..2];
    assert_eq!(got.headers[header::CONTENT_LANGUAGE], lang);
    if !path.ends_with("/panel") {
        assert!(got.body.contains(&format!("<html lang=\"{lang}\">")), "{path}");
        let ids: Vec<_> = got.body.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        let unique: std::collections::HashSet<_> = ids.iter().collect();
        assert_eq!(ids.len(), unique.len(), "{path} uses an id twice: {ids:?}");
    }
}

#[tokio::test]
async fn for_anyone() {
    for language in LANGUAGES {
        for path in ANYONE {
            check(&mut Browser::new(language), path).await;
        }
    }
}

#[tokio::test]
async fn for_buyers() {
    for language in LANGUAGES {
        let mut browser = Browser::logged_in(language, "kim@example.com").await;
        for path in BUYER {
            check(&mut browser, path).await;
        }
    }
}

#[tokio::test]
async fn for_sellers() {
    for language in LANGUAGES {
        let mut browser = Browser::logged_in(language, "seller@example.com").await;
        for path in SELLER {
            check(&mut browser, path).await;
        }
    }
}

#[tokio::test]
async fn empty_lists_say_so() {
    for (language, words) in [("ko", "아직 주문이 없습니다"), ("en", "No orders yet")] {
        let mut browser = Browser::logged_in(language, "seller@example.com").await;
        browser.memory.empty.store(true, Ordering::Relaxed);
        for path in ["/", "/orders", "/vouchers", "/admin", "/admin/orders", "/admin/audit"] {
            let got = browser.get(path).await;
            assert_eq!(got.status, StatusCode::OK, "{path}");
            assert!(got.body.contains("class=\"empty\""), "{path}");
        }
        assert!(browser.get("/orders").await.body.contains(words));
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_page_too() {
    for (language, words) in [("ko", "찾을 수 없습니다"), ("en", "Not here")] {
        let mut browser = Browser::logged_in(language, "kim@example.com").await;
        let odd =
            ["/nothing", "/offers/ofr_none", "/orders/ord_none", "/vouchers/none", "/offers/..%2Fadmin", "/admin/x/y"];
        for path in odd {
            let got = browser.get(path).await;
            assert_eq!(got.status, StatusCode::NOT_FOUND, "{path}");
            assert!(got.body.contains(words), "{path}");
            assert!(got.headers.contains_key(header::CONTENT_SECURITY_POLICY));
        }
        let wrong = browser.send(browser.request(Method::OPTIONS, "/orders", String::new(), &[])).await;
        assert_eq!(
            (wrong.status, wrong.headers[header::ALLOW].to_str().ok()),
            (StatusCode::METHOD_NOT_ALLOWED, Some("GET,HEAD"))
        );
    }
}

#[tokio::test]
async fn programs_are_told_in_a_problem_document() {
    let browser = Browser::new("en");
    for (method, path, status, code) in [
        (Method::GET, "/nothing", StatusCode::NOT_FOUND, "not_found"),
        (Method::PUT, "/nothing", StatusCode::NOT_FOUND, "not_found"),
        (Method::OPTIONS, "/", StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
        (Method::DELETE, "/admin/orders", StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
        (Method::POST, "/favicon.ico", StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
    ] {
        let mut request = browser.request(method, path, String::new(), &[]);
        request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let response = browser.pages.clone().oneshot(request).await.expect("infallible");
        let (head, body) = response.into_parts();
        let allow = head.headers.contains_key(header::ALLOW);
        assert_eq!((head.status, allow), (status, status == StatusCode::METHOD_NOT_ALLOWED), "{path}");
        assert_eq!(head.headers[header::CONTENT_TYPE], "application/problem+json");
        let body = body.collect().await.expect("a body").to_bytes();
        assert!(String::from_utf8_lossy(&body).contains(code), "{path}");
    }
}

#[tokio::test]
async fn what_sellers_typed_is_escaped() {
    let got = Browser::new("en").get("/offers/ofr_sold_out").await;
    assert!(got.body.contains("&#60;Air &#38; Light&#62;"));
}

#[tokio::test]
async fn assets_are_kept_for_ever_under_their_version() {
    let mut browser = Browser::new("en");
    let home = browser.get("/").await;
    let style = home.body.split("<link rel=\"stylesheet\" href=\"").nth(1).and_then(|rest| rest.split('"').next());
    let got = browser.get(style.expect("a stylesheet")).await;
    assert_eq!(got.status, StatusCode::OK);
    assert!(got.headers[header::CACHE_CONTROL].to_str().expect("text").contains("immutable"));
    let old = browser.get("/assets/000000000000/app.js").await;
    assert_eq!(
        (old.status, &old.headers[header::CACHE_CONTROL]),
        (StatusCode::OK, &"no-cache".parse().expect("valid"))
    );
    assert_eq!(browser.get("/assets/x/..%2Fapp.css").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_language_is_chosen_once() {
    let mut browser = Browser::new("ko");
    let got = browser.submit("/login", "/language", &[("to", "en"), ("next", "/offers/ofr_open")]).await;
    assert_eq!(got.location(), "/offers/ofr_open");
    assert!(browser.get("/").await.body.contains("<html lang=\"en\">"));
}
