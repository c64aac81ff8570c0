//! Tokens that were verified, by their hash.

use axum::http::{HeaderMap, HeaderValue, header};
use firstcome_core::time::Time;
use quick_cache::sync::Cache;
use sha2::{Digest as _, Sha256};

use super::ACCESS_COOKIE;
use crate::http::Verified;

/// The first 128 bits of a token's SHA-256: nobody finds a second token with the same ones.
pub(super) type TokenHash = [u8; 16];

/// A bounded memory of verified tokens.
pub(super) struct Callers(Cache<TokenHash, Verified>);

impl Callers {
    pub(super) fn new(capacity: usize) -> Self {
        Self(Cache::new(capacity))
    }

    /// Who calls with this token, if it was verified before and still holds.
    pub(super) fn find(&self, hash: &TokenHash, now: Time) -> Option<Verified> {
        self.0.get(hash).filter(|verified| verified.expires_at > now)
    }

    pub(super) fn remember(&self, hash: TokenHash, verified: Verified) {
        self.0.insert(hash, verified);
    }
}

pub(super) fn hash(token: &[u8]) -> TokenHash {
    let digest = Sha256::digest(token);
    let mut hash = TokenHash::default();
    hash.copy_from_slice(&digest[..16]);
    hash
}

/// The token of an `Authorization: Bearer`. Of two headers neither counts: what stands in front of us may have read the other.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    let value = sent.next().filter(|_| sent.next().is_none())?.as_bytes();
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

/// The token of the page's cookie.
pub(super) fn cookie(headers: &HeaderMap) -> Option<&[u8]> {
    let name = ACCESS_COOKIE.as_bytes();
    let pairs =
        headers.get_all(header::COOKIE).iter().flat_map(|value: &HeaderValue| value.as_bytes().split(|b| *b == b';'));
    pairs.filter_map(|pair| pair.trim_ascii().strip_prefix(name)?.strip_prefix(b"=")).find(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_tokens_from_headers() {
        let mut headers = HeaderMap::new();
        assert_eq!((bearer(&headers), cookie(&headers)), (None, None));
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("bearer  abc "));
        headers.insert(header::COOKIE, HeaderValue::from_static("a=b; fc_access=xyz; c=d"));
        assert_eq!((bearer(&headers), cookie(&headers)), (Some(&b"abc"[..]), Some(&b"xyz"[..])));
        headers.append(header::AUTHORIZATION, HeaderValue::from_static("Bearer abc"));
        assert_eq!(bearer(&headers), None);
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Basic abc"));
        headers.insert(header::COOKIE, HeaderValue::from_static("fc_access=; xfc_access=1"));
        assert_eq!((bearer(&headers), cookie(&headers)), (None, None));
    }
}
