//! An event as a message of Kafka: the binary form of CloudEvents 1.0, with two headers of our own.

use std::str::FromStr;

use firstcome_core::ports::LoggedEvent;
use rdkafka::message::{Header, Headers as _, Message, OwnedHeaders};

use super::place::Place;

/// The event's number.
const SEQUENCE: &str = "seq";
/// What the relay had read when it wrote: an offset, and the number of the last event accepted before it.
const PLACE: &str = "place";

/// The headers of an event that a relay writes at a place. Its key is the subject, its value the data.
pub(crate) fn headers(event: &LoggedEvent, place: Place, role: &str) -> OwnedHeaders {
    let headers: [(&str, &str); 8] = [
        (SEQUENCE, &event.position.to_string()),
        (PLACE, &format!("{}:{}", place.offset, place.last)),
        ("ce_specversion", "1.0"),
        ("ce_id", &event.id.to_string()),
        ("ce_source", &format!("firstcome/{role}")),
        ("ce_type", &event.kind),
        ("ce_time", &event.at.to_string()),
        ("content-type", "application/json"),
    ];
    let start = OwnedHeaders::new_with_capacity(headers.len());
    headers.into_iter().fold(start, |all, (key, value)| all.insert(Header { key, value: Some(value) }))
}

/// Reads a relay's message. None for what no relay has written.
pub(crate) fn decode(message: &impl Message) -> Option<(LoggedEvent, Place)> {
    let (offset, last) = header(message, PLACE)?.split_once(':')?;
    let place = Place { offset: number(offset)?, last: number(last)? };
    let position = number(header(message, SEQUENCE)?).filter(|position| *position > 0)?;
    let event = LoggedEvent {
        position,
        id: header(message, "ce_id")?.parse().ok()?,
        kind: header(message, "ce_type")?.to_owned(),
        subject: text(message.key()?)?.to_owned(),
        at: header(message, "ce_time")?.parse().ok()?,
        data: text(message.payload()?)?.to_owned(),
    };
    // A place that is not before the message is no relay's.
    (place.offset <= message.offset()).then_some((event, place))
}

fn header<'a>(message: &'a impl Message, key: &str) -> Option<&'a str> {
    text(message.headers()?.iter().find(|header| header.key == key)?.value?)
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

fn number(text: &str) -> Option<i64> {
    i64::from_str(text).ok().filter(|number| *number >= 0)
}
