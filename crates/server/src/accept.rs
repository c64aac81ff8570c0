//! The accept loop: HTTP/1.1 connections, bounded in number, with time limits, drained on the way out.

mod refusal;
mod stream;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::Response;
use firstcome_app::http::end_event_stream;
use hyper::body::Incoming;
use hyper::server::conn::http1::Connection;
use hyper::service::HttpService;
use hyper_util::rt::TokioTimer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tower::Service;

use self::stream::Stream;

/// Bytes that the headers of a request may have together.
const MAX_HEADER_BYTES: usize = 32 * 1024;
/// Pause after the system has no room for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Bounds of the accept loop.
#[derive(Debug, Clone, Copy)]
pub struct AcceptOptions {
    /// Connections at the same time.
    pub max_connections: usize,
    /// Time to send the headers of a request, and to begin the next one.
    pub header_timeout: Duration,
    /// Time for requests under way after the stop.
    pub drain: Duration,
}

/// Serves `service` until stopped, then lets what is under way finish. Event streams, which would never, end at the stop.
pub async fn serve<S>(listener: TcpListener, service: S, options: AcceptOptions, stop: CancellationToken)
where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible> + Clone + Send + Unpin + 'static,
    S::Future: Send,
{
    let connections = Arc::new(Semaphore::new(options.max_connections));
    // Every connection watches it, and lets go of it at its end.
    let (stopping, _) = watch::channel(());
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(options.header_timeout).max_buf_size(MAX_HEADER_BYTES);
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &connections) => accepted,
        };
        let Some((stream, address, permit)) = accepted else { continue };
        let service = service.clone();
        let stop = stop.clone();
        let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(address));
            let answer = service.clone().call(request);
            let stop = stop.clone();
            async move { answer.await.map(|response| end_event_stream(response, stop.cancelled_owned())) }
        });
        let mut connection = http.serve_connection(Stream::new(stream), service);
        let mut stopping = stopping.subscribe();
        tokio::spawn(async move {
            let outcome = talk(&mut connection, &mut stopping).await;
            if let Some(farewell) = refusal::farewell(connection.into_parts(), outcome, options.header_timeout) {
                farewell.await;
            }
            drop((permit, stopping));
        });
    }
    drop(listener);
    stopping.send_replace(());
    if tokio::time::timeout(options.drain, stopping.closed()).await.is_err() {
        tracing::warn!("requests were still under way when the time to finish ran out");
    }
}

/// Serves a connection to its end, or finishes what is under way.
async fn talk<S>(connection: &mut Connection<Stream, S>, stopping: &mut watch::Receiver<()>) -> hyper::Result<()>
where
    S: HttpService<Incoming, ResBody = Body, Error = Infallible> + Unpin,
{
    let ended = tokio::select! {
        biased;
        outcome = &mut *connection => Some(outcome),
        _ = stopping.changed() => None,
    };
    if let Some(outcome) = ended {
        return outcome;
    }
    Pin::new(&mut *connection).graceful_shutdown();
    connection.await
}

async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let permit = connections.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, address)) => {
            // Answers are small and complete: waiting to send more of them together would only cost time.
            let _ = stream.set_nodelay(true);
            Some((stream, address, permit))
        }
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}
