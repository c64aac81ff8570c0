//! A stand-in for the whole API: fixed answers in the contract's shapes, with just enough memory for sessions.
//!
//! The tests and `examples/pages.rs` share it, so it knows nothing of either.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use firstcome_core::ids::ProductId;
use firstcome_core::ports::Random;
use serde_json::{Value, json};

// Two programs include this file from different places: only a path that is said means the same in both.
#[path = "stub/things.rs"]
mod things;

use things::{OFFERS, ORDERS, VOUCHERS, from_now, offer, order, voucher, won};

/// What the stub remembers, and what it was asked.
#[derive(Default)]
pub(crate) struct Memory {
    /// Access tokens that hold.
    pub(crate) access: Mutex<HashSet<String>>,
    /// Refresh tokens that hold.
    pub(crate) refresh: Mutex<HashSet<String>>,
    /// How often a session was renewed.
    pub(crate) renewals: AtomicUsize,
    /// Requests that asked for something to be done: path, key, body.
    pub(crate) asked: Mutex<Vec<(String, String, Value)>>,
    /// Answers every list with nothing in it.
    pub(crate) empty: std::sync::atomic::AtomicBool,
    /// Does not renew sessions at the moment.
    pub(crate) busy: std::sync::atomic::AtomicBool,
    /// Whether accounts have an address.
    pub(crate) has_address: std::sync::atomic::AtomicBool,
    next: AtomicU64,
}

type Stub = State<Arc<Memory>>;

impl Memory {
    /// New tokens for someone of these roles.
    pub(crate) fn tokens(&self, roles: &[&str]) -> Value {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let claims = URL_SAFE_NO_PAD.encode(json!({ "roles": roles, "number": number }).to_string());
        let access = format!("stub.{claims}.stub");
        let refresh = format!("refresh-{number}-{}", roles.join("-"));
        self.access.lock().expect("no panic").insert(access.clone());
        self.refresh.lock().expect("no panic").insert(refresh.clone());
        json!({ "access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": 900 })
    }

    fn knows(&self, headers: &HeaderMap) -> bool {
        let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        self.access.lock().expect("no panic").contains(sent.trim_start_matches("Bearer "))
    }

    fn note(&self, path: &str, headers: &HeaderMap, body: &Value) {
        let key = headers.get("idempotency-key").and_then(|value| value.to_str().ok()).unwrap_or_default();
        self.asked.lock().expect("no panic").push((path.to_owned(), key.to_owned(), body.clone()));
    }

    /// What was asked of paths that end like this.
    pub(crate) fn asked_of(&self, end: &str) -> Vec<(String, Value)> {
        let asked = self.asked.lock().expect("no panic");
        asked
            .iter()
            .filter(|(path, ..)| path.ends_with(end))
            .map(|(_, key, body)| (key.clone(), body.clone()))
            .collect()
    }

    fn list(&self, items: Vec<Value>) -> Response {
        let items = if self.empty.load(Ordering::Relaxed) { Vec::new() } else { items };
        Json(json!({ "items": items, "next_cursor": null })).into_response()
    }
}

/// Bytes that differ each time; good enough for what no test tries to guess.
#[derive(Default)]
pub(crate) struct Counting(AtomicU64);

impl Random for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        let number = (self.0.fetch_add(1, Ordering::Relaxed) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for (place, byte) in bytes.iter_mut().enumerate() {
            *byte = number.rotate_left(u32::try_from(place * 7 % 64).unwrap_or(0)).to_le_bytes()[place % 8];
        }
    }
}

fn problem(status: u16, code: &str, mut members: Value) -> Response {
    members["code"] = json!(code);
    members["status"] = json!(status);
    let status = StatusCode::from_u16(status).expect("a status");
    (status, [(header::CONTENT_TYPE, "application/problem+json")], members.to_string()).into_response()
}

fn refused() -> Response {
    problem(401, "unauthenticated", json!({}))
}

async fn offers(State(memory): Stub, Query(query): Query<Vec<(String, String)>>) -> Response {
    let find =
        |name: &str| query.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone()).unwrap_or_default();
    let (state, kind) = (find("state"), find("kind"));
    let fits = |offer: &Value| {
        let own = offer["state"].as_str().unwrap_or_default();
        let open = own == "frozen" && state == "open";
        (state.is_empty() || own == state || open) && (kind.is_empty() || offer["product"]["kind"] == json!(kind))
    };
    memory.list(OFFERS.into_iter().filter_map(offer).filter(fits).collect())
}

