//! Where the buyer goes after the checkout: only back to the site that the checkout was opened on.

use axum::http::{HeaderMap, Uri, header};

use crate::http::escape;

/// The address, if the checkout may send a buyer there: a path of this site, or the same site with its name.
pub(in crate::sandbox) fn checked<'a>(address: &'a str, headers: &HeaderMap) -> Option<&'a str> {
    let is_text = address.len() <= 1000 && !address.chars().any(|letter| letter.is_control() || letter == '\\');
    if !is_text {
        return None;
    }
    if address.starts_with('/') {
        return (!address.starts_with("//")).then_some(address);
    }
    let uri: Uri = address.parse().ok()?;
    let host = headers.get(header::HOST)?.to_str().ok()?;
    let same_site = matches!(uri.scheme_str(), Some("http" | "https"))
        && uri.authority().is_some_and(|authority| authority.as_str().eq_ignore_ascii_case(host));
    same_site.then_some(address)
}

/// The address with more parameters in its query, before its fragment.
pub(in crate::sandbox) fn with_parameters(address: &str, parameters: &[(&str, &str)]) -> String {
    let (front, fragment) = address.split_once('#').map_or((address, None), |(front, rest)| (front, Some(rest)));
    let mut text = front.to_owned();
    for (name, value) in parameters {
        text.push(if text.contains('?') { '&' } else { '?' });
        text.push_str(name);
        text.push('=');
        text.push_str(&escape(value));
    }
    if let Some(fragment) = fragment {
        text.push('#');
        text.push_str(fragment);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_back_to_this_site() {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "127.0.0.1:8080".parse().expect("valid"));
        for good in ["/orders/1/paid", "/x?a=b#c", "http://127.0.0.1:8080/x", "https://127.0.0.1:8080/x"] {
            assert_eq!(checked(good, &headers), Some(good));
        }
        for bad in [
            "",
            "//evil.example/x",
            "/\\evil.example",
            "http://evil.example/x",
            "http://127.0.0.1:8080@evil.example/",
            "javascript:alert(1)",
            "orders/1",
            "/x\r\nSet-Cookie: a=b",
        ] {
            assert_eq!(checked(bad, &headers), None, "{bad}");
        }
    }

    #[test]
    fn parameters_are_added() {
        assert_eq!(with_parameters("/a", &[("x", "1 &"), ("y", "한")]), "/a?x=1%20%26&y=%ED%95%9C");
        assert_eq!(with_parameters("/a?b=c#d", &[("x", "1")]), "/a?b=c&x=1#d");
    }
}
