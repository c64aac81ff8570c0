//! A very light HTTP/1.1 client: requests are ready-made bytes, responses a status and a slice.
//!
//! It shares the machine with the server it measures, so it must cost as little as possible; a client that is right in all
//! cases would cost as much as the server.

mod connection;
pub(crate) mod json;
mod parse;
pub(crate) mod request;

pub(crate) use connection::{ClientError, Connection, Response};

use memchr::memmem;

/// The text of the first string field of this name, without parsing the rest; `name` comes with quotes and colon, as in `"code":"`.
pub(crate) fn text_after<'a>(body: &'a [u8], name: &str) -> Option<&'a str> {
    let start = memmem::find(body, name.as_bytes())? + name.len();
    let rest = &body[start..];
    let end = memchr::memchr(b'"', rest)?;
    std::str::from_utf8(&rest[..end]).ok()
}

/// The first number field of this name; `name` comes with quotes and colon.
pub(crate) fn number_after(body: &[u8], name: &str) -> Option<u64> {
    let start = memmem::find(body, name.as_bytes())? + name.len();
    let digits = body[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&body[start..start + digits]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_text_field() {
        let body = br#"{"title":"x","code":"sold_out","status":409}"#;
        assert_eq!(text_after(body, r#""code":""#), Some("sold_out"));
        assert_eq!(text_after(body, r#""order_id":""#), None);
    }

    #[test]
    fn finds_a_number_field() {
        let body = br#"{"quantity":1,"seq":1234}"#;
        assert_eq!(number_after(body, r#""seq":"#), Some(1234));
        assert_eq!(number_after(br#"{"seq":null}"#, r#""seq":"#), None);
        assert_eq!(number_after(body, r#""limit":"#), None);
    }
}
