//! Style, scripts and pictures of the pages, built into the program.
//!
//! All of them share one version, the hash of their contents, in their path: scripts import each other by relative
//! paths, and a browser may keep whatever it got for ever.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use rust_embed::RustEmbed;
use sha2::{Digest as _, Sha256};

#[derive(RustEmbed)]
#[folder = "assets/"]
struct Files;

/// The version of the assets in this program.
pub(super) static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut names: Vec<_> = Files::iter().collect();
    names.sort();
    let mut hash = Sha256::new();
    for name in names {
        hash.update(name.as_bytes());
        hash.update(Files::get(&name).map(|file| file.metadata.sha256_hash()).unwrap_or_default());
    }
    hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
});

/// `/assets/{version}/{file}`: for ever under its own version. Under another (a page from before an update) the file of
/// now, not kept.
pub(super) async fn serve(Path((version, name)): Path<(String, String)>) -> Response {
    let lasting = if version == *VERSION { "public, max-age=31536000, immutable" } else { "no-cache" };
    file(&name, lasting)
}

/// `/favicon.ico`, for those who ask without looking at the page.
pub(super) async fn icon() -> Response {
    file("icon.svg", "public, max-age=86400")
}

fn file(name: &str, lasting: &'static str) -> Response {
    let Some(file) = Files::get(name) else { return StatusCode::NOT_FOUND.into_response() };
    let kind = match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    };
    let mut response = Response::new(file.data.into_owned().into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(lasting));
    response
}
