//! The picture of a code: what it says, and who gets it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::{SessionId, UserId};
use http_body_util::BodyExt as _;

use super::{BUYER, Shop, options};
use crate::http::{AccountRole, Buyer, Identity, Outcome, Path, Roles};
use crate::qr::read;
use crate::vouchers::{Vouchers, qr};

async fn asked(shop: &Shop, user: UserId, role: AccountRole, code: &str) -> Outcome<Response> {
    let vouchers = Vouchers::new(shop.ports.clone(), options(), &shop.workers.tills);
    let caller = Identity { user, session: SessionId::NIL, roles: Roles::default().with(role), unlimited: false };
    qr::get(State(Arc::new(vouchers)), Buyer(caller), Path(code.to_owned())).await
}

#[tokio::test]
async fn whoever_sees_a_voucher_gets_its_code_as_a_picture() {
    let shop = Shop::open().await;
    shop.sell().await;
    shop.workers.delivery.catch_up().await.expect("delivered");
    let code = shop.vouchers().await.remove(0).code;
    let typed = code.to_lowercase().replace('-', "");
    let merchant = UserId([4; 16]);
    for (user, role, code_asked) in [
        (BUYER, AccountRole::Buyer, &code),
        (BUYER, AccountRole::Buyer, &typed),
        (merchant, AccountRole::Merchant, &code),
    ] {
        let answer = asked(&shop, user, role, code_asked).await.expect("a picture");
        assert_eq!(answer.headers()["content-type"], "image/svg+xml");
        assert_eq!(answer.headers()["cache-control"], "private, no-store");
        let picture = answer.into_body().collect().await.expect("whole").to_bytes();
        assert_eq!(read(std::str::from_utf8(&picture).expect("a text")), code);
    }
    for (user, code_asked) in [(merchant, code.as_str()), (BUYER, "0000-0000-0000-0000"), (BUYER, "no code")] {
        let refused = asked(&shop, user, AccountRole::Buyer, code_asked).await.expect_err("not there");
        assert_eq!(refused.code(), ErrorCode::NotFound);
    }
}
