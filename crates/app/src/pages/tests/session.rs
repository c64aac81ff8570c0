//! Cookies, renewal, log-out, and the protection of forms.

use std::sync::atomic::Ordering;

use axum::http::{Method, StatusCode};
use tower::ServiceExt as _;

use super::{Browser, hidden};

const FORM: [(&str, &str); 2] = [("email", "kim@example.com"), ("password", "good enough")];

#[tokio::test]
async fn tokens_are_out_of_reach_of_scripts_and_other_sites() {
    let mut browser = Browser::new("en");
    let got = browser.submit("/login", "/login", &FORM).await;
    assert_eq!((got.status, got.location()), (StatusCode::SEE_OTHER, "/"));
    let lines = got.cookie_lines();
    assert_eq!(lines.len(), 3);
    for line in lines {
        assert!(line.contains("; HttpOnly; SameSite=Lax"), "{line}");
    }
    assert!(browser.get("/orders").await.body.contains("My orders"));
}

#[tokio::test]
async fn a_wrong_password_is_told() {
    let mut browser = Browser::new("en");
    let got = browser.submit("/login", "/login", &[("email", "kim@example.com"), ("password", "wrong")]).await;
    assert_eq!(got.status, StatusCode::UNAUTHORIZED);
    assert!(got.body.contains("E-mail or password is wrong") && got.body.contains("value=\"kim@example.com\""));
    assert!(browser.cookie("fc_access").is_none());
}

#[tokio::test]
async fn an_account_with_a_second_factor_is_asked_for_a_code() {
    let mut browser = Browser::new("en");
    let form = [("email", "careful@example.com"), ("password", "good enough")];
    assert!(!browser.get("/login").await.body.contains("name=\"code\""));
    let got = browser.submit("/login", "/login", &form).await;
    assert!(got.status == StatusCode::UNAUTHORIZED && got.body.contains("name=\"code\""), "{}", got.body);
    let wrong = browser.submit("/login", "/login", &[form[0], form[1], ("code", "000000")]).await;
    assert!(wrong.body.contains("name=\"code\"") && wrong.body.contains("wrong or was used"), "{}", wrong.body);
    let right = browser.submit("/login", "/login", &[form[0], form[1], ("code", "287082")]).await;
    assert_eq!((right.status, right.location()), (StatusCode::SEE_OTHER, "/"));
}

#[tokio::test]
async fn sellers_begin_in_their_own_part() {
    let mut browser = Browser::new("en");
    let form = [("email", "seller@example.com"), ("password", "good enough")];
    assert_eq!(browser.submit("/login", "/login", &form).await.location(), "/admin");
}

#[tokio::test]
async fn log_in_leads_back_but_never_away() {
    for (next, led) in
        [("/offers/ofr_open", "/offers/ofr_open"), ("//evil.example", "/"), ("https://evil.example", "/")]
    {
        let mut browser = Browser::new("en");
        let got = browser.submit("/login", "/login", &[FORM[0], FORM[1], ("next", next)]).await;
        assert_eq!(got.location(), led);
    }
}

#[tokio::test]
async fn nobody_is_asked_to_log_in_first() {
    let mut browser = Browser::new("en");
    for path in ["/orders", "/orders/ord_pending", "/vouchers", "/account", "/admin"] {
        let got = browser.get(path).await;
        assert_eq!(got.location(), format!("/login?next={}", path.replace('/', "%2F")));
    }
}

