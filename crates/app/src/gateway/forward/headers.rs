//! Which headers go on to a role, and which come back.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::gateway::API;
use crate::http::{CALLER, DEADLINE, DRAINING};

/// Of one connection only (RFC 9110, section 7.6.1), or told anew for the next.
const OF_THE_CONNECTION: [HeaderName; 8] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

/// What a role must not see: whatever a client says of who it is, and the secrets that the gateway has read already.
pub(super) fn for_role(path: &str, sent: &HeaderMap) -> HeaderMap {
    let mut headers = sent.clone();
    strip(&mut headers);
    for name in [CALLER, DEADLINE, header::HOST, header::CONTENT_LENGTH, header::EXPECT] {
        headers.remove(name);
    }
    headers.remove("x-forwarded-for");
    if headers.get(header::AUTHORIZATION).is_some_and(is_bearer) {
        headers.remove(header::AUTHORIZATION);
    }
    if path.starts_with(API) {
        headers.remove(header::COOKIE);
    }
    headers
}

/// What a client gets to see of a role's answer.
pub(super) fn for_client(headers: &mut HeaderMap) {
    strip(headers);
    headers.remove(DRAINING);
}

fn strip(headers: &mut HeaderMap) {
    // A connection can name more headers that are only for it.
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.into_iter().chain(OF_THE_CONNECTION) {
        headers.remove(name);
    }
}

fn is_bearer(value: &HeaderValue) -> bool {
    value.as_bytes().get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_sees_no_secrets_and_no_claims() {
        let mut sent = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer a.b.c"),
            ("cookie", "fc_access=a.b.c"),
            ("x-firstcome-caller", "me"),
            ("x-forwarded-for", "203.0.113.9"),
            ("connection", "close, X-Mine"),
            ("x-mine", "1"),
            ("idempotency-key", "k"),
        ] {
            sent.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let seen = for_role("/api/v1/orders", &sent);
        assert_eq!(seen.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["idempotency-key"]);
        sent.insert(header::AUTHORIZATION, HeaderValue::from_static("Basic a"));
        let seen = for_role("/sandbox/toss/v1/payments/1", &sent);
        assert!(seen.contains_key(header::AUTHORIZATION) && seen.contains_key(header::COOKIE));
    }
}
