//! The address by which somebody takes their consent to advertising back without logging in: it names them by id and carries a
//! keyed hash, so that nobody makes one for others. It holds for ever.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use firstcome_core::ids::UserId;

use super::super::tokens::same;
use crate::secrets::BlindIndex;

/// Where it leads, in the shop.
const PATH: &str = "/api/v1/unsubscribe/";

/// The address in a shop under `base`.
pub(in crate::accounts) fn address_to_unsubscribe(base: &str, owner: UserId, index: &BlindIndex) -> String {
    let token = URL_SAFE_NO_PAD.encode([owner.0.as_slice(), &proof(owner, index)].concat());
    format!("{}{PATH}{token}", base.trim_end_matches('/'))
}

/// Who it names; none when it is not ours.
pub(super) fn owner_of(token: &str, index: &BlindIndex) -> Option<UserId> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (owner, sent) = bytes.split_first_chunk()?;
    let owner = UserId(*owner);
    same(sent, &proof(owner, index)).then_some(owner)
}

fn proof(owner: UserId, index: &BlindIndex) -> Vec<u8> {
    index.of(&[b"unsubscribe", &owner.0])
}
