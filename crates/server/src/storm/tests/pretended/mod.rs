//! A shop that is only pretended: it answers as the real one does, for as long as a test lasts, and forgets nothing but has no books.

mod people;
mod tills;

use std::collections::{HashMap, HashSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// One order.
#[derive(Clone)]
struct Order {
    buyer: String,
    offer: String,
    state: &'static str,
}

/// One offer.
#[derive(Clone, Copy)]
struct Offer {
    stock: u64,
    taken: u64,
    is_free: bool,
}

#[derive(Default)]
struct Shop {
    offers: Vec<Offer>,
    orders: Vec<Order>,
    by_key: HashMap<String, usize>,
    /// Order, amount.
    charges: Vec<(String, i64)>,
    /// Keys that came before.
    asked: HashSet<String>,
    /// Offers in the cart of each buyer.
    carts: HashMap<String, Vec<String>>,
    /// What was taken off the voucher of each order.
    taken: HashMap<usize, i64>,
    flaw: Flaw,
    closed: bool,
}

type Shared = Arc<Mutex<Shop>>;
type Reply = (StatusCode, Json<Value>);

/// How it is broken.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Flaw {
    #[default]
    None,
    /// Sells more than there is.
    Oversells,
    /// Takes money and forgets the order.
    Forgets,
    /// None, but a unit comes back just after a key was refused, so the second press gets it.
    Wavers,
    /// Refuses a key after it gave it an order.
    Denies,
    /// Leaves orders open for ever.
    Dawdles,
    /// Does not let the books be read after the sale.
    FallsSilent,
    /// Sells what is in a cart without its last line.
    Halves,
    /// Takes nothing off a card that a till uses.
    Gives,
}

