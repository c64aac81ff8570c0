//! The generator against the floor and against a shop that is only pretended.

mod figures;
mod pretended;
mod rehearsal;

use std::cell::RefCell;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::task::LocalSet;

use super::client::{ClientError, Connection, request};
use super::drive::{Plan, Run, Work, drive};
use super::progress::Progress;
use super::scenario;
use super::tally::Tally;

const PLAN: Plan = Plan { connections: 8, duration: Duration::from_secs(20), limit: 500, rate: None };

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.expect("bound");
    let address = listener.local_addr().expect("address");
    (listener, address)
}

#[tokio::test]
async fn every_request_to_the_floor_is_answered() {
    let (listener, address) = listener().await;
    tokio::spawn(super::floor::serve(listener, tokio_util::sync::CancellationToken::new()));
    let buyers = ["one".to_owned(), "two".to_owned()];
    let run = LocalSet::new().run_until(scenario::floor::run(address, &buyers, PLAN, &Progress::new(false))).await;
    assert_eq!((run.tally.requests, run.tally.ok, run.tally.errors), (500, 500, 0), "{:?}", run.tally);
}

struct Ask;

impl Work for Ask {
    async fn once(&self, connection: &mut Connection, number: u64, tally: &RefCell<Tally>) -> Result<(), ClientError> {
        let host = connection.address();
        let path = if number.is_multiple_of(2) { "/sold-out" } else { "/broken" };
        request::with_body(connection.request(), ("POST", path), host, None, None, b"{}");
        let response = connection.send().await?;
        tally.borrow_mut().refuse(response);
        Ok(())
    }
}

async fn ask(plan: Plan) -> Run {
    let (listener, address) = listener().await;
    let router = Router::new()
        .route("/sold-out", post(async || (StatusCode::CONFLICT, r#"{"code":"sold_out"}"#)))
        .route("/broken", post(async || (StatusCode::INTERNAL_SERVER_ERROR, "oh")));
    tokio::spawn(async move { axum::serve(listener, router).await });
    LocalSet::new().run_until(drive(Ask, address, plan, &Progress::new(false))).await
}

#[tokio::test]
async fn refusals_are_counted_by_code_and_failures_as_errors() {
    let run = ask(PLAN).await;
    assert_eq!((run.tally.refused_with("sold_out"), run.tally.errors), (250, 250));
    assert_eq!(run.tally.error_words, ["status 500: oh"]);
}

#[tokio::test]
async fn arrivals_of_an_open_loop_come_at_their_rate() {
    let plan = Plan { limit: u64::MAX, duration: Duration::from_millis(200), rate: Some(1000.0), ..PLAN };
    assert_eq!(ask(plan).await.tally.requests, 200);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error_and_not_a_hang() {
    let (listener, address) = listener().await;
    drop(listener);
    let plan = Plan { limit: 10, ..PLAN };
    let run = LocalSet::new().run_until(drive(Ask, address, plan, &Progress::new(false))).await;
    assert_eq!((run.tally.requests, run.tally.errors), (10, 10));
}