async fn one_offer(Path(id): Path<String>) -> Response {
    offer(&id).map_or_else(|| problem(404, "unknown_offer", json!({})), |offer| Json(offer).into_response())
}

/// One product is there, with a name that is as long as one may be.
async fn one_product(Path(id): Path<String>) -> Response {
    if id != ProductId::NIL.to_string() {
        return problem(404, "not_found", json!({}));
    }
    Json(json!({ "product_id": id, "kind": "gift_card", "name": "가".repeat(200) })).into_response()
}

fn events(name: &str, data: &Value) -> Response {
    let body = Body::from(format!("event: {name}\ndata: {data}\n\n"));
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}

async fn stock_stream(Path(id): Path<String>) -> Response {
    let offer = offer(&id).unwrap_or_default();
    let data = json!({ "available": offer["available"], "held": offer["held"], "sold": offer["sold"], "seq": 3 });
    events("stock", &data)
}

async fn send_code(State(memory): Stub, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    memory.note("/auth/email-codes", &headers, &body);
    if body["email"].as_str().is_some_and(|email| email.contains('@')) {
        return StatusCode::ACCEPTED.into_response();
    }
    problem(422, "invalid_body", json!({ "errors": { "email": ["not an e-mail"] } }))
}

async fn verify(Json(body): Json<Value>) -> Response {
    match body["code"].as_str() {
        Some("123456") => Json(json!({ "verification_token": "verified" })).into_response(),
        _ => problem(400, "invalid_code", json!({})),
    }
}

async fn sign_up(State(memory): Stub, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    memory.note("/auth/signup", &headers, &body);
    if body["verification_token"] != "verified" || body["password"] == "weak-password" {
        return problem(422, "invalid_body", json!({ "errors": { "password": ["too weak"] } }));
    }
    (StatusCode::CREATED, Json(json!({ "user_id": "usr_1" }))).into_response()
}

async fn categories(State(memory): Stub) -> Response {
    memory.list(vec![
        json!({ "category_id": "cat_home", "name": { "ko": "가전", "en": "Appliances" }, "parent": null, "position": 1 }),
        json!({ "category_id": "cat_ears", "name": { "ko": "이어폰", "en": null }, "parent": "cat_home", "position": 2 }),
        json!({ "category_id": "cat_card", "name": { "ko": null, "en": "Gift cards" }, "parent": null, "position": 3 }),
    ])
}

async fn forgot(Json(body): Json<Value>) -> Response {
    match body["email"].as_str() {
        Some(email) if email.contains('@') => StatusCode::ACCEPTED.into_response(),
        _ => problem(422, "invalid_body", json!({ "errors": { "email": ["must be an e-mail address"] } })),
    }
}

async fn reset(State(memory): Stub, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    memory.note("/auth/password-reset/confirm", &headers, &body);
    match body["code"].as_str() {
        Some("123456") => StatusCode::NO_CONTENT.into_response(),
        _ => problem(400, "invalid_code", json!({})),
    }
}

async fn log_in(State(memory): Stub, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    memory.note("/auth/login", &headers, &body);
    let agent = headers.get("user-agent").and_then(|value| value.to_str().ok());
    memory.note("/auth/login/agent", &headers, &json!(agent));
    if body["password"] == "wrong" {
        return problem(401, "invalid_credentials", json!({}));
    }
    if body["email"] == "careful@example.com" && body["code"] != "287082" {
        let code = if body.get("code").is_some() { "second_factor_wrong" } else { "second_factor_required" };
        return problem(401, code, json!({}));
    }
    let seller = body["email"].as_str().is_some_and(|email| email.starts_with("seller"));
    let roles: &[&str] = if seller { &["buyer", "merchant", "seller"] } else { &["buyer"] };
    Json(memory.tokens(roles)).into_response()
}

