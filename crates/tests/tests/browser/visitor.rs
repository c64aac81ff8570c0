//! Someone who looks at the pages and uses them.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use thirtyfour::prelude::*;

/// How long a page may take to say what is expected, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const GLANCE: Duration = Duration::from_millis(100);

/// A visitor in front of the browser.
pub(super) struct Visitor<'a> {
    /// The browser.
    pub(super) browser: &'a WebDriver,
    /// Where the shop is.
    pub(super) shop: String,
}

impl Visitor<'_> {
    /// An element, once it is there.
    pub(super) async fn find(&self, selector: &str) -> WebElement {
        let found = self.browser.query(By::Css(selector)).wait(PATIENCE, GLANCE).first().await;
        match found {
            Ok(element) => element,
            Err(error) => {
                let text = self.browser.find(By::Css("body")).await.expect("a page").text().await;
                panic!("{selector} is not there ({error}); the page says: {text:?}");
            }
        }
    }

    /// What an element says.
    pub(super) async fn text(&self, selector: &str) -> String {
        self.find(selector).await.text().await.expect("text")
    }

    /// Clicks.
    pub(super) async fn click(&self, selector: &str) {
        let element = self.find(selector).await;
        element.scroll_into_view().await.expect("in view");
        element.click().await.unwrap_or_else(|error| panic!("{selector} cannot be clicked: {error}"));
    }

    /// Types.
    pub(super) async fn fill(&self, selector: &str, text: &str) {
        self.find(selector).await.send_keys(text).await.expect("typed");
    }

    /// Goes to a page.
    pub(super) async fn go(&self, path: &str) {
        self.browser.goto(format!("{}{path}", self.shop)).await.expect("a page");
    }

    /// Puts the clock of every page that is loaded from now on an hour ahead.
    pub(super) async fn put_clock_ahead(&self) {
        let script = "const now = Date.now.bind(Date); Date.now = () => now() + 3600000;";
        let parameters = json!({ "source": format!("(() => {{ {script} }})()") });
        let added = self.browser.cdp().send_raw("Page.addScriptToEvaluateOnNewDocument", parameters).await;
        added.expect("another clock");
    }

    /// Waits until an element says this.
    pub(super) async fn wait_for(&self, selector: &str, text: &str) {
        let query = self.browser.query(By::Css(selector)).with_text(text.to_owned()).wait(PATIENCE, GLANCE);
        if let Err(error) = query.first().await {
            panic!("{selector} does not say {text:?} but {:?}: {error}", self.text(selector).await);
        }
    }

    /// A picture of what the browser shows, if `FIRSTCOME_SCREENSHOTS` names a folder for it.
    pub(super) async fn picture(&self, name: &str) {
        if let Some(folder) = screenshots() {
            let picture = self.browser.screenshot_as_png().await.expect("a picture");
            std::fs::write(folder.join(format!("{name}.png")), picture).expect("written");
        }
    }
}

/// Where pictures go, if anywhere.
pub(super) fn screenshots() -> Option<PathBuf> {
    std::env::var_os("FIRSTCOME_SCREENSHOTS").map(PathBuf::from)
}
