//! What a device gets when it logs in: a short-lived access token and a refresh token that works once.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use firstcome_core::ids::{SessionId, digest_parts};
use firstcome_core::ports::{Random, random_bytes};
use serde::Serialize;
use subtle::ConstantTimeEq as _;

/// What every refresh token starts with, so that a leaked one is recognised.
const PREFIX: &str = "rft_";
/// Session, family and secret.
const BYTES: usize = 16 + 16 + 32;

/// The tokens of a device.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "access_token": "eyJ0eXAiOiJKV1QiLCJhbGciOiJFZERTQSJ9.eyJzdWIi...", "refresh_token": "rft_AYqG...",
    "token_type": "Bearer", "expires_in": 900
}))]
pub(super) struct Tokens {
    /// For `Authorization: Bearer`.
    pub(super) access_token: String,
    /// For `POST /auth/refresh`, once.
    pub(super) refresh_token: String,
    /// Always `Bearer`.
    pub(super) token_type: &'static str,
    /// Seconds for which the access token holds.
    pub(super) expires_in: u64,
}

/// A refresh token: opaque to its holder.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct RefreshToken {
    /// The session.
    pub(super) session: SessionId,
    /// Shared by all refresh tokens of the session.
    family: [u8; 16],
    /// New in every one.
    secret: [u8; 32],
}

impl RefreshToken {
    /// The first one of a session.
    pub(super) fn first(session: SessionId, random: &dyn Random) -> Self {
        Self { session, family: random_bytes(random), secret: random_bytes(random) }
    }

    /// The next one of its session.
    pub(super) fn next(&self, random: &dyn Random) -> Self {
        Self { secret: random_bytes(random), ..*self }
    }

    /// Reads a token; none when the text is not one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        let bytes: [u8; BYTES] = bytes.try_into().ok()?;
        let (session, rest) = bytes.split_first_chunk()?;
        let (family, secret) = rest.split_first_chunk()?;
        Some(Self { session: SessionId(*session), family: *family, secret: secret.try_into().ok()? })
    }

    /// The token as its holder gets it.
    pub(super) fn text(&self) -> String {
        let bytes = [&self.session.0[..], &self.family, &self.secret].concat();
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// What is stored of the family.
    pub(super) fn family_hash(&self) -> Vec<u8> {
        digest_parts("refresh-family", &[&self.session.0, &self.family]).to_vec()
    }

    /// What is stored of the secret.
    pub(super) fn hash(&self) -> Vec<u8> {
        digest_parts("refresh-token", &[&self.session.0, &self.secret]).to_vec()
    }
}

/// Compares without telling by its time where two values differ.
pub(super) fn same(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

#[cfg(test)]
mod tests {
    use firstcome_core::testkit::TestRandom;

    use super::*;

    #[test]
    fn text_round_trip() {
        let random = TestRandom::seeded(1);
        let first = RefreshToken::first(SessionId([7; 16]), &random);
        assert!(RefreshToken::parse(&first.text()) == Some(first));
        let next = first.next(&random);
        assert_eq!(next.family_hash(), first.family_hash());
        assert_ne!(next.hash(), first.hash());
        for text in ["", "rft_", "rft_AAAA", &first.text()[4..], &format!("{}A", first.text())] {
            assert!(RefreshToken::parse(text).is_none(), "{text}");
        }
    }
}