/// Opens one.
pub(super) async fn open(flaw: Flaw) -> SocketAddr {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.expect("bound");
    let address = listener.local_addr().expect("address");
    let shop = Shop { flaw, ..Shop::default() };
    let router = Router::new()
        .route("/api/v1/admin/products", post(async || (StatusCode::CREATED, Json(json!({ "product_id": "prd_1" })))))
        .route("/api/v1/admin/offers", post(create_offer))
        .route("/api/v1/admin/offers/{id}/close", post(close))
        .route("/api/v1/offers/{id}", get(offer))
        .route("/api/v1/orders", post(order).get(orders))
        .route("/api/v1/orders/{id}", get(one_order))
        .route("/api/v1/orders/{id}/cancel", post(cancel))
        .route("/sandbox/toss/v1/test/payments", post(charge).get(charges))
        .route("/sandbox/toss/v1/test/faults", put(async || StatusCode::OK))
        .route("/api/v1/payments/confirm", post(confirm))
        .route("/api/v1/me/vouchers", get(tills::vouchers))
        .route("/api/v1/vouchers/{code}", get(tills::voucher))
        .route("/api/v1/vouchers/{code}/redeem", post(tills::redeem))
        .route("/api/v1/me/cart/items/{offer}", put(tills::put_in_cart))
        .route("/api/v1/me/cart/checkout", post(tills::check_out))
        .route("/api/v1/me", get(people::me))
        .route("/api/v1/auth/email-codes", post(async || StatusCode::ACCEPTED))
        .route("/dev/mailbox", get(people::mailbox))
        .route("/api/v1/auth/email-codes/verify", post(people::verify))
        .route("/api/v1/auth/signup", post(people::sign_up))
        .route("/api/v1/auth/login", post(people::log_in))
        .route("/metrics", get(async || "firstcome_orders_projection_lag_entries 0\n"))
        .with_state(Arc::new(Mutex::new(shop)));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn buyer(headers: &HeaderMap) -> String {
    headers["authorization"].to_str().expect("text").to_owned()
}

fn problem(status: StatusCode, code: &str) -> Reply {
    (status, Json(json!({ "code": code })))
}

fn shown(number: usize, order: &Order) -> Value {
    let lines = [json!({ "offer_id": order.offer, "seq": number + 1 })];
    json!({ "order_id": format!("ord_{number}"), "state": order.state, "lines": lines })
}

fn number(id: &str) -> usize {
    id.split_once('_').and_then(|(_, number)| number.parse().ok()).expect("an id of this shop")
}

async fn create_offer(State(shop): State<Shared>, Json(body): Json<Value>) -> Reply {
    let mut shop = shop.lock().expect("whole");
    let (stock, is_free) = (body["stock"].as_u64().expect("stock"), body["price"]["amount"] == 0);
    shop.offers.push(Offer { stock, taken: 0, is_free });
    (StatusCode::CREATED, Json(json!({ "offer_id": format!("ofr_{}", shop.offers.len() - 1) })))
}

/// Ends an offer and, with it, every hold.
async fn close(State(shop): State<Shared>) -> Reply {
    let mut shop = shop.lock().expect("whole");
    shop.closed = true;
    if shop.flaw != Flaw::Dawdles {
        shop.orders.iter_mut().filter(|order| order.state == "PENDING").for_each(|order| order.state = "EXPIRED");
    }
    (StatusCode::OK, Json(Value::Null))
}

async fn offer(State(shop): State<Shared>, Path(id): Path<String>) -> Reply {
    let shop = shop.lock().expect("whole");
    let count =
        |state: &str| shop.orders.iter().filter(|order| order.offer == id && order.state == state).count() as u64;
    let stock = shop.offers[number(&id)].stock;
    let (held, sold) = (count("PENDING"), count("COMPLETED"));
    (StatusCode::OK, Json(json!({ "stock": stock, "held": held, "sold": sold })))
}

async fn order(State(shop): State<Shared>, headers: HeaderMap, Json(body): Json<Value>) -> Reply {
    let mut shop = shop.lock().expect("whole");
    let buyer = buyer(&headers);
    let key = format!("{buyer} {}", headers["idempotency-key"].to_str().expect("text"));
    let first = shop.asked.insert(key.clone());
    if shop.flaw == if first { Flaw::Wavers } else { Flaw::Denies } {
        return problem(StatusCode::CONFLICT, "sold_out");
    }
    if let Some(known) = shop.by_key.get(&key) {
        return (StatusCode::CREATED, Json(shown(*known, &shop.orders[*known])));
    }
    let offer = body["offer_id"].as_str().expect("an offer").to_owned();
    let extra = if shop.flaw == Flaw::Oversells { 30 } else { 0 };
    let wanted = &mut shop.offers[number(&offer)];
    if wanted.taken >= wanted.stock + extra {
        return problem(StatusCode::CONFLICT, "sold_out");
    }
    wanted.taken += 1;
    let number = shop.take(buyer, offer);
    shop.by_key.insert(key, number);
    (StatusCode::CREATED, Json(shown(number, &shop.orders[number])))
}

impl Shop {
    /// Writes an order down and gives its number.
    fn take(&mut self, buyer: String, offer: String) -> usize {
        let state = if self.offers[number(&offer)].is_free { "COMPLETED" } else { "PENDING" };
        self.orders.push(Order { buyer, offer, state });
        self.orders.len() - 1
    }
}

async fn orders(State(shop): State<Shared>, headers: HeaderMap) -> Reply {
    let silent = {
        let shop = shop.lock().expect("whole");
        shop.closed && shop.flaw == Flaw::FallsSilent
    };
    if silent {
        std::future::pending::<()>().await;
    }
    let shop = shop.lock().expect("whole");
    let buyer = buyer(&headers);
    let own = shop.orders.iter().enumerate().filter(|(_, order)| order.buyer == buyer);
    let items: Vec<Value> = own.map(|(number, order)| shown(number, order)).collect();
    (StatusCode::OK, Json(json!({ "items": items, "next_cursor": null })))
}

async fn one_order(State(shop): State<Shared>, Path(id): Path<String>) -> Reply {
    let shop = shop.lock().expect("whole");
    (StatusCode::OK, Json(shown(number(&id), &shop.orders[number(&id)])))
}

async fn cancel(State(shop): State<Shared>, Path(id): Path<String>) -> Reply {
    let mut shop = shop.lock().expect("whole");
    let order = &mut shop.orders[number(&id)];
    order.state = "CANCELED";
    let offer = order.offer.clone();
    shop.charges.iter_mut().filter(|(order, _)| *order == id).for_each(|(_, balance)| *balance = 0);
    shop.offers[number(&offer)].taken -= 1;
    (StatusCode::OK, Json(json!({ "order_id": id, "state": "CANCELED" })))
}

async fn charge(Json(body): Json<Value>) -> Reply {
    (StatusCode::OK, Json(json!({ "paymentKey": format!("key_{}", body["orderId"].as_str().expect("an order")) })))
}

async fn charges(State(shop): State<Shared>) -> Reply {
    let shop = shop.lock().expect("whole");
    let item = |(order, balance): &(String, i64)| {
        let status = if *balance > 0 { "DONE" } else { "CANCELED" };
        json!({ "paymentKey": format!("key_{order}"), "orderId": order, "status": status, "totalAmount": 50_000, "balanceAmount": balance })
    };
    (StatusCode::OK, Json(json!({ "items": shop.charges.iter().map(item).collect::<Vec<_>>(), "next_cursor": null })))
}

async fn confirm(State(shop): State<Shared>, Json(body): Json<Value>) -> Reply {
    let mut shop = shop.lock().expect("whole");
    let id = body["order_id"].as_str().expect("an order").to_owned();
    let forgets = shop.flaw == Flaw::Forgets && shop.charges.len() == 3;
    if shop.orders[number(&id)].state != "COMPLETED" {
        shop.charges.push((id.clone(), 50_000));
    }
    shop.orders[number(&id)].state = if forgets { "EXPIRED" } else { "COMPLETED" };
    (StatusCode::OK, Json(json!({ "payment_id": "pay_1", "state": "DONE" })))
}
