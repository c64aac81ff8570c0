//! What the pretended shop does with vouchers and carts.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::{Flaw, Reply, Shared, Shop, buyer, number, problem, shown};

/// On every card.
const FACE: i64 = 1_000_000_000;

fn card(shop: &Shop, number: usize) -> Value {
    let left = FACE - shop.taken.get(&number).copied().unwrap_or(0);
    json!({ "state": "ACTIVE", "order_id": format!("ord_{number}"), "code": format!("code_{number}"), "balance": { "amount": left } })
}

pub(super) async fn vouchers(State(shop): State<Shared>, headers: HeaderMap) -> Reply {
    let shop = shop.lock().expect("whole");
    let buyer = buyer(&headers);
    let own = shop.orders.iter().enumerate().rev();
    let own = own.filter(|(_, order)| order.buyer == buyer && order.state == "COMPLETED");
    let items: Vec<Value> = own.map(|(number, _)| card(&shop, number)).collect();
    (StatusCode::OK, Json(json!({ "items": items, "next_cursor": null })))
}

pub(super) async fn voucher(State(shop): State<Shared>, Path(code): Path<String>) -> Reply {
    (StatusCode::OK, Json(card(&shop.lock().expect("whole"), number(&code))))
}

pub(super) async fn redeem(State(shop): State<Shared>, Path(code): Path<String>, Json(body): Json<Value>) -> Reply {
    let mut shop = shop.lock().expect("whole");
    if shop.flaw != Flaw::Gives {
        *shop.taken.entry(number(&code)).or_default() += body["amount"]["amount"].as_i64().expect("an amount");
    }
    (StatusCode::OK, Json(json!({ "remaining": {} })))
}

pub(super) async fn put_in_cart(
    State(shop): State<Shared>,
    headers: HeaderMap,
    Path(offer): Path<String>,
) -> StatusCode {
    shop.lock().expect("whole").carts.entry(buyer(&headers)).or_default().push(offer);
    StatusCode::OK
}

pub(super) async fn check_out(State(shop): State<Shared>, headers: HeaderMap) -> Reply {
    let mut shop = shop.lock().expect("whole");
    let buyer = buyer(&headers);
    let mut offers = shop.carts.remove(&buyer).unwrap_or_default();
    if shop.flaw == Flaw::Halves {
        offers.pop();
    }
    let placed: Vec<usize> = offers.into_iter().map(|offer| shop.take(buyer.clone(), offer)).collect();
    match placed.first() {
        Some(number) => (StatusCode::CREATED, Json(shown(*number, &shop.orders[*number]))),
        None => problem(StatusCode::CONFLICT, "wrong_state"),
    }
}
