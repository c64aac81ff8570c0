//! A browser under remote control.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::json;
use thirtyfour::ChromeCapabilities;
use thirtyfour::error::{WebDriverErrorInner, WebDriverResult};
use thirtyfour::prelude::*;
use thirtyfour::session::http::{Body, HttpClient};

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
pub(super) struct Driver {
    child: Child,
    address: String,
}

impl Driver {
    pub(super) fn start() -> Self {
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

    /// A browser as small as a phone, or as large as a desk.
    pub(super) async fn open(&self, profile: &Path, screen: Screen) -> WebDriver {
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
            "--hide-scrollbars",
            "--lang=en-US",
            "--accept-lang=en-US",
            &profile,
        ];
        for flag in flags {
            capabilities.add_arg(flag).expect("a flag");
        }
        let (width, height) = screen.size();
        let metrics =
            json!({ "deviceMetrics": { "width": width, "height": height, "pixelRatio": 1.0, "touch": false } });
        capabilities.add_experimental_option("mobileEmulation", metrics).expect("an option");
        WebDriver::builder(&self.address, capabilities).client(Wire::make()).await.expect("a browser")
    }
}

/// What the visitor looks at.
#[derive(Clone, Copy)]
pub(super) enum Screen {
    /// A phone.
    Phone,
    /// A desk.
    Desk,
}

impl Screen {
    fn size(self) -> (u32, u32) {
        match self {
            Self::Phone => (390, 844),
            Self::Desk => (1200, 860),
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone after the wait.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
