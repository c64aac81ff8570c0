//! Answers that have no end of their own: event streams. They end when the server stops; everything else is finished.

use axum::body::Body;
use axum::http::{HeaderMap, Response, header};
use futures_util::StreamExt as _;
use tokio_util::sync::CancellationToken;

/// An answer that ends at the stop at the latest, if it is an event stream. Each piece of a stream is a whole event, so
/// none is cut; browsers connect again by themselves.
pub(super) fn until(response: Response<Body>, stop: CancellationToken) -> Response<Body> {
    if !is_event_stream(response.headers()) {
        return response;
    }
    response.map(|body| Body::from_stream(body.into_data_stream().take_until(stop.cancelled_owned())))
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(kind: &'static str, stop: &CancellationToken) -> Body {
        let pieces = futures_util::stream::iter([Ok::<_, std::convert::Infallible>("data: 1\n\n")]);
        let body = Body::from_stream(pieces.chain(futures_util::stream::pending()));
        let response = Response::builder().header(header::CONTENT_TYPE, kind).body(body).expect("a response");
        until(response, stop.clone()).into_body()
    }

    #[tokio::test]
    async fn an_event_stream_ends_at_the_stop() {
        let stop = CancellationToken::new();
        let mut events = answer("text/event-stream; charset=utf-8", &stop).into_data_stream();
        assert_eq!(events.next().await.expect("an event").expect("whole"), "data: 1\n\n");
        stop.cancel();
        assert!(events.next().await.is_none());
    }

    #[tokio::test]
    async fn another_answer_goes_on() {
        let stop = CancellationToken::new();
        stop.cancel();
        let mut pieces = answer("text/html", &stop).into_data_stream();
        assert_eq!(pieces.next().await.expect("a piece").expect("whole"), "data: 1\n\n");
        assert!(futures_util::poll!(pieces.next()).is_pending());
    }
}
