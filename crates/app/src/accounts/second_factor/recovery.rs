//! `POST /me/second-factor/recovery-codes`: new recovery codes for those that are used or lost; and what they are.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::ids::UserId;
use firstcome_core::ports::{Random, random_bytes};
use firstcome_core::records::{Stored, Unit};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::Accounts;
use super::super::people::Password;
use super::super::tokens::same;
use super::{SecondFactor, is_off};
use crate::http::{Body, Buyer, ClientAddress, Outcome};
use crate::secrets::BlindIndex;

/// How many there are.
const CODES: usize = 10;
/// Letters and digits of one, each of five bits: nobody counts through those.
const LETTERS: usize = 10;
/// Without those that look like others.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
/// Bytes of a keyed hash.
const HASH: usize = 32;

/// Proof of who somebody is: both factors.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct BothFactors {
    /// The account's password.
    #[schema(value_type = String, format = Password, example = "correct horse battery")]
    pub(super) password: Password,
    /// Six digits of the app, or a recovery code.
    #[schema(max_length = 32, example = "287082")]
    #[garde(length(chars, max = 32))]
    pub(super) code: String,
}

/// Codes to get in with when the app is lost, each once. They are shown this once.
#[derive(Serialize, ToSchema)]
pub(super) struct RecoveryCodes {
    /// Keep them where the phone is not.
    #[schema(example = json!(["k7m2x-9qwer"]))]
    recovery_codes: Vec<String>,
}

/// Replaces the recovery codes.
#[utoipa::path(
    post, path = "/api/v1/me/second-factor/recovery-codes", tag = "accounts", security(("bearer" = [])),
    request_body = BothFactors,
    responses(
        (status = 200, description = "The new codes; those before are worth nothing", body = RecoveryCodes),
        (status = 401, description = "`unauthenticated`; `invalid_credentials`; `second_factor_wrong`"),
        (status = 409, description = "`wrong_state`: there is no second factor"),
        (status = 422, description = "`invalid_body`"),
        (status = 429, description = "`rate_limited`: too many wrong passwords or codes; `retry_after` seconds"),
        (status = 503, description = "`overloaded`: too many log-ins at the moment"),
    )
)]
pub(super) async fn post(
    State(accounts): State<Arc<Accounts>>,
    Buyer(caller): Buyer,
    address: ClientAddress,
    Body { value, .. }: Body<BothFactors>,
) -> Outcome<Json<RecoveryCodes>> {
    let user = accounts.user(caller.user).await?.record;
    accounts.second_factor(user.id).await?.ok_or_else(is_off)?;
    accounts.require_password(&user, value.password, address).await?;
    let (codes, recovery) = RecoveryCodes::new(user.id, &accounts.ports.keys.index, accounts.ports.random.as_ref());
    let replaced = |used: &Stored<SecondFactor>| {
        let record = SecondFactor { recovery: recovery.clone(), ..used.record.clone() };
        Unit::new().update(&Stored { record, version: used.version })
    };
    accounts.prove(&user, &value.code, address, replaced).await?;
    Ok(Json(codes))
}

impl RecoveryCodes {
    /// New ones, and what is stored of them.
    pub(super) fn new(owner: UserId, index: &BlindIndex, random: &dyn Random) -> (Self, Vec<u8>) {
        let recovery_codes: Vec<String> = (0..CODES).map(|_| new_code(random)).collect();
        let hashes = recovery_codes.iter().flat_map(|code| hash(owner, code, index)).collect();
        (Self { recovery_codes }, hashes)
    }
}

fn new_code(random: &dyn Random) -> String {
    let letters = random_bytes::<LETTERS>(random).map(|byte| char::from(ALPHABET[usize::from(byte & 31)]));
    let (left, right) = letters.split_at(LETTERS / 2);
    format!("{}-{}", String::from_iter(left), String::from_iter(right))
}

/// What is stored of a code, however it is spelt: keyed.
pub(super) fn hash(owner: UserId, code: &str, index: &BlindIndex) -> Vec<u8> {
    let plain: String = code.chars().filter(|letter| *letter != '-').collect();
    index.of(&[b"recovery code", &owner.0, plain.to_ascii_lowercase().as_bytes()])
}

/// The stored codes without one; none when it is not among them.
pub(super) fn without(stored: &[u8], hash: &[u8]) -> Option<Vec<u8>> {
    let left: Vec<u8> = stored.chunks_exact(HASH).filter(|known| !same(known, hash)).flatten().copied().collect();
    (left.len() < stored.len()).then_some(left)
}

impl SecondFactor {
    /// How many recovery codes are left.
    pub(super) fn recovery_codes_left(&self) -> usize {
        self.recovery.len() / HASH
    }
}
