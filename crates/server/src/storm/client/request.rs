//! Requests as bytes: whole ones, and prepared ones of which only the idempotency key changes.

use std::io::Write as _;
use std::net::SocketAddr;

/// Digits of an idempotency key.
const KEY: usize = 24;

/// Writes a request without a body.
pub(crate) fn get(into: &mut Vec<u8>, host: SocketAddr, path: &str, token: Option<&str>) {
    head(into, "GET", host, path, token);
    into.extend_from_slice(b"\r\n");
}

/// Writes a request with a JSON body, and an idempotency key if there is one.
pub(crate) fn with_body(
    into: &mut Vec<u8>,
    (method, path): (&str, &str),
    host: SocketAddr,
    token: Option<&str>,
    key: Option<&str>,
    body: &[u8],
) {
    head(into, method, host, path, token);
    if let Some(key) = key {
        line(into, "idempotency-key", key);
    }
    line(into, "content-type", "application/json");
    // Writing to a vector cannot fail.
    let _ = write!(into, "content-length: {}\r\n\r\n", body.len());
    into.extend_from_slice(body);
}

fn head(into: &mut Vec<u8>, method: &str, host: SocketAddr, path: &str, token: Option<&str>) {
    let _ = write!(into, "{method} {path} HTTP/1.1\r\nhost: {host}\r\naccept: application/json\r\n");
    if let Some(token) = token {
        let _ = write!(into, "authorization: Bearer {token}\r\n");
    }
}

fn line(into: &mut Vec<u8>, name: &str, value: &str) {
    let _ = write!(into, "{name}: {value}\r\n");
}

/// A POST made once and sent often, each time with another idempotency key.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    bytes: Vec<u8>,
    key_at: usize,
}

impl Prepared {
    /// A POST with room for a key.
    pub(crate) fn post(host: SocketAddr, path: &str, token: Option<&str>, body: &[u8]) -> Self {
        let key = "0".repeat(KEY);
        let mut bytes = Vec::new();
        with_body(&mut bytes, ("POST", path), host, token, Some(&key), body);
        let key_at = memchr::memmem::find(&bytes, key.as_bytes()).unwrap_or_default();
        Self { bytes, key_at }
    }

    /// Writes it with this key.
    pub(crate) fn write(&self, into: &mut Vec<u8>, key: u128) {
        let start = into.len() + self.key_at;
        into.extend_from_slice(&self.bytes);
        let mut rest = key;
        for digit in into[start..start + KEY].iter_mut().rev() {
            *digit = b"0123456789abcdef"[(rest & 15) as usize];
            rest >>= 4;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prepared_request_carries_its_key() {
        let host = SocketAddr::from(([127, 0, 0, 1], 8080));
        let prepared = Prepared::post(host, "/api/v1/orders", Some("token"), b"{}");
        let mut bytes = Vec::new();
        prepared.write(&mut bytes, 0xab_cdef);
        let text = String::from_utf8(bytes).expect("text");
        assert!(text.starts_with("POST /api/v1/orders HTTP/1.1\r\nhost: 127.0.0.1:8080\r\n"), "{text}");
        assert!(text.contains("\r\nauthorization: Bearer token\r\n"), "{text}");
        assert!(text.contains("\r\nidempotency-key: 000000000000000000abcdef\r\n"), "{text}");
        assert!(text.ends_with("\r\ncontent-length: 2\r\n\r\n{}"), "{text}");
    }
}
