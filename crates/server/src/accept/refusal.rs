//! What is answered to a request that never became one: a problem document, and the end of the connection.

use std::io;
use std::pin::Pin;
use std::time::Duration;

use axum::response::IntoResponse as _;
use firstcome_app::http::Problem;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ports::{Clock as _, SystemClock};
use firstcome_core::time::Time;
use hyper::server::conn::http1::Parts;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::MAX_HEADER_BYTES;
use super::stream::Stream;

/// Time for the client to take the answer, and to stop sending.
const FAREWELL: Duration = Duration::from_secs(2);
/// Bytes that are read and thrown away, at the most, until the client stops sending.
const MAX_UNREAD: u64 = 1024 * 1024;

/// What is left to say and to hear on a connection that hyper has done with, if anything. In a box: it is seldom needed,
/// and every connection would be larger by it.
pub(super) fn farewell<S>(
    left: Parts<Stream, S>,
    outcome: hyper::Result<()>,
    header_timeout: Duration,
) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>> {
    let problem = match outcome {
        Ok(()) => None,
        Err(_) if !left.io.may_answer() => return None,
        // A client that breaks off is its own affair.
        Err(error) => Some(problem(&error, !left.read_buf.is_empty(), header_timeout)?),
    };
    let socket = left.io.into_socket();
    match problem {
        Some(problem) => Some(Box::pin(send(socket, problem, SystemClock.now()))),
        None if socket.try_read(&mut [0]).is_ok_and(|read| read > 0) => Some(Box::pin(drain(socket))),
        None => None,
    }
}

/// The problem that made hyper end the connection; none if there was no request. `begun` when a part of one has arrived.
fn problem(error: &hyper::Error, begun: bool, time: Duration) -> Option<Problem> {
    let malformed = |detail: String| Some(Problem::new(ErrorCode::MalformedRequest).detail(detail));
    if error.is_parse_too_large() {
        let detail = "The first line and the headers of a request may be 100 headers and 32 KiB together; send less";
        return Some(Problem::new(ErrorCode::HeadersTooLarge).detail(detail).with("max_bytes", MAX_HEADER_BYTES));
    }
    if error.is_parse_version_h2() {
        return malformed("HTTP/2 is not spoken here; send the request as HTTP/1.1".to_owned());
    }
    if error.is_parse() {
        return malformed(format!(
            "The request is no HTTP/1.1 ({error}); check its first line, its headers and how they say the body's length"
        ));
    }
    if begun && error.is_timeout() {
        let detail = format!("The headers did not arrive within {} seconds; send them in one go", time.as_secs());
        return Some(Problem::new(ErrorCode::RequestTimeout).detail(detail).with("seconds", time.as_secs()));
    }
    if begun && error.is_incomplete_message() {
        return malformed(
            "The request ended before its headers did; send them whole, with an empty line at the end".to_owned(),
        );
    }
    None
}

/// Sends the problem and ends the connection.
async fn send(mut socket: TcpStream, problem: Problem, now: Time) {
    let sending = async {
        socket.write_all(&written(problem, now).await?).await?;
        socket.shutdown().await
    };
    // A client that does not take the answer goes without.
    if let Ok(Ok(())) = tokio::time::timeout(FAREWELL, sending).await {
        drain(socket).await;
    }
}

/// Lets the client stop by itself. A socket that is closed with something unread in it is reset, and the client would
/// lose the answer.
async fn drain(socket: TcpStream) {
    let mut nothing = tokio::io::sink();
    let _ = tokio::time::timeout(FAREWELL, tokio::io::copy(&mut socket.take(MAX_UNREAD), &mut nothing)).await;
}

async fn written(problem: Problem, now: Time) -> io::Result<Vec<u8>> {
    let (head, body) = problem.into_response().into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.map_err(io::Error::other)?;
    let mut bytes = format!("HTTP/1.1 {}\r\n", head.status).into_bytes();
    for (name, value) in &head.headers {
        bytes.extend_from_slice(format!("{name}: ").as_bytes());
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    if let Some(date) = date(now) {
        bytes.extend_from_slice(format!("date: {date}\r\n").as_bytes());
    }
    let rest =
        format!("x-content-type-options: nosniff\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    bytes.extend_from_slice(rest.as_bytes());
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

fn date(now: Time) -> Option<String> {
    let now = jiff::Timestamp::from_microsecond(now.0).ok()?;
    jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&now).ok()
}
