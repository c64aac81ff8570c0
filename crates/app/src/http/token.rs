//! Access tokens: who calls, signed. JSON Web Tokens (RFC 7519) under Ed25519, valid for minutes.

use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use firstcome_core::ids::{SessionId, UserId};
use firstcome_core::time::Time;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::{Deserialize, Serialize};

use super::{Identity, Roles};

/// Bytes that a token may have; ours have about 300.
const MAX_TOKEN_BYTES: usize = 2_048;

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: UserId,
    sid: SessionId,
    roles: Roles,
    iat: i64,
    exp: i64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unlimited: bool,
}

/// A token that held when it was checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verified {
    /// Who calls.
    pub identity: Identity,
    /// The first moment at which the token no longer holds.
    pub expires_at: Time,
}

/// The token is not ours, was altered, or has expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the access token does not hold")]
pub struct InvalidToken;

/// Bytes that are not an Ed25519 key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 key in PKCS#8")]
pub struct InvalidKey;

/// Signs and checks access tokens.
pub struct AccessTokens {
    pair: Ed25519KeyPair,
    public: DecodingKey,
    validation: Validation,
    /// The first part of every token and its dot.
    header: String,
}

impl AccessTokens {
    /// Signs with this key: PKCS#8, as [`Self::generate_key`] makes it.
    pub fn new(pkcs8: &[u8]) -> Result<Self, InvalidKey> {
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| InvalidKey)?;
        let public = DecodingKey::from_ed_der(pair.public_key().as_ref());
        let mut validation = Validation::new(Algorithm::EdDSA);
        // The library would ask the machine's clock, with a minute of leeway; `verify` asks ours, with none.
        validation.validate_exp = false;
        let header = URL_SAFE_NO_PAD.encode(r#"{"typ":"JWT","alg":"EdDSA"}"#) + ".";
        Ok(Self { pair, public, validation, header })
    }

    /// A new key.
    pub fn generate_key() -> Result<Vec<u8>, InvalidKey> {
        let pair = Ed25519KeyPair::generate().map_err(|_| InvalidKey)?;
        Ok(pair.to_pkcs8().map_err(|_| InvalidKey)?.as_ref().to_vec())
    }

    /// A token that says for this long, in whole seconds, who calls.
    ///
    /// Signed here and not by the library, which would parse the key again for every token.
    pub fn sign(&self, identity: &Identity, now: Time, lifetime: Duration) -> String {
        let claims = Claims {
            sub: identity.user,
            sid: identity.session,
            roles: identity.roles,
            iat: now.as_secs(),
            exp: expiry(now, lifetime).as_secs(),
            unlimited: identity.unlimited,
        };
        let claims = serde_json::to_vec(&claims).expect("claims have no maps with keys that are not text");
        let mut token = self.header.clone();
        URL_SAFE_NO_PAD.encode_string(&claims, &mut token);
        let signature = self.pair.sign(token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature.as_ref(), &mut token);
        token
    }

    /// Who calls with this token at `now`. Costs tens of microseconds: the gateway remembers the answer.
    pub fn verify(&self, token: &[u8], now: Time) -> Result<Verified, InvalidToken> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(InvalidToken);
        }
        let decoded = jsonwebtoken::decode::<Claims>(token, &self.public, &self.validation);
        let claims = decoded.map_err(|_| InvalidToken)?.claims;
        let expires_at = Time::from_millis(claims.exp.saturating_mul(1_000));
        if expires_at <= now {
            return Err(InvalidToken);
        }
        let Claims { sub: user, sid: session, roles, unlimited, .. } = claims;
        Ok(Verified { identity: Identity { user, session, roles, unlimited }, expires_at })
    }
}

/// When a token that is signed now ends: tokens know only whole seconds.
pub fn expiry(now: Time, lifetime: Duration) -> Time {
    Time::from_millis((now + lifetime).as_secs().saturating_mul(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::AccountRole;

    const NOW: Time = Time::from_millis(1_763_703_200_000);
    const QUARTER: Duration = Duration::from_mins(15);

    fn tokens() -> AccessTokens {
        AccessTokens::new(&AccessTokens::generate_key().unwrap()).unwrap()
    }

    fn identity() -> Identity {
        let roles = [AccountRole::Buyer, AccountRole::Seller].into_iter().collect();
        Identity { user: UserId([1; 16]), session: SessionId([2; 16]), roles, unlimited: false }
    }

    #[test]
    fn says_who_calls_until_it_expires() {
        let tokens = tokens();
        let token = tokens.sign(&identity(), NOW, QUARTER);
        let verified = tokens.verify(token.as_bytes(), NOW).unwrap();
        assert_eq!(verified, Verified { identity: identity(), expires_at: NOW + QUARTER });
        assert!(tokens.verify(token.as_bytes(), NOW + QUARTER - Duration::from_micros(1)).is_ok());
        assert_eq!(tokens.verify(token.as_bytes(), NOW + QUARTER), Err(InvalidToken));
    }

    #[test]
    fn of_another_shop() {
        let token = tokens().sign(&identity(), NOW, QUARTER);
        assert_eq!(tokens().verify(token.as_bytes(), NOW), Err(InvalidToken));
    }

    #[test]
    fn altered_anywhere() {
        let tokens = tokens();
        let token = tokens.sign(&identity(), NOW, QUARTER);
        for place in 0..token.len() {
            let mut altered = token.clone().into_bytes();
            altered[place] = if altered[place] == b'A' { b'B' } else { b'A' };
            assert_eq!(tokens.verify(&altered, NOW), Err(InvalidToken), "at {place}");
        }
    }

    #[test]
    fn unsigned_or_under_another_algorithm() {
        let tokens = tokens();
        let token = tokens.sign(&identity(), NOW, QUARTER);
        let claims = token.split('.').nth(1).unwrap();
        for header in [r#"{"typ":"JWT","alg":"none"}"#, r#"{"typ":"JWT","alg":"HS256"}"#] {
            let header = URL_SAFE_NO_PAD.encode(header);
            assert!(tokens.verify(format!("{header}.{claims}.").as_bytes(), NOW).is_err());
            let mac_key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, tokens.pair.public_key().as_ref());
            let mac = aws_lc_rs::hmac::sign(&mac_key, format!("{header}.{claims}").as_bytes());
            let mac = URL_SAFE_NO_PAD.encode(mac.as_ref());
            assert!(tokens.verify(format!("{header}.{claims}.{mac}").as_bytes(), NOW).is_err());
        }
        for text in ["", ".", "..", "a.b.c", "a.b.c.d", &"x".repeat(100_000)] {
            assert!(tokens.verify(text.as_bytes(), NOW).is_err());
        }
    }
}
