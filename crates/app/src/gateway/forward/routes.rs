//! Which role answers which path: the one list of all routes. A test of the program holds it against what the roles say.

use axum::http::Method;
use axum::http::request::Parts;
use firstcome_core::ports::RoleName;
use serde::Deserialize;

use crate::http::Identity;

/// What paths begin with. The first that fits counts. What a gateway answers by itself ([`super::Forwarder::router`]) does
/// not come here.
const ROUTES: [(&str, RoleName); 16] = [
    ("/api/v1/me/vouchers", RoleName::Vouchers),
    ("/api/v1/me/cart", RoleName::Orders),
    ("/api/v1/me/wishlist", RoleName::Catalog),
    ("/api/v1/auth", RoleName::Accounts),
    ("/api/v1/me", RoleName::Accounts),
    ("/api/v1/products", RoleName::Catalog),
    ("/api/v1/offers", RoleName::Catalog),
    ("/api/v1/time", RoleName::Catalog),
    ("/api/v1/admin/products", RoleName::Catalog),
    ("/api/v1/admin/offers", RoleName::Catalog),
    ("/api/v1/orders", RoleName::Orders),
    ("/api/v1/admin", RoleName::Orders),
    ("/api/v1/payments", RoleName::Payments),
    ("/api/v1/webhooks", RoleName::Payments),
    ("/api/v1/vouchers", RoleName::Vouchers),
    ("/sandbox", RoleName::Sandbox),
];

/// The mailbox of development is where the accounts are.
const MAILBOX: &str = "/dev/mailbox";

/// The role that answers a path.
pub fn role_of(path: &str) -> Option<RoleName> {
    let begins = |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if begins(MAILBOX) {
        return Some(RoleName::Accounts);
    }
    ROUTES.into_iter().find(|(prefix, _)| begins(prefix)).map(|(_, role)| role)
}

/// Whether a request may be sent a second time when nobody knows what came of the first: it only reads, or it carries
/// the key under which the shop does it once.
pub(super) fn is_repeatable(parts: &Parts) -> bool {
    matches!(parts.method, Method::GET | Method::HEAD) || parts.headers.contains_key("idempotency-key")
}

/// What requests belong together by, which one instance should answer as long as it is healthy: a person's idempotency
/// keys meet in one process, and see there what they did; so do the payments of an order.
pub(super) fn affinity(role: RoleName, parts: &Parts, body: &[u8]) -> Option<u64> {
    match role {
        RoleName::Orders => parts.extensions.get::<Identity>().map(|caller| hash(&caller.user.0)),
        RoleName::Payments => order(parts.uri.path(), body).map(|order| hash(order.as_bytes())),
        _ => None,
    }
}

#[derive(Deserialize)]
struct OfOrder {
    order_id: String,
}

fn order(path: &str, body: &[u8]) -> Option<String> {
    match path.strip_prefix("/api/v1/payments/")? {
        "confirm" => serde_json::from_slice::<OfOrder>(body).ok().map(|body| body.order_id),
        order => Some(order.to_owned()),
    }
}

/// FNV-1a and a last mixing: the same in every gateway, of every version.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    let fnv = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    mix(fnv)
}

/// The last steps of SplitMix64.
pub(super) fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_roles() {
        for (path, role) in [
            ("/api/v1/me", Some(RoleName::Accounts)),
            ("/api/v1/me/vouchers", Some(RoleName::Vouchers)),
            ("/api/v1/me/sessions/ses_1", Some(RoleName::Accounts)),
            ("/api/v1/admin/offers/ofr_1/live", Some(RoleName::Catalog)),
            ("/api/v1/admin/audit", Some(RoleName::Orders)),
            ("/sandbox/toss/checkout", Some(RoleName::Sandbox)),
            ("/dev/mailbox", Some(RoleName::Accounts)),
            ("/api/v1/mee", None),
            ("/", None),
        ] {
            assert_eq!(role_of(path), role, "{path}");
        }
    }

    #[test]
    fn payments_belong_to_their_order() {
        assert_eq!(order("/api/v1/payments/ord_1", b"").as_deref(), Some("ord_1"));
        assert_eq!(
            order("/api/v1/payments/confirm", br#"{"order_id": "ord_1", "amount": 1}"#).as_deref(),
            Some("ord_1")
        );
        assert_eq!(order("/api/v1/payments/confirm", b"[]"), None);
        assert_eq!(order("/api/v1/webhooks/toss", b"{}"), None);
    }
}