#[tokio::test]
async fn an_expired_token_is_renewed_unnoticed() {
    let mut browser = Browser::logged_in("en", "kim@example.com").await;
    // The browser drops the access token when its time is over.
    browser.set_cookie("fc_access", "");
    let got = browser.get("/orders").await;
    assert_eq!(got.status, StatusCode::OK);
    assert!(browser.cookie("fc_access").is_some());
    assert_eq!(browser.memory.renewals.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_refused_token_is_renewed_and_the_form_still_arrives() {
    let mut browser = Browser::logged_in("en", "kim@example.com").await;
    browser.set_cookie("fc_access", "stub.bad.stub");
    let csrf = browser.cookie("fc_csrf").expect("a token").to_owned();
    let got = browser.post("/offers/ofr_open/buy", &[("csrf", &csrf), ("key", "k"), ("quantity", "1")], &[]).await;
    assert_eq!(got.location(), "/orders/ord_pending");
    assert_eq!(browser.memory.asked_of("/orders").len(), 1);
}

#[tokio::test]
async fn tabs_that_renew_together_renew_once() {
    let mut browser = Browser::logged_in("en", "kim@example.com").await;
    browser.set_cookie("fc_access", "");
    let requests =
        (0..8).map(|_| browser.pages.clone().oneshot(browser.request(Method::GET, "/orders", String::new(), &[])));
    for response in futures_util::future::join_all(requests).await {
        assert_eq!(response.expect("infallible").status(), StatusCode::OK);
    }
    assert_eq!(browser.memory.renewals.load(Ordering::Relaxed), 1);
    // A tab that comes a moment later with the old token is no thief.
    let late = browser.get("/orders").await;
    assert_eq!((late.status, browser.memory.renewals.load(Ordering::Relaxed)), (StatusCode::OK, 1));
}

#[tokio::test]
async fn a_browser_that_leaves_does_not_take_the_renewal_with_it() {
    let mut browser = Browser::logged_in("en", "kim@example.com").await;
    browser.set_cookie("fc_access", "");
    let request = browser.request(Method::GET, "/orders", String::new(), &[]);
    let left = tokio::time::timeout(std::time::Duration::from_millis(1), browser.pages.clone().oneshot(request)).await;
    assert!(left.is_err());
    assert_eq!(browser.get("/orders").await.status, StatusCode::OK);
    assert_eq!(browser.memory.renewals.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_session_that_is_over_is_forgotten() {
    let mut browser = Browser::logged_in("en", "kim@example.com").await;
    browser.set_cookie("fc_access", "");
    browser.set_cookie("fc_refresh", "used before");
    assert_eq!(browser.get("/orders").await.location(), "/login?next=%2Forders");
    assert!(browser.cookie("fc_refresh").is_none());
}

#[tokio::test]
async fn a_session_out_of_reach_is_kept() {
    let mut browser = Browser::logged_in("en", "kim@example.com").await;
    browser.set_cookie("fc_access", "");
    browser.memory.busy.store(true, Ordering::Relaxed);
    let got = browser.get("/orders").await;
    assert_eq!((got.status, got.headers["retry-after"].as_bytes()), (StatusCode::SERVICE_UNAVAILABLE, b"1".as_slice()));
    browser.memory.busy.store(false, Ordering::Relaxed);
    assert_eq!(browser.get("/orders").await.status, StatusCode::OK);
}

#[tokio::test]
async fn logging_out_forgets_everything() {
    for (page, action) in [("/account", "/logout"), ("/account", "/account/logout-all")] {
        let mut browser = Browser::logged_in("en", "kim@example.com").await;
        assert_eq!(browser.submit(page, action, &[]).await.location(), "/");
        assert!(browser.cookie("fc_access").is_none() && browser.cookie("fc_refresh").is_none());
    }
}

#[tokio::test]
async fn one_device_is_ended() {
    let mut browser = Browser::logged_in("en", "kim@example.com").await;
    assert_eq!(browser.submit("/account", "/account/sessions/ses_2/end", &[]).await.location(), "/account");
}

#[tokio::test]
async fn forms_of_other_sites_are_refused() {
    let mut browser = Browser::logged_in("en", "kim@example.com").await;
    let token = hidden(&browser.get("/offers/ofr_open").await.body, "csrf");
    let good = [("csrf", token.as_str()), ("key", "k"), ("quantity", "1")];
    let path = "/offers/ofr_open/buy";
    let refused = [
        (vec![("key", "k"), ("quantity", "1")], vec![]),
        (vec![("csrf", "guessed"), ("key", "k"), ("quantity", "1")], vec![]),
        (good.to_vec(), vec![("sec-fetch-site", "cross-site")]),
        (good.to_vec(), vec![("sec-fetch-site", "same-site")]),
        (good.to_vec(), vec![("origin", "https://evil.example")]),
        (good.to_vec(), vec![("origin", "null")]),
    ];
    for (fields, headers) in refused {
        let got = browser.post(path, &fields, &headers).await;
        assert_eq!(got.status, StatusCode::FORBIDDEN, "{headers:?}");
        assert!(got.body.contains("The form has expired"));
    }
    assert!(browser.memory.asked_of("/orders").is_empty());
    for headers in [vec![("sec-fetch-site", "same-origin")], vec![("origin", "http://shop.example")]] {
        assert_eq!(browser.post(path, &good, &headers).await.status, StatusCode::SEE_OTHER, "{headers:?}");
    }
}

#[tokio::test]
async fn the_api_names_the_browser_that_logs_in() {
    let mut browser = Browser::new("en");
    let csrf = hidden(&browser.get("/login").await.body, "csrf");
    let agent = "Mozilla/5.0 (Windows NT 10.0; rv:145.0) Gecko/20100101 Firefox/145.0";
    let form = [("csrf", csrf.as_str()), FORM[0], FORM[1]];
    assert_eq!(browser.post("/login", &form, &[("user-agent", agent)]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(browser.memory.asked_of("/auth/login/agent")[0].1, agent);
    assert!(browser.memory.asked_of("/auth/login")[0].1.get("device").is_none(), "one name for one browser");
}

#[tokio::test]
async fn a_planted_form_token_is_worth_nothing_after_log_in() {
    let mut browser = Browser::new("en");
    let planted = "A".repeat(32);
    browser.set_cookie("fc_csrf", &planted);
    browser.submit("/login", "/login", &FORM).await;
    assert_ne!(browser.cookie("fc_csrf"), Some(planted.as_str()));
}

#[tokio::test]
async fn a_strange_form_token_never_gets_into_a_page() {
    let mut browser = Browser::new("en");
    browser.set_cookie("fc_csrf", "\"><script>alert(1)</script>");
    let got = browser.get("/login").await;
    assert!(!got.body.contains("alert(1)"));
    assert_eq!(hidden(&got.body, "csrf"), browser.cookie("fc_csrf").expect("a new one"));
}

#[tokio::test]
async fn signing_up_in_three_steps() {
    let mut browser = Browser::new("en");
    assert_eq!(browser.get("/signup/code").await.location(), "/signup");
    assert_eq!(browser.get("/signup/details").await.location(), "/signup");
    let odd = browser.submit("/signup", "/signup", &[("email", "odd")]).await;
    assert!(odd.status == StatusCode::UNPROCESSABLE_ENTITY && odd.body.contains("Please check: E-mail."));
    let next = ("next", "/offers/ofr_open");
    let got = browser.submit("/signup", "/signup", &[("email", "kim@example.com"), next]).await;
    assert_eq!(got.location(), "/signup/code?next=%2Foffers%2Fofr_open");
    let page = browser.get("/signup/code").await;
    assert!(page.body.contains("/dev/mailbox?to=kim%40example.com"));
    let wrong = browser.submit("/signup/code", "/signup/code", &[("code", "000000")]).await;
    assert!(wrong.status == StatusCode::BAD_REQUEST && wrong.body.contains("The code is wrong"));
    let got = browser.submit("/signup/code", "/signup/code", &[("code", "123 456"), next]).await;
    assert_eq!(got.location(), "/signup/details?next=%2Foffers%2Fofr_open");
    let details = [("name", "Kim"), ("password", "weak-password"), ("phone", ""), ("address", "Seoul")];
    let weak = browser.submit("/signup/details", "/signup/details", &details).await;
    assert!(weak.body.contains("Please check: Password.") && weak.body.contains("value=\"Seoul\""));
    let page = browser.get("/signup/details").await;
    assert!(
        page.body.contains("name=\"terms\" value=\"2026-11\" required") && page.body.contains("Advertising by e-mail")
    );
    let (terms, advertising) = (("terms", "2026-11"), ("advertising", "1"));
    let (name, password, address) = (("name", "Kim"), ("password", "good enough"), ("address", "Seoul"));
    let details = [name, password, ("phone", ""), address, terms, advertising, next];
    let got = browser.submit("/signup/details", "/signup/details", &details).await;
    assert_eq!(got.location(), "/offers/ofr_open");
    let (_, sent) = browser.memory.asked_of("/auth/signup").pop().expect("sent");
    assert!(sent.get("phone").is_none() && sent["address"] == "Seoul");
    assert_eq!(sent["consents"], serde_json::json!({ "terms": "2026-11", "advertising": true }));
    assert!(browser.cookie("fc_email").is_none() && browser.cookie("fc_access").is_some());
}

#[tokio::test]
async fn what_is_saved_stays_saved_when_the_log_in_after_it_fails() {
    let mut browser = Browser::new("en");
    browser.submit("/forgot", "/forgot", &[("email", "kim@example.com")]).await;
    let set = [("code", "123456"), ("password", "wrong")];
    let got = browser.submit("/forgot/code", "/forgot/code", &set).await;
    assert!(got.status == StatusCode::OK && got.body.contains("only the log-in is left"), "{}", got.body);
    assert!(got.body.contains("action=\"/login\"") && got.body.contains("kim@example.com"), "{}", got.body);
    assert!(browser.cookie("fc_forgot").is_none() && browser.cookie("fc_access").is_none());
}

#[tokio::test]
async fn a_forgotten_password() {
    let mut browser = Browser::new("en");
    assert!(browser.get("/login").await.body.contains("/forgot"));
    assert_eq!(browser.get("/forgot/code").await.location(), "/forgot");
    let odd = browser.submit("/forgot", "/forgot", &[("email", "odd")]).await;
    assert_eq!(odd.status, StatusCode::UNPROCESSABLE_ENTITY);
    let got = browser.submit("/forgot", "/forgot", &[("email", "kim@example.com")]).await;
    assert_eq!(got.location(), "/forgot/code");
    let page = browser.get("/forgot/code").await;
    assert!(page.body.contains("kim@example.com"));
    let wrong = [("code", "000000"), ("password", "good enough")];
    let wrong = browser.submit("/forgot/code", "/forgot/code", &wrong).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    let right = [("code", "123 456"), ("password", "good enough")];
    let got = browser.submit("/forgot/code", "/forgot/code", &right).await;
    assert_eq!(got.location(), "/");
    let (_, sent) = browser.memory.asked_of("/auth/password-reset/confirm").pop().expect("sent");
    assert!(sent["code"] == "123456" && sent["email"] == "kim@example.com");
    assert!(browser.cookie("fc_forgot").is_none() && browser.cookie("fc_access").is_some());
}
