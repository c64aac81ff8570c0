//! What to call a device that was not given a name: its browser and its system, as far as its `User-Agent` tells.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

/// Signs of browsers. Those that others imitate stand below those.
const BROWSERS: [(&str, &str); 11] = [
    ("KAKAOTALK", "KakaoTalk"),
    ("NAVER(", "Naver"),
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Whale", "Whale"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
];
/// Signs of systems, in the same order.
const SYSTEMS: [(&str, &str); 7] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
];

/// A device that calls: a name such as `Chrome on Windows`, of words of ours only. Empty when nothing is known.
pub(super) struct Agent(pub(super) String);

impl Agent {
    fn of(headers: &HeaderMap) -> Self {
        let said = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let browser = find(&BROWSERS, said);
        let system = find(&SYSTEMS, said);
        Self([browser, system].into_iter().flatten().collect::<Vec<_>>().join(" on "))
    }
}

fn find(signs: &[(&str, &'static str)], said: &str) -> Option<&'static str> {
    signs.iter().find(|(sign, _)| said.contains(sign)).map(|(_, name)| *name)
}

impl<S: Send + Sync> FromRequestParts<S> for Agent {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn name(said: &[u8]) -> String {
        let said = HeaderValue::from_bytes(said).expect("a header");
        Agent::of(&HeaderMap::from_iter([(header::USER_AGENT, said)])).0
    }

    #[test]
    fn browsers_and_systems() {
        let webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
        let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 26_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)";
        let windows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)";
        let galaxy = "Mozilla/5.0 (Linux; Android 16; SM-S931N)";
        for (said, called) in [
            (format!("{windows} {webkit} Chrome/142.0.0.0 Safari/537.36"), "Chrome on Windows"),
            (format!("{windows} {webkit} Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0"), "Edge on Windows"),
            (format!("{windows} {webkit} Chrome/142.0.0.0 Whale/4.34.340.19 Safari/537.36"), "Whale on Windows"),
            (format!("{windows} {webkit} Chrome/142.0.0.0 Safari/537.36 OPR/124.0.0.0"), "Opera on Windows"),
            (format!("{phone} Version/26.1 Mobile/15E148 Safari/604.1"), "Safari on iPhone"),
            (format!("{phone} CriOS/142.0.7444.77 Mobile/15E148 Safari/604.1"), "Chrome on iPhone"),
            (format!("{phone} FxiOS/145.0 Mobile/15E148 Safari/604.1"), "Firefox on iPhone"),
            (format!("{phone} Mobile/15E148 KAKAOTALK/25.9.2 (INAPP)"), "KakaoTalk on iPhone"),
            (
                format!("{galaxy} {webkit} SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36"),
                "Samsung Internet on Android",
            ),
            (format!("{galaxy} {webkit} Chrome/142.0.0.0 Mobile Safari/537.36"), "Chrome on Android"),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:145.0) Gecko/20100101 Firefox/145.0".to_owned(),
                "Firefox on macOS",
            ),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0".to_owned(), "Firefox on Linux"),
        ] {
            assert_eq!(name(said.as_bytes()), called, "{said}");
        }
    }

    #[test]
    fn of_what_is_unknown_nothing_is_told() {
        for said in ["", "curl/8.17.0", "kim@example.com", "\u{ff}\u{fe}"] {
            assert_eq!(name(said.as_bytes()), "", "{said}");
        }
        assert_eq!(Agent::of(&HeaderMap::new()).0, "");
        assert_eq!(name(b"TheShop/3.1 (iPhone; iOS 26.1; Kim's phone)"), "iPhone", "no words but ours");
        let longest = format!("{}Chrome Windows", "x".repeat(8_000));
        assert_eq!(name(longest.as_bytes()), "Chrome on Windows");
    }
}
