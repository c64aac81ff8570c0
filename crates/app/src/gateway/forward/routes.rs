//! Which role answers which path: the one list of all routes. A test of the program holds it against what the roles say.

use axum::http::Method;
use axum::http::request::Parts;
use firstcome_core::ids::{OfferId, OfferNumber, OrderId};
use firstcome_core::ports::RoleName;
use serde::Deserialize;

use crate::http::Identity;

/// What paths begin with. The first that fits counts. What a gateway answers by itself ([`super::Forwarder::router`]) does
/// not come here.
const ROUTES: [(&str, RoleName); 32] = [
    ("/api/v1/me/vouchers", RoleName::Vouchers),
    ("/api/v1/me/cart", RoleName::Orders),
    ("/api/v1/me/wishlist", RoleName::Catalog),
    ("/api/v1/auth", RoleName::Accounts),
    ("/api/v1/me", RoleName::Accounts),
    ("/api/v1/products", RoleName::Catalog),
    ("/api/v1/offers", RoleName::Catalog),
    ("/api/v1/categories", RoleName::Catalog),
    ("/api/v1/time", RoleName::Catalog),
    ("/api/v1/admin/products", RoleName::Catalog),
    ("/api/v1/admin/categories", RoleName::Catalog),
    ("/api/v1/admin/images", RoleName::Catalog),
    ("/images", RoleName::Catalog),
    ("/api/v1/admin/offers", RoleName::Catalog),
    ("/api/v1/admin/settlement", RoleName::Payments),
    ("/api/v1/admin/books/payments.csv", RoleName::Payments),
    ("/api/v1/admin/books/refunds.csv", RoleName::Payments),
    ("/api/v1/admin/books/vouchers.csv", RoleName::Vouchers),
    ("/api/v1/admin/webhooks", RoleName::Notices),
    ("/api/v1/admin/webhook-deliveries", RoleName::Notices),
    ("/api/v1/admin/accounts", RoleName::Accounts),
    ("/api/v1/admin/mailings", RoleName::Accounts),
    ("/api/v1/unsubscribe", RoleName::Accounts),
    ("/api/v1/admin/addresses", RoleName::Accounts),
    ("/api/v1/admin/users", RoleName::Accounts),
    ("/api/v1/admin/quarantine", RoleName::Payments),
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

/// Whether the body of a request is an upload, which may be larger. Only of who is logged in: others are refused anyway.
pub(super) fn is_upload(parts: &Parts) -> bool {
    parts.uri.path() == "/api/v1/admin/images" && parts.extensions.get::<Identity>().is_some()
}

/// Whether a request may be sent a second time when nobody knows what came of the first: it only reads, or it carries
/// the key under which the shop does it once.
pub(super) fn is_repeatable(parts: &Parts) -> bool {
    matches!(parts.method, Method::GET | Method::HEAD) || parts.headers.contains_key("idempotency-key")
}

/// What requests belong together by, which one instance should answer as long as it is healthy: what is decided about one
/// offer. Decided by one process it takes fewer records, and none that loses a race. What is about no offer goes by person.
pub(super) fn affinity(role: RoleName, parts: &Parts, body: &[u8]) -> Option<u64> {
    let offer = match role {
        RoleName::Orders | RoleName::Payments => offer(&parts.method, parts.uri.path(), body),
        _ => return None,
    };
    let caller = || parts.extensions.get::<Identity>().map(|caller| hash(&caller.user.0));
    offer.map(|offer| hash(&offer.0.to_be_bytes())).or_else(caller)
}

/// What the bodies of requests name; what else they say is not of interest here.
#[derive(Deserialize)]
struct Names {
    /// A provider's notice of a deposit writes it in its own way.
    #[serde(alias = "orderId")]
    order_id: Option<OrderId>,
    offer_id: Option<OfferId>,
    #[serde(default)]
    lines: Vec<LineNames>,
    /// What a provider's notice is about.
    data: Option<NoticeNames>,
}

#[derive(Deserialize)]
struct NoticeNames {
    #[serde(rename = "orderId")]
    order_id: OrderId,
}

#[derive(Deserialize)]
struct LineNames {
    offer_id: OfferId,
}

/// The offer that decides about a request: the one that is ordered, of several the order's home, or the home of the order
/// that it is about.
fn offer(method: &Method, path: &str, body: &[u8]) -> Option<OfferNumber> {
    let mut parts = path.strip_prefix("/api/v1/")?.split('/');
    if let Some(order) = parts.find_map(|part| part.parse::<OrderId>().ok()) {
        return Some(order.home());
    }
    if method != Method::POST {
        return None;
    }
    let named: Names = serde_json::from_slice(body).ok()?;
    let ordered =
        named.offer_id.or_else(|| named.lines.iter().map(|line| line.offer_id).min_by_key(|offer| offer.number()));
    let order = named.order_id.or_else(|| named.data.map(|notice| notice.order_id));
    order.map(OrderId::home).or_else(|| ordered.map(OfferId::number))
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
    use firstcome_core::ids::UserId;
    use firstcome_core::time::Time;

    use super::*;

    #[test]
    fn paths_have_roles() {
        for (path, role) in [
            ("/api/v1/me", Some(RoleName::Accounts)),
            ("/api/v1/me/vouchers", Some(RoleName::Vouchers)),
            ("/api/v1/me/sessions/ses_1", Some(RoleName::Accounts)),
            ("/api/v1/admin/offers/ofr_1/live", Some(RoleName::Catalog)),
            ("/api/v1/admin/audit", Some(RoleName::Orders)),
            ("/api/v1/admin/settlement/stl_1/findings", Some(RoleName::Payments)),
            ("/api/v1/admin/books/orders.csv", Some(RoleName::Orders)),
            ("/api/v1/admin/books/payments.csv", Some(RoleName::Payments)),
            ("/api/v1/admin/books/refunds.csv", Some(RoleName::Payments)),
            ("/api/v1/admin/books/vouchers.csv", Some(RoleName::Vouchers)),
            ("/api/v1/categories", Some(RoleName::Catalog)),
            ("/api/v1/admin/categories/cat_1", Some(RoleName::Catalog)),
            ("/api/v1/admin/images", Some(RoleName::Catalog)),
            ("/images/img_1", Some(RoleName::Catalog)),
            ("/api/v1/admin/webhooks/whk_1/test", Some(RoleName::Notices)),
            ("/api/v1/admin/webhook-deliveries", Some(RoleName::Notices)),
            ("/api/v1/admin/accounts/usr_1/second-factor/reset", Some(RoleName::Accounts)),
            ("/api/v1/admin/addresses/adr_1", Some(RoleName::Accounts)),
            ("/api/v1/admin/orders/ord_1/address", Some(RoleName::Orders)),
            ("/api/v1/admin/users/find", Some(RoleName::Accounts)),
            ("/api/v1/admin/quarantine/pay_1/resolve", Some(RoleName::Payments)),
            ("/sandbox/toss/checkout", Some(RoleName::Sandbox)),
            ("/dev/mailbox", Some(RoleName::Accounts)),
            ("/api/v1/mee", None),
            ("/", None),
        ] {
            assert_eq!(role_of(path), role, "{path}");
        }
    }

    #[test]
    fn requests_belong_to_the_offer_that_decides() {
        let number = OfferNumber(7);
        let order = OrderId::of_request(UserId::NIL, "k", 1, number);
        let ordered = OfferId::numbered(Time(0), number, [1; 6]);
        let later = OfferId::numbered(Time(0), OfferNumber(8), [0; 6]);
        for (method, path, body, expected) in [
            (Method::GET, format!("/api/v1/payments/{order}"), String::new(), Some(number)),
            (
                Method::POST,
                "/api/v1/payments/confirm".to_owned(),
                format!(r#"{{"order_id": "{order}", "amount": 1}}"#),
                Some(number),
            ),
            (Method::POST, "/api/v1/payments/confirm".to_owned(), "[]".to_owned(), None),
            (Method::POST, "/api/v1/webhooks/toss".to_owned(), "{}".to_owned(), None),
            (
                Method::POST,
                "/api/v1/webhooks/toss".to_owned(),
                format!(r#"{{"data": {{"orderId": "{order}"}}}}"#),
                Some(number),
            ),
            (
                Method::POST,
                "/api/v1/orders".to_owned(),
                format!(r#"{{"offer_id": "{ordered}", "quantity": 1}}"#),
                Some(number),
            ),
            (
                Method::POST,
                "/api/v1/orders".to_owned(),
                format!(r#"{{"lines": [{{"offer_id": "{later}"}}, {{"offer_id": "{ordered}"}}]}}"#),
                Some(number),
            ),
            (Method::POST, "/api/v1/orders".to_owned(), r#"{"offer_id": 1}"#.to_owned(), None),
            (Method::POST, format!("/api/v1/orders/{order}/cancel"), "{}".to_owned(), Some(number)),
            (Method::POST, format!("/api/v1/admin/orders/{order}/refund"), "{}".to_owned(), Some(number)),
            (Method::GET, "/api/v1/orders".to_owned(), String::new(), None),
            (Method::GET, "/api/v1/orders/ord_1".to_owned(), String::new(), None),
            (Method::GET, "/".to_owned(), String::new(), None),
        ] {
            assert_eq!(offer(&method, &path, body.as_bytes()), expected, "{method} {path} {body}");
        }
    }
}
