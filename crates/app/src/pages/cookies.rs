//! Cookies, read and written. Values are ASCII without separators by construction: tokens, or text through
//! [`encode`].

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The cookies of a request.
pub(super) struct Cookies(Vec<(String, String)>);

impl Cookies {
    /// Reads them.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let pairs = headers
            .get_all(header::COOKIE)
            .into_iter()
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Self(pairs)
    }

    /// The value of the first cookie of this name; none when it is empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }
}

/// How long a browser keeps a cookie.
#[derive(Clone, Copy)]
pub(super) enum Lifetime {
    /// Not at all: it is removed.
    Over,
    /// Until the browser is closed.
    Browser,
    /// So many seconds.
    Seconds(u64),
    /// A year.
    Year,
}

/// A cookie to set. Never readable by scripts, never sent along by other sites' forms.
pub(super) struct Cookie {
    pub(super) name: &'static str,
    pub(super) value: String,
    pub(super) lifetime: Lifetime,
    pub(super) secure: bool,
}

impl Cookie {
    /// Adds it to the response.
    pub(super) fn set_on(&self, response: &mut Response) {
        let age = match self.lifetime {
            Lifetime::Over => "; Max-Age=0".to_owned(),
            Lifetime::Browser => String::new(),
            Lifetime::Seconds(seconds) => format!("; Max-Age={seconds}"),
            Lifetime::Year => "; Max-Age=31536000".to_owned(),
        };
        let secure = if self.secure { "; Secure" } else { "" };
        let line = format!("{}={}; Path=/; HttpOnly; SameSite=Lax{age}{secure}", self.name, self.value);
        // A value that no header can carry came from no one of us; it is not set.
        if let Ok(line) = HeaderValue::from_str(&line) {
            response.headers_mut().append(header::SET_COOKIE, line);
        }
    }
}

/// Any text as a cookie's value.
pub(super) fn encode(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// The text of a cookie's value.
pub(super) fn decode(value: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(value).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_several_lines_and_ignores_nonsense() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; b=; nonsense"));
        headers.append(header::COOKIE, HeaderValue::from_static(" c=x=y"));
        let cookies = Cookies::of(&headers);
        assert_eq!((cookies.get("a"), cookies.get("b"), cookies.get("c")), (Some("1"), None, Some("x=y")));
    }

    #[test]
    fn text_round_trip() {
        assert_eq!(decode(&encode("누구@example.kr; =")).as_deref(), Some("누구@example.kr; ="));
    }
}