async fn renew(State(memory): Stub, Json(body): Json<Value>) -> Response {
    if memory.busy.load(Ordering::Relaxed) {
        return problem(503, "overloaded", json!({ "retry_after": 1 }));
    }
    // Long enough that requests at the same time really meet.
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    memory.renewals.fetch_add(1, Ordering::Relaxed);
    let old = body["refresh_token"].as_str().unwrap_or_default();
    if !memory.refresh.lock().expect("no panic").remove(old) {
        return problem(401, "invalid_refresh_token", json!({}));
    }
    let roles: Vec<&str> = old.split('-').skip(2).collect();
    Json(memory.tokens(&roles)).into_response()
}

async fn nothing(State(memory): Stub, headers: HeaderMap) -> Response {
    if memory.knows(&headers) { StatusCode::NO_CONTENT.into_response() } else { refused() }
}

async fn sessions(State(memory): Stub, headers: HeaderMap) -> Response {
    if !memory.knows(&headers) {
        return refused();
    }
    memory.list(vec![
        json!({ "session_id": "ses_1", "device": "Chrome on Windows", "created_at": from_now(-90_000), "last_used_at": from_now(-10), "current": true }),
        json!({ "session_id": "ses_2", "device": "Safari on iPhone", "created_at": from_now(-500_000), "last_used_at": from_now(-80_000), "current": false }),
    ])
}

async fn place(State(memory): Stub, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    if !memory.knows(&headers) {
        return refused();
    }
    memory.note("/orders", &headers, &body);
    match body["offer_id"].as_str().unwrap_or_default() {
        "ofr_open" if body["quantity"].as_i64() > Some(2) => {
            problem(409, "over_limit", json!({ "limit": 2, "owned": 1 }))
        }
        "ofr_open" => (StatusCode::CREATED, Json(order("ord_pending"))).into_response(),
        "ofr_free" => (StatusCode::CREATED, Json(order("ord_free"))).into_response(),
        "ofr_sold_out" => problem(409, "sold_out", json!({ "held": 3, "next_release_at": from_now(120) })),
        "ofr_upcoming" => problem(409, "not_open_yet", json!({ "opens_at": from_now(95) })),
        "ofr_ended" => problem(409, "closed", json!({})),
        "ofr_goods" => place_goods(&memory, &body["ship_to"]),
        "ofr_frozen" => problem(409, "frozen", json!({})),
        _ => problem(404, "unknown_offer", json!({})),
    }
}

fn place_goods(memory: &Memory, ship_to: &Value) -> Response {
    let short = |field: &str| ship_to[field].as_str().is_some_and(|text| text.len() < 5);
    if short("phone") {
        return problem(422, "invalid_body", json!({ "errors": { "ship_to.phone": ["length is lower than 5"] } }));
    }
    if ship_to.is_null() && !memory.has_address.load(Ordering::Relaxed) {
        return problem(422, "address_missing", json!({}));
    }
    (StatusCode::CREATED, Json(order("ord_goods"))).into_response()
}

async fn me(State(memory): Stub, headers: HeaderMap) -> Response {
    if !memory.knows(&headers) {
        return refused();
    }
    let address = memory.has_address.load(Ordering::Relaxed).then_some("1 Main Street");
    Json(json!({ "user_id": "usr_1", "email": "kim@example.com", "name": "Kim", "phone": null, "address": address }))
        .into_response()
}

async fn orders(State(memory): Stub, headers: HeaderMap) -> Response {
    if !memory.knows(&headers) {
        return refused();
    }
    memory.list(ORDERS.into_iter().filter_map(order).collect())
}

async fn sold_orders(State(memory): Stub) -> Response {
    let sold = ORDERS.into_iter().filter_map(order).map(|mut order| {
        order["user_id"] = json!("usr_01h455vb4pex5vsknk084sn02q");
        order
    });
    memory.list(sold.collect())
}

async fn one_order(State(memory): Stub, headers: HeaderMap, Path(id): Path<String>) -> Response {
    if !memory.knows(&headers) {
        return refused();
    }
    order(&id).map_or_else(|| problem(404, "not_found", json!({})), |order| Json(order).into_response())
}

async fn order_stream(State(memory): Stub, headers: HeaderMap, Path(id): Path<String>) -> Response {
    if memory.knows(&headers) { events("order", &order(&id).unwrap_or_default()) } else { refused() }
}

async fn cancel(State(memory): Stub, headers: HeaderMap, Path(id): Path<String>, Json(body): Json<Value>) -> Response {
    memory.note("/cancel", &headers, &body);
    match id.as_str() {
        "ord_paying" => problem(409, "wrong_state", json!({})),
        _ => Json(json!({ "order_id": id, "state": "CANCELED", "refund": null })).into_response(),
    }
}

