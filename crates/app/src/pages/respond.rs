//! Answers: HTML, redirects, and the headers that protect them.

use askama::Template;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;

use super::problem::Problem;
use super::visitor::{Csrf, Visitor};

/// What a page may load: only what we serve ourselves, no inline script or style. Pictures of products may be elsewhere.
const POLICY: &str = "default-src 'self'; img-src 'self' data: https:; object-src 'none'; base-uri 'none'; \
                      form-action 'self'; frame-ancestors 'none'";

/// Headers on everything that the pages send.
const PROTECTION: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
];

/// Adds the protecting headers.
pub(super) async fn protect(mut response: Response) -> Response {
    for (name, value) in PROTECTION {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A page, never cached: it shows a moment of a sale and belongs to one visitor; and going back to a form gives a new one.
pub(super) fn html(visitor: &Visitor, status: StatusCode, page: &impl Template) -> Response {
    let text = page.render().unwrap_or_else(|error| {
        tracing::error!(%error, "a page cannot be rendered");
        Problem::internal().message(visitor)
    });
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(visitor.language.tag()));
    response.extensions_mut().insert(Csrf(visitor.csrf.clone()));
    response
}

/// To another page, by GET.
pub(super) fn redirect(to: &str) -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::SEE_OTHER;
    let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
    response.headers_mut().insert(header::LOCATION, to);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A path of our own to come back to; anything that could lead elsewhere is none.
pub(super) fn local_path(path: Option<&str>) -> Option<&str> {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
    path.filter(|path| path.starts_with('/') && !path.starts_with("//") && path.bytes().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_local_paths_are_followed() {
        assert_eq!(local_path(Some("/offers/ofr_1?a=b")), Some("/offers/ofr_1?a=b"));
        for bad in ["//evil.example", "https://evil.example", "/\\evil.example", "", "/a\nb", "offers"] {
            assert_eq!(local_path(Some(bad)), None, "{bad}");
        }
    }
}
