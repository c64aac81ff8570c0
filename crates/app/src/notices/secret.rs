//! The secrets that notices are signed with, after the Standard Webhooks specification: HMAC-SHA-256 over
//! `id.timestamp.body`, as `v1,` and base64. While a secret is being replaced there are two signatures, and a receiver
//! accepts either.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use firstcome_core::ids::{NoticeId, WebhookId};
use firstcome_core::ports::{Random, random_bytes};
use firstcome_core::time::Time;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::Ports;
use super::rows::Webhook;
use crate::role::Worker;
use crate::secrets::{KeyCheck, Sealed, Sealer, Unreadable, reseal, resealer};

/// What a secret begins with, as the specification has it.
const PREFIX: &str = "whsec_";
/// Bytes of a secret; the specification wants 24 to 64.
const BYTES: usize = 32;

/// A new secret, as its receiver is told it.
pub(super) fn new(random: &dyn Random) -> SecretString {
    format!("{PREFIX}{}", STANDARD.encode(random_bytes::<BYTES>(random))).into()
}

/// The secrets of one webhook. Sealed as JSON.
#[derive(Serialize, Deserialize)]
pub(super) struct Secrets {
    current: String,
    previous: Option<String>,
}

impl Secrets {
    /// A first secret.
    pub(super) fn of(current: &SecretString) -> Self {
        Self { current: current.expose_secret().to_owned(), previous: None }
    }

    /// Another secret in the place of the current one.
    pub(super) fn replaced(self, current: &SecretString) -> Self {
        Self { previous: Some(self.current), ..Self::of(current) }
    }

    /// Opens those of a webhook.
    pub(super) fn open(webhook: &Webhook, sealer: &Sealer) -> Result<Self, Unreadable> {
        let text = sealer.open(webhook.sealed_with, &place(&webhook.id), &webhook.secrets)?;
        serde_json::from_str(&text).map_err(|_| Unreadable)
    }

    /// Seals them into a webhook.
    pub(super) fn seal(&self, webhook: &mut Webhook, sealer: &Sealer) {
        let text = serde_json::to_string(self).expect("texts can be written");
        webhook.secrets = sealer.seal(&place(&webhook.id), &text);
        webhook.sealed_with = sealer.key();
    }

    /// None at all, for a webhook that is gone.
    pub(super) fn none() -> Self {
        Self { current: String::new(), previous: None }
    }

    /// The header `webhook-signature`.
    pub(super) fn sign(&self, with_previous: bool, notice: NoticeId, at: Time, body: &str) -> String {
        let previous = self.previous.as_deref().filter(|_| with_previous);
        let signatures = [Some(self.current.as_str()), previous].into_iter().flatten();
        let signed = format!("{notice}.{}.{body}", at.as_secs());
        signatures.map(|secret| signature(secret, &signed)).collect::<Vec<_>>().join(" ")
    }
}

fn signature(secret: &str, signed: &str) -> String {
    let key = STANDARD.decode(secret.strip_prefix(PREFIX).unwrap_or(secret)).unwrap_or_default();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), signed.as_bytes());
    format!("v1,{}", STANDARD.encode(tag.as_ref()))
}

fn place(id: &WebhookId) -> [&[u8]; 2] {
    [b"webhooks.secrets", &id.0]
}

impl Sealed for Webhook {
    const KEY: &'static str = "sealed_with";

    fn reseal(&mut self, sealer: &Sealer) -> Result<(), Unreadable> {
        let secrets = Secrets::open(self, sealer)?;
        secrets.seal(self, sealer);
        Ok(())
    }
}

/// Seals secrets anew when there is a new key.
pub(super) fn worker(ports: &Ports) -> Worker {
    let (records, keys) = (ports.records.clone(), ports.keys.clone());
    resealer("notices-keys", move || {
        let (records, keys) = (records.clone(), keys.clone());
        async move {
            Ok(reseal::<Webhook>(records.as_ref(), &keys).await? + reseal::<KeyCheck>(records.as_ref(), &keys).await?)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::SystemRandom;

    #[test]
    fn signs_as_the_specification_does() {
        // The example that the specification's own libraries are tested with.
        let signed = r#"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}"#;
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", signed), expected);
    }

    #[test]
    fn a_secret_has_the_form_that_libraries_expect() {
        let (one, two) = (new(&SystemRandom), new(&SystemRandom));
        let bytes = |secret: &SecretString| STANDARD.decode(secret.expose_secret().strip_prefix(PREFIX).unwrap());
        assert_eq!(bytes(&one).unwrap().len(), BYTES);
        assert_ne!(bytes(&one), bytes(&two));
    }

    #[test]
    fn two_signatures_while_a_secret_is_replaced() {
        let (old, new) = (new(&SystemRandom), new(&SystemRandom));
        let (notice, at) = (NoticeId([7; 16]), Time(0));
        let before = Secrets::of(&old).sign(true, notice, at, "{}");
        let secrets = Secrets::of(&old).replaced(&new);
        let after = Secrets::of(&new).sign(true, notice, at, "{}");
        assert_eq!(secrets.sign(true, notice, at, "{}"), format!("{after} {before}"));
        assert_eq!(secrets.sign(false, notice, at, "{}"), after);
    }
}
