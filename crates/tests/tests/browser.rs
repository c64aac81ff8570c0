//! The pages in a real browser: someone signs up, buys the demo's gift card and pays for it.
//!
//! Needs `chromium` and `chromedriver` (Debian: `apt install chromium chromium-driver`).

use std::io::{BufRead as _, BufReader};
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use firstcome_tests::{Shop, ShopOptions};
use futures_util::FutureExt as _;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use thirtyfour::error::{WebDriverErrorInner, WebDriverResult};
use thirtyfour::prelude::*;
use thirtyfour::session::http::{Body, HttpClient};
use thirtyfour::{ChromeCapabilities, ChromiumLikeCapabilities as _};

/// How long a page may take to say what is expected, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const GLANCE: Duration = Duration::from_millis(100);

/// What thirtyfour talks to the driver with.
struct Wire(Client<HttpConnector, Full<Bytes>>);

impl Wire {
    fn make() -> Self {
        Self(Client::builder(TokioExecutor::new()).build_http())
    }
}

#[async_trait]
impl HttpClient for Wire {
    async fn send(&self, request: hyper::Request<Body<'_>>) -> WebDriverResult<hyper::Response<Bytes>> {
        let (parts, body) = request.into_parts();
        let bytes = match body {
            Body::Empty => Bytes::new(),
            Body::Json(json) => json.to_string().into(),
        };
        let failed = |error: String| WebDriverError::from(WebDriverErrorInner::HttpError(error));
        let request = hyper::Request::from_parts(parts, Full::new(bytes));
        let response = self.0.request(request).await.map_err(|error| failed(error.to_string()))?;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.map_err(|error| failed(error.to_string()))?.to_bytes();
        Ok(hyper::Response::from_parts(parts, bytes))
    }

    async fn new(&self) -> Arc<dyn HttpClient> {
        Arc::new(Self::make())
    }
}

/// A chromedriver on a port that it chose itself, killed when dropped.
struct Driver {
    child: Child,
    address: String,
}

impl Driver {
    fn start() -> Self {
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver can be started: apt install chromium chromium-driver");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let port = lines.map_while(Result::ok).find_map(|line| {
            let rest = line.split("started successfully on port ").nth(1)?;
            rest.trim_end_matches('.').parse::<u16>().ok()
        });
        let address = format!("http://127.0.0.1:{}", port.expect("chromedriver says its port"));
        Self { child, address }
    }

    async fn open(&self, profile: &Path) -> WebDriver {
        let mut capabilities = ChromeCapabilities::new();
        let profile = format!("--user-data-dir={}", profile.display());
        let flags = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            "--lang=en-US",
            "--window-size=390,844",
            &profile,
        ];
        for flag in flags {
            capabilities.add_arg(flag).expect("a flag");
        }
        WebDriver::builder(&self.address, capabilities).client(Wire::make()).await.expect("a browser")
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone after the wait.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A visitor in front of the browser.
struct Visitor<'a> {
    browser: &'a WebDriver,
    shop: String,
}

impl Visitor<'_> {
    async fn find(&self, selector: &str) -> WebElement {
        let found = self.browser.query(By::Css(selector)).wait(PATIENCE, GLANCE).first().await;
        match found {
            Ok(element) => element,
            Err(error) => {
                let text = self.browser.find(By::Css("body")).await.expect("a page").text().await;
                panic!("{selector} is not there ({error}); the page says: {text:?}");
            }
        }
    }

    async fn text(&self, selector: &str) -> String {
        self.find(selector).await.text().await.expect("text")
    }

    async fn click(&self, selector: &str) {
        let element = self.find(selector).await;
        element.scroll_into_view().await.expect("in view");
        element.click().await.unwrap_or_else(|error| panic!("{selector} cannot be clicked: {error}"));
    }

    async fn fill(&self, selector: &str, text: &str) {
        self.find(selector).await.send_keys(text).await.expect("typed");
    }

    async fn go(&self, path: &str) {
        self.browser.goto(format!("{}{path}", self.shop)).await.expect("a page");
    }
}

/// Follows the pages from the list of offers to the voucher, only through what is on them.
async fn buy_the_gift_card(visitor: &Visitor<'_>) {
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
    visitor.fill("#password", "a long enough password 7").await;
    visitor.click("main .form .button").await;

    // Signing up led back to the offer, logged in.
    assert_eq!(visitor.text(".offer h1").await, name);
    visitor.click("[data-buy]:enabled").await;
    visitor.find(".order-head.order-PENDING .countdown b").await;
    visitor.click("[data-pay]").await;
    visitor.click("#decline").await;
    visitor.find(".alert.bad").await;
    visitor.click("[data-pay]").await;
    visitor.click("#pay").await;
    visitor.find(".order-head.order-COMPLETED").await;
    visitor.click(".passes .pass").await;
    assert!(visitor.text(".pass.large .pass-kind").await.contains("Gift card"));
    assert!(!visitor.text(".pass-code").await.is_empty());

    visitor.go("/orders").await;
    visitor.find(".state.order-COMPLETED").await;
    visitor.click(".language button").await;
    visitor.find("html[lang='ko'] .state.order-COMPLETED").await;
}

#[tokio::test]
async fn a_gift_card_is_bought_in_a_browser() {
    let shop = Shop::start_with(ShopOptions { demo: true, ..ShopOptions::default() }).await;
    let driver = Driver::start();
    let browser = driver.open(&shop.scratch().join("browser")).await;
    let visitor = Visitor { browser: &browser, shop: format!("http://{}", shop.address()) };
    let outcome = AssertUnwindSafe(buy_the_gift_card(&visitor)).catch_unwind().await;
    // Also after a failure: a browser that is left behind would run on.
    browser.quit().await.expect("the browser closes");
    if let Err(reason) = outcome {
        resume_unwind(reason);
    }
}
