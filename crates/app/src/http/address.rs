//! What stands in the address of a request: the parameters of its path and its query. As axum's own, with problem
//! documents for what cannot be read.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Path as AxumPath, Query as AxumQuery};
use axum::http::request::Parts;
use firstcome_core::codes::ErrorCode;
use serde::de::DeserializeOwned;

use super::{Outcome, Problem};

/// The parameters of the path.
#[derive(Debug, Clone)]
pub struct Path<T>(pub T);

/// The parameters behind the question mark.
#[derive(Debug, Clone)]
pub struct QueryString<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = AxumPath::from_request_parts(parts, state).await;
        read.map(|AxumPath(value)| Self(value)).map_err(|rejection| malformed(rejection.body_text()))
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for QueryString<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        if !is_text(parts.uri.query().unwrap_or_default()) {
            return Err(malformed("The query is not text in UTF-8".to_owned()));
        }
        let read = AxumQuery::try_from_uri(&parts.uri);
        read.map(|AxumQuery(value)| Self(value)).map_err(|rejection| malformed(rejection.body_text()))
    }
}

/// What a parameter behind the question mark names, if it is there.
pub fn named<T: FromStr>(name: &str, text: Option<&str>) -> Outcome<Option<T>> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| malformed(format!("{name} is not one that exists")))
}

/// `text` for use in a query of a URL.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => escaped.push(char::from(byte)),
            _ => {
                use std::fmt::Write as _;
                // Writing to a string cannot fail.
                let _ = write!(escaped, "%{byte:02X}");
            }
        }
    }
    escaped
}

/// Whether what a query's escapes stand for is text. The parser would put signs for "unknown" in the place of what is not.
fn is_text(query: &str) -> bool {
    let mut bytes = Vec::with_capacity(query.len());
    let mut rest = query.as_bytes();
    while let Some((byte, more)) = rest.split_first() {
        let digits = more.get(..2).filter(|digits| *byte == b'%' && digits.iter().all(u8::is_ascii_hexdigit));
        let escaped = digits.and_then(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(escaped.unwrap_or(*byte));
        rest = if escaped.is_some() { &more[2..] } else { more };
    }
    str::from_utf8(&bytes).is_ok()
}

fn malformed(detail: String) -> Problem {
    Problem::new(ErrorCode::MalformedRequest).detail(detail)
}

#[cfg(test)]
mod tests {
    use super::is_text;

    #[test]
    fn tells_text_from_bytes() {
        for text in ["", "q=a+b&kind=x", "q=%ED%95%9C", "q=한", "q=%", "q=%f", "q=%+f", "q=100%25", "q=%zz"] {
            assert!(is_text(text), "{text}");
        }
        for bytes in ["q=%ff", "q=%ED%95", "%C0%80=1", "a=1&b=%80"] {
            assert!(!is_text(bytes), "{bytes}");
        }
    }
}
