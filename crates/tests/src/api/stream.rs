//! Server-sent events.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::Value;

use super::{Api, NoAnswer};

/// A stream of events that is being read.
#[derive(Debug)]
pub struct EventStream {
    body: Incoming,
    unread: Vec<u8>,
    ready: VecDeque<(String, Value)>,
}

impl Api {
    /// Opens a stream under `/api/v1`; it must answer 200 and `text/event-stream`.
    pub async fn stream(&self, path: &str) -> Result<EventStream, NoAnswer> {
        let response = self.get(path).header("accept", "text/event-stream").open().await?;
        let kind = response.headers().get("content-type").map(|kind| String::from_utf8_lossy(kind.as_bytes()));
        assert_eq!(response.status(), 200, "stream {path}");
        assert!(kind.as_deref().is_some_and(|kind| kind.starts_with("text/event-stream")), "stream {path}: {kind:?}");
        Ok(EventStream { body: response.into_body(), unread: Vec::new(), ready: VecDeque::new() })
    }
}

impl EventStream {
    /// The next event: its name and its data. `None` at the end of the stream or when none comes within `patience`.
    pub async fn next(&mut self, patience: Duration) -> Option<(String, Value)> {
        tokio::time::timeout(patience, self.read()).await.ok().flatten()
    }

    async fn read(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            let frame = self.body.frame().await?.ok()?;
            if let Ok(data) = frame.into_data() {
                self.take(&data);
            }
        }
    }

    fn take(&mut self, data: &Bytes) {
        self.unread.extend_from_slice(data);
        while let Some(end) = self.unread.windows(2).position(|pair| pair == b"\n\n") {
            let block: Vec<u8> = self.unread.drain(..end + 2).collect();
            self.ready.extend(parse(&String::from_utf8_lossy(&block)));
        }
    }
}

/// One event, or none for a comment.
fn parse(block: &str) -> Option<(String, Value)> {
    let mut name = "message".to_owned();
    let mut data = String::new();
    for line in block.lines() {
        if let Some(value) = line.strip_prefix("event:") {
            value.trim().clone_into(&mut name);
        } else if let Some(value) = line.strip_prefix("data:") {
            data.push_str(value.trim());
        }
    }
    let value = if data.is_empty() { return None } else { serde_json::from_str(&data).unwrap_or(Value::String(data)) };
    Some((name, value))
}
