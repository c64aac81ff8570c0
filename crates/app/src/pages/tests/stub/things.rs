//! What the stand-in sells, and what was ordered and delivered of it.

use firstcome_core::ids::ProductId;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

pub(super) fn from_now(seconds: i64) -> String {
    Timestamp::now().checked_add(SignedDuration::from_secs(seconds)).expect("in range").to_string()
}

pub(super) fn won(amount: i64) -> Value {
    json!({ "amount": amount, "currency": "KRW" })
}

pub(super) fn offer(id: &str) -> Option<Value> {
    let product = |kind: &str, name: &str, text: &str| {
        json!({ "product_id": format!("prd_{id}"), "kind": kind, "name": name, "description": text, "image_url": null,
                "tax_free": false, "face_value": null, "valid_for_days": null, "visit_date": null })
    };
    let terms = |product: Value, price: i64, units: [i64; 4], state: &str, opens: i64| {
        let [stock, available, held, sold] = units;
        json!({ "offer_id": id, "product": product, "price": won(price), "stock": stock, "available": available,
                "held": held, "sold": sold, "state": state, "opens_at": from_now(opens), "closes_at": null,
                "limit_per_person": null, "max_per_order": 10, "hold_for_seconds": 900,
                "refund_policy": "full_until_used", "server_time": from_now(0) })
    };
    Some(match id {
        "ofr_open" => {
            let mut card = product(
                "gift_card",
                "백화점 상품권 50,000원권",
                "전국 매장에서 나누어 쓸 수 있는 디지털 상품권입니다.\n구매 즉시 코드가 발급됩니다.",
            );
            card["face_value"] = won(50_000);
            card["valid_for_days"] = json!(1825);
            let mut offer = terms(card, 45_000, [100, 37, 9, 54], "open", -600);
            offer["limit_per_person"] = json!(2);
            offer["closes_at"] = json!(from_now(86_400));
            offer
        }
        "ofr_upcoming" => {
            let mut ticket =
                product("ticket", "한빛월드 자유이용권 (오픈 특가)", "모든 놀이기구를 하루 종일 이용할 수 있습니다.");
            ticket["visit_date"] = json!("2026-12-24");
            let mut offer = terms(ticket, 29_000, [500, 500, 0, 0], "upcoming", 95);
            offer["limit_per_person"] = json!(4);
            offer
        }
        "ofr_goods" => {
            let mut offer = terms(
                product("goods", "무선 청소기 V12 홈쇼핑 특집", "방송 중에만 만나는 가격."),
                189_000,
                [300, 211, 12, 77],
                "open",
                -60,
            );
            offer["days_to_return"] = json!(14);
            offer
        }
        "ofr_members" | "ofr_members_later" => {
            let (state, opens) = if id == "ofr_members" { ("open", -60) } else { ("upcoming", 864_000) };
            let mut offer = terms(product("ticket", "회원 전용 <시사회>", ""), 0, [30, 30, 0, 0], state, opens);
            offer["limit_per_person"] = json!(1);
            offer["conditions"] = json!([
                { "email_verified": true }, { "account_older_than_days": 7 }, { "owns_product": ProductId::NIL },
                { "owns_product": ProductId([1; 16]) }, { "identity_verified": true },
            ]);
            offer
        }
        // As long as a name may be, without a place to break it.
        "ofr_long" => {
            let mut offer = terms(product("goods", &"W".repeat(200), ""), 10_000, [10, 10, 0, 0], "open", -60);
            offer["conditions"] = json!([]);
            offer
        }
        "ofr_free" => {
            let mut offer = terms(
                product("coupon", "5,000원 할인 쿠폰", "1인 1매, 선착순 무료."),
                0,
                [1000, 412, 0, 588],
                "open",
                -60,
            );
            offer["limit_per_person"] = json!(1);
            offer
        }
        "ofr_sold_out" => {
            terms(product("goods", "한정판 스니커즈 <Air & Light>", ""), 139_000, [50, 0, 3, 47], "open", -900)
        }
        "ofr_frozen" => terms(product("ticket", "재즈 페스티벌 1일권", ""), 88_000, [200, 120, 0, 80], "frozen", -900),
        "ofr_ended" => {
            terms(product("gift_card", "커피 상품권 10,000원권", ""), 9_000, [200, 0, 0, 200], "ended", -90_000)
        }
        "ofr_draft" => terms(product("goods", "아직 준비 중인 상품", ""), 10_000, [10, 10, 0, 0], "draft", 0),
        _ => return None,
    })
}

pub(super) const OFFERS: [&str; 7] =
    ["ofr_open", "ofr_goods", "ofr_free", "ofr_sold_out", "ofr_frozen", "ofr_upcoming", "ofr_ended"];

pub(super) fn order(id: &str) -> Option<Value> {
    let of = |offer: &str, quantity: i64, price: i64, state: &str, reason: Option<&str>| {
        let mut order = json!({
            "order_id": id, "state": state, "amount": won(price * quantity), "created_at": from_now(-40),
            "lines": [{ "offer_id": offer, "quantity": quantity, "unit_price": won(price), "seq": 1284 }],
        });
        if let Some(reason) = reason {
            order["reason"] = json!(reason);
        }
        if matches!(state, "PENDING" | "PAYING") {
            order["hold_expires_at"] = json!(from_now(860));
        }
        order
    };
    Some(match id {
        "ord_pending" => of("ofr_open", 2, 45_000, "PENDING", None),
        "ord_paying" => of("ofr_open", 1, 45_000, "PAYING", None),
        "ord_completed" => of("ofr_open", 1, 45_000, "COMPLETED", None),
        "ord_issuing" => of("ofr_upcoming", 1, 29_000, "COMPLETED", None),
        "ord_goods" => of("ofr_goods", 1, 189_000, "COMPLETED", None),
        "ord_free" => of("ofr_free", 1, 0, "COMPLETED", None),
        "ord_expired" => of("ofr_goods", 1, 189_000, "EXPIRED", Some("expired")),
        "ord_failed" => of("ofr_open", 1, 45_000, "FAILED", Some("payment_failed")),
        "ord_canceled" => of("ofr_open", 1, 45_000, "CANCELED", None),
        _ => return None,
    })
}

pub(super) const ORDERS: [&str; 7] =
    ["ord_pending", "ord_paying", "ord_completed", "ord_free", "ord_goods", "ord_expired", "ord_canceled"];

pub(super) fn voucher(code: &str) -> Option<Value> {
    let of = |kind: &str, name: &str, state: &str, order: &str| {
        json!({ "code": code, "kind": kind, "state": state, "product_name": name, "valid_until": from_now(157_680_000),
                "order_id": order })
    };
    Some(match code {
        "GC7K2MPQX9WTR4HD" => {
            let mut card = of("gift_card", "백화점 상품권 50,000원권", "USING", "ord_completed");
            card["face_value"] = won(50_000);
            card["balance"] = won(32_000);
            card
        }
        "TK3N8VYBC5ZLJ6FA" => of("ticket", "한빛월드 자유이용권 (오픈 특가)", "ACTIVE", "ord_ticket"),
        "CP9D4SGUE2XKW7MQ" => of("coupon", "5,000원 할인 쿠폰", "ACTIVE", "ord_free"),
        "TK1111USED111111" => of("ticket", "재즈 페스티벌 1일권", "USED", "ord_old"),
        _ => return None,
    })
}

pub(super) const VOUCHERS: [&str; 4] = ["GC7K2MPQX9WTR4HD", "TK3N8VYBC5ZLJ6FA", "CP9D4SGUE2XKW7MQ", "TK1111USED111111"];
