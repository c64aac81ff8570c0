//! The pages over a stub of the API.

mod buying;
mod conditions;
mod every_page;
mod session;
mod stub;
mod texts;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use firstcome_core::ports::SystemClock;
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::{PagesOptions, router};
use stub::Memory;

/// A browser in front of the pages: keeps cookies, sends forms.
struct Browser {
    pages: Router,
    memory: Arc<Memory>,
    cookies: Vec<(String, String)>,
    language: &'static str,
}

/// What a browser got.
struct Got {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Got {
    fn location(&self) -> &str {
        self.headers.get(header::LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    fn cookie_lines(&self) -> Vec<String> {
        let lines = self.headers.get_all(header::SET_COOKIE).into_iter();
        lines.map(|line| line.to_str().expect("text").to_owned()).collect()
    }
}

impl Browser {
    fn new(language: &'static str) -> Self {
        let memory = Arc::new(Memory::default());
        let options = PagesOptions {
            public_url: None,
            checkout_url: "/sandbox/toss/checkout".to_owned(),
            mailbox: true,
            processes: true,
            time_zone: jiff::tz::TimeZone::get("Asia/Seoul").expect("known"),
            clock: Arc::new(SystemClock),
            random: Arc::new(stub::Counting::default()),
        };
        let pages = router(stub::router(&memory), options);
        Self { pages, memory, cookies: Vec::new(), language }
    }

    /// Someone who is logged in.
    async fn logged_in(language: &'static str, email: &str) -> Self {
        let mut browser = Self::new(language);
        let got = browser.submit("/login", "/login", &[("email", email), ("password", "good enough")]).await;
        assert_eq!(got.status, StatusCode::SEE_OTHER);
        browser
    }

    fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    fn set_cookie(&mut self, name: &str, value: &str) {
        self.cookies.retain(|(own, _)| own != name);
        if !value.is_empty() {
            self.cookies.push((name.to_owned(), value.to_owned()));
        }
    }

    fn request(&self, method: Method, path: &str, body: String, headers: &[(&str, &str)]) -> Request<Body> {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut builder = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "shop.example")
            .header(header::ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8")
            .header(header::ACCEPT_LANGUAGE, self.language)
            .header(header::COOKIE, cookies.join("; "))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(Body::from(body)).expect("a request")
    }

    async fn send(&mut self, request: Request<Body>) -> Got {
        let response = self.pages.clone().oneshot(request).await.expect("infallible");
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("whole").to_bytes();
        let got = Got {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(bytes.to_vec()).expect("text"),
        };
        for line in got.cookie_lines() {
            let (name, value) = line.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
            self.set_cookie(name, value);
        }
        got
    }

    async fn get(&mut self, path: &str) -> Got {
        self.send(self.request(Method::GET, path, String::new(), &[])).await
    }

    async fn post(&mut self, path: &str, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Got {
        let pairs: Vec<_> =
            fields.iter().map(|(name, value)| format!("{name}={}", crate::http::escape(value))).collect();
        self.send(self.request(Method::POST, path, pairs.join("&"), headers)).await
    }

    /// Opens a page, fills in its form and sends it, as a browser does: with the form's own hidden fields.
    async fn submit(&mut self, page: &str, action: &str, fields: &[(&str, &str)]) -> Got {
        let form = self.get(page).await;
        let csrf = hidden(&form.body, "csrf");
        let key = hidden(&form.body, "key");
        let mut all = vec![("csrf", csrf.as_str()), ("key", key.as_str())];
        all.extend_from_slice(fields);
        self.post(action, &all, &[]).await
    }
}

/// The value of a hidden field; empty when there is none.
fn hidden(html: &str, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    let found = html.split(&start).nth(1).and_then(|rest| rest.split('"').next());
    found.unwrap_or_default().to_owned()
}