async fn payment(Path(id): Path<String>) -> Response {
    let refunds = if id == "ord_canceled" {
        json!([{ "refund_id": "rfd_1", "order_id": id, "amount": won(45_000), "state": "PENDING" }])
    } else {
        json!([])
    };
    match id.as_str() {
        "ord_free" => problem(404, "not_found", json!({})),
        _ => Json(json!({ "payment_id": "pay_1", "state": "DONE", "amount": won(45_000), "attempts": [], "refunds": refunds })).into_response(),
    }
}

async fn confirm(State(memory): Stub, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    memory.note("/payments/confirm", &headers, &body);
    if body["amount"] != won(90_000) {
        return problem(422, "amount_mismatch", json!({}));
    }
    match body["payment_key"].as_str().unwrap_or_default() {
        "declined" => problem(
            402,
            "payment_failed",
            json!({ "provider_code": "REJECT_CARD_PAYMENT", "provider_message": "한도초과 혹은 잔액부족입니다." }),
        ),
        "late" => problem(409, "hold_expired", json!({})),
        "unknown" => (StatusCode::ACCEPTED, Json(json!({ "payment_id": "pay_1", "state": "UNKNOWN" }))).into_response(),
        _ => Json(json!({ "payment_id": "pay_1", "state": "DONE" })).into_response(),
    }
}

async fn vouchers(State(memory): Stub, headers: HeaderMap) -> Response {
    if !memory.knows(&headers) {
        return refused();
    }
    memory.list(VOUCHERS.into_iter().filter_map(voucher).collect())
}

async fn one_voucher(Path(code): Path<String>) -> Response {
    voucher(&code).map_or_else(|| problem(404, "not_found", json!({})), |voucher| Json(voucher).into_response())
}

async fn history(State(memory): Stub) -> Response {
    memory.list(vec![
        json!({ "at": from_now(-3_600), "kind": "redeemed", "amount": won(12_000), "balance": won(32_000) }),
        json!({ "at": from_now(-90_000), "kind": "redeemed", "amount": won(6_000), "balance": won(44_000) }),
    ])
}

async fn redeem(
    State(memory): Stub,
    headers: HeaderMap,
    Path(code): Path<String>,
    Json(body): Json<Value>,
) -> Response {
    memory.note("/redeem", &headers, &body);
    match body["amount"]["amount"].as_i64() {
        Some(amount) if amount > 32_000 => problem(409, "insufficient_balance", json!({ "code_": code })),
        _ => Json(json!({ "remaining": won(1) })).into_response(),
    }
}

async fn admin_offers(State(memory): Stub, headers: HeaderMap) -> Response {
    if !memory.knows(&headers) {
        return refused();
    }
    memory.list(OFFERS.into_iter().chain(["ofr_draft"]).filter_map(offer).collect())
}

async fn create_product(State(memory): Stub, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    memory.note("/admin/products", &headers, &body);
    (StatusCode::CREATED, Json(json!({ "product_id": "prd_new" }))).into_response()
}

async fn create_offer(State(memory): Stub, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    memory.note("/admin/offers", &headers, &body);
    if body["stock"].as_i64().unwrap_or(0) < 1 {
        return problem(422, "invalid_body", json!({ "errors": { "stock": ["at least 1"] } }));
    }
    (StatusCode::CREATED, Json(json!({ "offer_id": "ofr_open" }))).into_response()
}

async fn act(State(memory): Stub, headers: HeaderMap, Path((id, action)): Path<(String, String)>) -> Response {
    memory.note(&format!("/admin/offers/{action}"), &headers, &json!(null));
    one_offer(Path(id)).await
}

async fn adjust(State(memory): Stub, headers: HeaderMap, Path(id): Path<String>, Json(body): Json<Value>) -> Response {
    memory.note("/adjust", &headers, &body);
    if body["delta"].as_i64() < Some(-37) {
        return problem(409, "would_go_negative", json!({}));
    }
    one_offer(Path(id)).await
}

