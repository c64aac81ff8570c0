//! Lists: `?limit=&cursor=` in, `{"items": [], "next_cursor": null}` out.

use std::cmp::Reverse;

use axum::extract::{FromRequestParts, Query as QueryString};
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use firstcome_core::codes::ErrorCode;
use firstcome_core::records::{Field as _, Query, Value};
use firstcome_core::time::Time;
use serde::{Deserialize, Serialize};

use super::{Outcome, Problem};

/// Items of a page when the client does not say.
const DEFAULT_LIMIT: u32 = 20;
/// Items that a page may have.
const MAX_LIMIT: u32 = 100;

/// What is wrong with a cursor that is none.
const NO_CURSOR: &str = "cursor must be the next_cursor of the page before";

fn malformed(detail: &str) -> Problem {
    Problem::new(ErrorCode::MalformedRequest).detail(detail)
}

/// A page of a list.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Items<T> {
    /// What is on this page.
    pub items: Vec<T>,
    /// Where the next page begins; null on the last.
    pub next_cursor: Option<String>,
}

/// Which page is asked for.
#[derive(Debug, Clone)]
pub struct PageParameters {
    /// Items at most.
    pub limit: u32,
    /// The place after which the page begins: the ordering value and the key of the last item before it.
    pub after: Option<(Value, Value)>,
}

#[derive(Deserialize)]
struct Raw {
    limit: Option<u32>,
    cursor: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for PageParameters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let QueryString(raw) = QueryString::<Raw>::try_from_uri(&parts.uri)
            .map_err(|_| malformed("limit must be a number from 1 to 100"))?;
        let limit = raw.limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(malformed("limit must be a number from 1 to 100"));
        }
        let after = match raw.cursor.as_deref() {
            None | Some("") => None,
            Some(cursor) => Some(decode_cursor(cursor).ok_or_else(|| malformed(NO_CURSOR))?),
        };
        Ok(Self { limit, after })
    }
}

impl PageParameters {
    /// The query from where the page begins. A cursor of another list, or one that the client made up, is refused.
    pub fn within(&self, query: Query) -> Outcome<Query> {
        if self.after.as_ref().is_some_and(|place| !query.has_place(place)) {
            return Err(malformed(NO_CURSOR));
        }
        Ok(query.after(self.after.clone()))
    }

    /// The place after which the page begins, in a list whose places are numbers.
    pub fn place(&self) -> Outcome<Option<i64>> {
        match self.after {
            None => Ok(None),
            Some((Value::Integer(place), Value::Integer(same))) if place == same => Ok(Some(place)),
            Some(_) => Err(malformed(NO_CURSOR)),
        }
    }

    /// The page from one item more than it may have, as read from a store: the extra one only tells that there is a next
    /// page. `place` gives the ordering value and the key of an item.
    pub fn page<T, U>(
        &self,
        mut items: Vec<T>,
        place: impl Fn(&T) -> (Value, Value),
        show: impl Fn(T) -> U,
    ) -> Items<U> {
        let limit = self.limit as usize;
        let more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = if more { items.last().map(|last| encode_cursor(&place(last))) } else { None };
        Items { items: items.into_iter().map(show).collect(), next_cursor }
    }
}

/// One page out of the same page of several lists, newest first: a page begins at a place in time, which means the same to
/// each. `place` gives the time and the id of an item.
pub fn merge<T>(pages: Vec<Items<T>>, asked: &PageParameters, place: impl Fn(&T) -> (Time, [u8; 16])) -> Items<T> {
    let limit = asked.limit as usize;
    let more = pages.iter().any(|page| page.next_cursor.is_some());
    let mut items: Vec<T> = pages.into_iter().flat_map(|page| page.items).collect();
    items.sort_unstable_by_key(|item| Reverse(place(item)));
    let more = more || items.len() > limit;
    items.truncate(limit);
    let last = items.last().filter(|_| more).map(place);
    Items { next_cursor: last.map(|(at, id)| encode_cursor(&(at.to_value(), Value::Blob(id.to_vec())))), items }
}

fn plain(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Integer(number) => (*number).into(),
        Value::Text(text) => text.clone().into(),
        Value::Blob(bytes) => serde_json::json!({ "b": URL_SAFE_NO_PAD.encode(bytes) }),
    }
}

fn value(plain: &serde_json::Value) -> Option<Value> {
    Some(match plain {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Number(number) => Value::Integer(number.as_i64()?),
        serde_json::Value::String(text) => Value::Text(text.clone()),
        serde_json::Value::Object(object) => Value::Blob(URL_SAFE_NO_PAD.decode(object.get("b")?.as_str()?).ok()?),
        _ => return None,
    })
}

/// A place in a list as opaque text.
pub fn encode_cursor(place: &(Value, Value)) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::json!([plain(&place.0), plain(&place.1)]).to_string())
}

/// Reads a place back; none when the text is not one.
pub fn decode_cursor(text: &str) -> Option<(Value, Value)> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let [first, second]: [serde_json::Value; 2] = serde_json::from_slice(&bytes).ok()?;
    Some((value(&first)?, value(&second)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursor_round_trip() {
        let place = (Value::Integer(5), Value::Blob(vec![1, 2]));
        assert_eq!(decode_cursor(&encode_cursor(&place)), Some(place));
        assert_eq!(decode_cursor("not a cursor"), None);
    }
}
