//! The pages in a real browser.
//!
//! Needs `chromium` and `chromedriver` (Debian: `apt install chromium chromium-driver`). With `FIRSTCOME_SCREENSHOTS` set
//! to a folder they leave pictures there, which is how `scripts/screenshots` makes those of the README.

mod driver;
mod visitor;

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::Duration;

use firstcome_tests::{Api, PASSWORD, Shop, ShopOptions, Storefront as _, gift_card};
use futures_util::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use driver::{Driver, Screen};
use visitor::{Visitor, screenshots};

/// Gives a visitor with a browser of their own to `visit`, and closes the browser also when that fails: one that is left
/// behind would run on.
async fn with_browser(shop: &Shop, screen: Screen, visit: impl AsyncFnOnce(&Visitor<'_>)) {
    let driver = Driver::start();
    let browser = driver.open(&shop.scratch().join("browser"), screen).await;
    let visitor = Visitor { browser: &browser, shop: format!("http://{}", shop.address()) };
    let outcome = AssertUnwindSafe(visit(&visitor)).catch_unwind().await;
    browser.quit().await.expect("the browser closes");
    if let Err(reason) = outcome {
        resume_unwind(reason);
    }
}

/// Follows the pages from the list of offers to the voucher, only through what is on them.
async fn buy_the_gift_card(visitor: &Visitor<'_>) {
    visitor.go("/").await;
    visitor.find(".shelf-open .card").await;
    visitor.picture("offers").await;
    visitor.go("/?state=open&kind=gift_card").await;
    visitor.click("a.card").await;
    let name = visitor.text(".offer h1").await;

    visitor.click(".offer-body a[href^='/signup']").await;
    visitor.fill("#email", "kim@example.com").await;
    visitor.click("main .form .button").await;
    let mailbox = visitor.find("a[href^='/dev/mailbox']").await.attr("href").await.expect("a link");
    visitor.go(&mailbox.expect("an address")).await;
    let mail = visitor.text("article pre").await;
    let code = mail.split(|letter: char| !letter.is_ascii_digit()).find(|digits| digits.len() == 6);
    visitor.browser.back().await.expect("back");
    visitor.fill("#code", code.expect("six digits")).await;
    visitor.click("main .form .button").await;
    visitor.fill("#name", "김하나").await;
    visitor.fill("#password", PASSWORD).await;
    visitor.click("main .form .button").await;

    // Signing up led back to the offer, logged in.
    assert_eq!(visitor.text(".offer h1").await, name);
    visitor.find("[data-live]:not([hidden])").await;
    visitor.picture("offer").await;
    visitor.click("[data-buy]:enabled").await;
    visitor.find(".order-head.order-PENDING .countdown b").await;
    visitor.picture("order").await;
    visitor.click("[data-pay]").await;
    visitor.find("#pay").await;
    visitor.picture("checkout").await;
    visitor.click("#decline").await;
    visitor.find(".alert.bad").await;
    visitor.click("[data-pay]").await;
    visitor.click("#pay").await;
    visitor.find(".order-head.order-COMPLETED").await;
    visitor.click(".passes .pass").await;
    assert!(visitor.text(".pass.large .pass-kind").await.contains("Gift card"));
    assert!(!visitor.text(".pass-code").await.is_empty());
    visitor.picture("voucher").await;

    visitor.go("/orders").await;
    visitor.find(".state.order-COMPLETED").await;
    visitor.click(".language button").await;
    visitor.find("html[lang='ko'] .state.order-COMPLETED").await;
}

#[tokio::test]
async fn a_gift_card_is_bought_in_a_browser() {
    let shop = Shop::start_with(ShopOptions { demo: true, ..ShopOptions::default() }).await;
    with_browser(&shop, Screen::Phone, buy_the_gift_card).await;
}

/// Looks at an offer before it opens. Gives false when the machine was so slow that it had opened already.
async fn saw_it_open(visitor: &Visitor<'_>, offer: &str) -> bool {
    visitor.go(&format!("/offers/{offer}")).await;
    let page = visitor.find("[data-offer-page]").await;
    if page.attr("data-state").await.expect("a state").as_deref() != Some("upcoming") {
        return false;
    }
    visitor.browser.execute("window.same = true", vec![]).await.expect("a mark");
    visitor.find(".countdown b").await;
    visitor.picture("opening").await;
    visitor.find("[data-buy]:enabled").await;
    let same = visitor.browser.execute("return window.same === true", vec![]).await.expect("the mark");
    assert_eq!(same.json(), &json!(true), "the page was not loaded anew");
    true
}

#[tokio::test]
async fn the_button_opens_by_itself() {
    let shop = Shop::start().await;
    let seller = shop.seller().await;
    let password = shop.add_account("buyer", "kim@example.com");
    with_browser(&shop, Screen::Phone, async |visitor| {
        log_in(visitor, "kim@example.com", password).await;
        // It opens by the shop's clock, whatever the visitor's says.
        visitor.put_clock_ahead().await;
        for seconds in [8, 30, 120] {
            let opens_at = Timestamp::now() + SignedDuration::from_secs(seconds);
            let terms = json!({ "stock": 500, "opens_at": opens_at.to_string(), "limit_per_person": 2 });
            let offer = seller.sell(&gift_card(50_000), &terms).await;
            if saw_it_open(visitor, &offer).await {
                visitor.click("[data-buy]").await;
                visitor.find(".order-head.order-PENDING").await;
                return;
            }
        }
        panic!("the machine is too slow to look at an offer within two minutes");
    })
    .await;
}

#[tokio::test]
async fn goods_are_sent_where_the_buyer_says() {
    let shop = Shop::start().await;
    let seller = shop.seller().await;
    let offer = seller.sell(&json!({"kind": "goods", "name": "Air fryer"}), &json!({ "stock": 5 })).await;
    let password = shop.add_account("buyer", "kim@example.com");
    with_browser(&shop, Screen::Phone, async |visitor| {
        log_in(visitor, "kim@example.com", password).await;
        visitor.go(&format!("/offers/{offer}")).await;
        visitor.fill("#ship_phone", "010").await;
        visitor.fill("#ship_address", "1 Sejong-daero, Seoul").await;
        visitor.click("[data-step='1']").await;
        visitor.click("[data-buy]:enabled").await;
        visitor.find("#ship_phone_error").await;
        let quantity = visitor.find("#quantity").await.prop("value").await.expect("a value");
        assert_eq!(quantity.as_deref(), Some("2"));
        visitor.fill("#ship_phone", "-1234-5678").await;
        visitor.click("[data-buy]:enabled").await;
        visitor.find(".order-head.order-PENDING").await;
    })
    .await;
    let sold = seller.admin_orders("state=PENDING").await.expect("an answer");
    assert!(sold[0]["user_id"].as_str().is_some_and(|user| user.starts_with("usr_")), "{sold:?}");
}

async fn log_in(visitor: &Visitor<'_>, email: &str, password: &str) {
    visitor.go("/login").await;
    visitor.fill("#email", email).await;
    visitor.fill("#password", password).await;
    visitor.click("main .form .button").await;
    visitor.find(".tabs a[href='/orders']").await;
}

/// Some buy, some pay, some want too much.
async fn rush(buyers: &[Api], offer: &str) {
    for (place, buyer) in buyers.iter().enumerate() {
        let answer = buyer.order("first", offer, 1).await.expect("an answer").want(201);
        let order = answer["order_id"].as_str().expect("an id");
        if place % 4 != 0 {
            let amount = answer["amount"]["amount"].as_i64().expect("an amount");
            let paid = buyer.pay_at_sandbox(order, amount).await.expect("an answer").want(200);
            let payment = paid["paymentKey"].as_str().expect("a key");
            buyer.confirm(payment, order, payment, &answer["amount"]).await.expect("an answer").want(200);
        }
        if place % 3 == 0 {
            buyer.order("more", offer, 2).await.expect("an answer").problem(409, "over_limit");
        }
        if screenshots().is_some() {
            // So that there is a while to draw.
            tokio::time::sleep(Duration::from_millis(60 + 140 * (place as u64 % 7))).await;
        }
    }
}

#[tokio::test]
async fn the_seller_watches_and_steers() {
    let shop = Shop::start().await;
    let seller = shop.seller().await;
    let offer = seller.sell(&gift_card(50_000), &json!({ "stock": 60, "limit_per_person": 1 })).await;
    let password = shop.add_account("seller", "watching@shop.test");
    let buyers = shop.buyers(40);
    with_browser(&shop, Screen::Desk, async |visitor| {
        log_in(visitor, "watching@shop.test", password).await;
        visitor.click(".admin-offer").await;
        visitor.find("[data-live]:not([hidden])").await;
        rush(&buyers, &offer).await;
        visitor.wait_for("[data-live-number=sold]", "30").await;
        visitor.wait_for("[data-live-number=held]", "10").await;
        visitor.wait_for("[data-live-refused=over_limit]", "14").await;
        visitor.picture("live").await;
        visitor.click("form[action$='/freeze'] button").await;
        visitor.browser.accept_alert().await.expect("a question");
        visitor.find(".alert.good").await;
        buyers[0].order("late", &offer, 1).await.expect("an answer").problem(409, "frozen");
    })
    .await;
}
