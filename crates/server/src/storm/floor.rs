//! The floor: the least that a server on the same framework can do with the same request.
//!
//! It parses the same JSON and answers 201 with a JSON of the size of an order; it checks no token, holds no stock and stores
//! nothing. It runs as a process of its own, with the same allocator, runtime and HTTP settings as the shop.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::accept::{self, AcceptOptions};

/// What the floor takes: the body of an order for one offer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    offer_id: String,
    quantity: u32,
}

/// What it answers: as many fields as an order has.
#[derive(Serialize)]
struct Answered {
    order_id: &'static str,
    state: &'static str,
    amount: Amount,
    lines: [Line; 1],
    hold_expires_at: &'static str,
    created_at: &'static str,
}

#[derive(Serialize)]
struct Line {
    offer_id: String,
    quantity: u32,
    unit_price: Amount,
    seq: u64,
}

#[derive(Clone, Copy, Serialize)]
struct Amount {
    amount: i64,
    currency: &'static str,
}

/// The bounds of the shop's accept loop; none is ever reached.
const BOUNDS: AcceptOptions =
    AcceptOptions { max_connections: 10_000, header_timeout: Duration::from_secs(10), drain: Duration::from_secs(1) };

/// Serves until standard input ends, which it does when the storm does, however that came about.
pub(crate) fn serve_until_stdin_ends() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        writeln!(io::stdout(), "floor http://{}", listener.local_addr()?)?;
        let stop = CancellationToken::new();
        let serving = tokio::spawn(serve(listener, stop.clone()));
        // However it ends, nobody is there any more.
        let _ = tokio::task::spawn_blocking(|| io::stdin().read(&mut [0])).await;
        stop.cancel();
        serving.await.map_err(io::Error::other)
    })
}

/// Answers on `listener` until stopped.
pub(crate) async fn serve(listener: TcpListener, stop: CancellationToken) {
    let router = Router::new().route("/api/v1/orders", post(answer));
    accept::serve(listener, router, BOUNDS, stop).await;
}

async fn answer(Json(asked): Json<Asked>) -> (StatusCode, Json<Answered>) {
    let price = Amount { amount: 50_000, currency: "KRW" };
    let line = Line { offer_id: asked.offer_id, quantity: asked.quantity, unit_price: price, seq: 1 };
    let answered = Answered {
        order_id: "ord_01h455vb4pex5vsknk084sn02q",
        state: "PENDING",
        amount: price,
        lines: [line],
        hold_expires_at: "2026-01-01T00:15:00.000000Z",
        created_at: "2026-01-01T00:00:00.000000Z",
    };
    (StatusCode::CREATED, Json(answered))
}
