//! Answers that have no end of their own: event streams. Whoever lets one out says when it ends.

use std::future::Future;

use axum::body::Body;
use axum::http::{HeaderMap, Response, header};
use futures_util::StreamExt as _;

/// An answer that ends when `over` does, if it is an event stream; any other is left as it is. Each piece of a stream is
/// a whole event, so none is cut; browsers connect again by themselves.
pub fn end_event_stream<F>(response: Response<Body>, over: F) -> Response<Body>
where
    F: Future<Output = ()> + Send + 'static,
{
    if !is_event_stream(response.headers()) {
        return response;
    }
    response.map(|body| Body::from_stream(body.into_data_stream().take_until(over)))
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use tokio::sync::oneshot::channel;

    use super::*;

    fn answer(kind: &'static str, over: impl Future<Output = ()> + Send + 'static) -> Body {
        let pieces = futures_util::stream::iter([Ok::<_, Infallible>("data: 1\n\n")]);
        let body = Body::from_stream(pieces.chain(futures_util::stream::pending()));
        let response = Response::builder().header(header::CONTENT_TYPE, kind).body(body).expect("a response");
        end_event_stream(response, over).into_body()
    }

    #[tokio::test]
    async fn an_event_stream_ends_when_it_is_over() {
        let (end, ended) = channel::<()>();
        let over = async move { ended.await.unwrap_or_default() };
        let mut events = answer("text/event-stream; charset=utf-8", over).into_data_stream();
        assert_eq!(events.next().await.expect("an event").expect("whole"), "data: 1\n\n");
        assert!(futures_util::poll!(events.next()).is_pending());
        end.send(()).expect("somebody listens");
        assert!(events.next().await.is_none());
    }

    #[tokio::test]
    async fn another_answer_goes_on() {
        let mut pieces = answer("text/html", async {}).into_data_stream();
        assert_eq!(pieces.next().await.expect("a piece").expect("whole"), "data: 1\n\n");
        assert!(futures_util::poll!(pieces.next()).is_pending());
    }
}