fn counters() -> Value {
    json!({ "stock": 100, "available": 37, "held": 9, "paying": 4, "sold": 54, "released": 6, "per_second": 12, "seq": 1403,
            "refused": { "sold_out": 0, "over_limit": 31, "too_many": 2, "not_open_yet": 4182, "closed": 0, "frozen": 0 } })
}

async fn live() -> Json<Value> {
    Json(counters())
}

async fn live_stream() -> Response {
    events("live", &counters())
}

async fn audit(State(memory): Stub) -> Response {
    let of = |id: &str, ok: bool| {
        let offer = offer(id).unwrap_or_default();
        json!({ "offer_id": id, "seq": 1403, "stock": offer["stock"], "available": offer["available"], "held": offer["held"],
                "sold": offer["sold"], "unpaid": u64::from(!ok), "ok": ok, "checked_at": from_now(-1) })
    };
    memory.list(vec![of("ofr_open", true), of("ofr_goods", true), of("ofr_frozen", false)])
}

async fn cluster() -> Json<Value> {
    let process = |id: &str, draining: bool, circuit: &str| {
        json!({ "id": id, "address": "127.0.0.1:8081", "started_at": from_now(-600), "draining": draining,
                "circuit": circuit, "in_flight": 3, "latency_micros": 840,
                "waiting_commands": 5, "ledger_stuck": false, "outbox_lag_millis": 12, "consumer_lag_millis": 40 })
    };
    let orders = [process("orders-1", false, "closed"), process("orders-2", true, "closed")];
    let payments = [process("payments-1", false, "half_open"), process("payments-2", false, "open")];
    let part = |role: &str, instances: &[Value]| json!({ "role": role, "free_places": 2048, "instances": instances });
    Json(json!({ "parts": [part("orders", &orders), part("payments", &payments), part("vouchers", &[])] }))
}

async fn time() -> Json<Value> {
    Json(json!({ "server_time": from_now(0) }))
}

/// The stub, under `/api/v1`.
pub(crate) fn router(memory: &Arc<Memory>) -> Router {
    let api = Router::new()
        .route("/time", get(time))
        .route("/auth/email-codes", post(send_code))
        .route("/auth/email-codes/verify", post(verify))
        .route("/auth/signup", post(sign_up))
        .route("/auth/password-reset", post(forgot))
        .route("/auth/password-reset/confirm", post(reset))
        .route(
            "/auth/consents",
            get(async || {
                Json(json!({ "items": [
            { "what": "terms", "version": "2026-11", "required": true },
            { "what": "advertising", "version": "1", "required": false },
        ] }))
            }),
        )
        .route("/auth/login", post(log_in))
        .route("/auth/refresh", post(renew))
        .route("/auth/logout", post(nothing))
        .route("/auth/logout-all", post(nothing))
        .route("/me", get(me))
        .route("/me/sessions", get(sessions))
        .route("/me/sessions/{id}", delete(nothing))
        .route("/me/vouchers", get(vouchers))
        .route("/vouchers/{code}", get(one_voucher))
        .route("/vouchers/{code}/history", get(history))
        .route("/vouchers/{code}/redeem", post(redeem))
        .route("/categories", get(categories))
        .route("/products/{id}", get(one_product))
        .route("/offers", get(offers))
        .route("/offers/{id}", get(one_offer))
        .route("/offers/{id}/stock/stream", get(stock_stream))
        .route("/orders", get(orders).post(place))
        .route("/orders/{id}", get(one_order))
        .route("/orders/{id}/stream", get(order_stream))
        .route("/orders/{id}/cancel", post(cancel))
        .route("/payments/{id}", get(payment))
        .route("/payments/confirm", post(confirm))
        .merge(admin());
    Router::new().nest("/api/v1", api).with_state(Arc::clone(memory))
}

fn admin() -> Router<Arc<Memory>> {
    Router::new()
        .route("/admin/products", post(create_product))
        .route("/admin/offers", get(admin_offers).post(create_offer))
        .route("/admin/offers/{id}", get(one_offer))
        .route("/admin/offers/{id}/live", get(live))
        .route("/admin/offers/{id}/live/stream", get(live_stream))
        .route("/admin/offers/{id}/adjust", post(adjust))
        .route("/admin/offers/{id}/{action}", post(act))
        .route("/admin/orders", get(sold_orders))
        .route("/admin/audit", get(audit))
        .route("/admin/cluster", get(cluster))
}
