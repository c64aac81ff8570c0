//! `POST /admin/settlement`: checks a day, or each of several.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ports::{Committed, PortError};
use firstcome_core::records::{Comparison, Direction, Field as _, Query, Record as _, RecordsExt as _, Unit};
use firstcome_core::time::Time;
use garde::Validate;
use jiff::civil::Date;
use jiff::{ToSpan as _, Unit as Span};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::rows::Settlement;
use super::show::RunView;
use crate::http::{Body, Operator, Outcome, Problem};
use crate::payments::Payments;

/// Days that one request may ask for.
const MOST_DAYS: i64 = 31;
/// Before it no shop can have sold anything.
const FIRST: Date = jiff::civil::date(2000, 1, 1);
/// Runs that may wait together.
const MOST_WAITING: u32 = 100;
/// How often it is asked again while others ask for the same days.
const TRIES: usize = 16;

/// Which days are to be checked.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AskForSettlement)]
pub(in crate::payments) struct Request {
    /// The day, or the first of several, in the shop's time zone. Today up to now; yesterday if left out.
    #[serde(default)]
    #[garde(skip)]
    #[schema(example = "2026-11-26")]
    from: Option<String>,
    /// The last day; `from` if left out.
    #[serde(default)]
    #[garde(skip)]
    #[schema(example = "2026-11-26")]
    to: Option<String>,
}

/// The runs that check them.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SettlementRuns)]
pub(in crate::payments) struct Response {
    /// One for each day.
    items: Vec<RunView>,
}

/// Compares what the provider says has moved on a day, or on each of up to 31, with the shop's books. A run for each day
/// begins at once; one of a day that waits already is not made again.
#[utoipa::path(
    post, path = "/api/v1/admin/settlement", tag = "admin", request_body = Request,
    responses(
        (status = 202, body = Response),
        (status = 422, description = "invalid_body: no day, one before 2000 or that has not begun, or more than 31"),
        (status = 503, description = "overloaded: many wait already"),
    ),
    security(("bearer" = [])),
)]
pub(in crate::payments) async fn post(
    State(payments): State<Arc<Payments>>,
    _: Operator,
    body: Body<Request>,
) -> Outcome<(StatusCode, Json<Response>)> {
    let days = body.value.days(payments.options.settlement.today(payments.now()))?;
    let items = payments.want(&days).await?;
    Ok((StatusCode::ACCEPTED, Json(Response { items })))
}

impl Request {
    /// The days that are asked for.
    fn days(&self, today: Option<Date>) -> Outcome<Vec<Date>> {
        let today = today.ok_or_else(|| Problem::new(ErrorCode::Unavailable))?;
        let yesterday = today.yesterday().unwrap_or(today);
        let from = self.from.as_deref().map_or(Ok(yesterday), |day| parse("from", day))?;
        let to = self.to.as_deref().map_or(Ok(from), |day| parse("to", day))?;
        if from < FIRST {
            return Err(Problem::field("from", "is before the year 2000"));
        }
        if to < from {
            return Err(Problem::field("to", "is before from"));
        }
        if to > today {
            return Err(Problem::field(if self.to.is_some() { "to" } else { "from" }, "has not begun yet"));
        }
        let count = from.until((Span::Day, to)).map_or(MOST_DAYS, |span| i64::from(span.get_days())) + 1;
        if count > MOST_DAYS {
            return Err(Problem::field("to", format!("{MOST_DAYS} days are checked at a time")));
        }
        Ok((0..count).filter_map(|number| from.checked_add(number.days()).ok()).collect())
    }
}

fn parse(field: &'static str, text: &str) -> Outcome<Date> {
    text.parse().map_err(|_| Problem::field(field, "must be a day such as 2026-11-26"))
}

impl Payments {
    /// Runs of these days, those that wait already among them.
    pub(in crate::payments) async fn want(&self, days: &[Date]) -> Outcome<Vec<RunView>> {
        for _ in 0..TRIES {
            if let Some(runs) = self.want_at_once(days).await? {
                return Ok(runs);
            }
        }
        Err(Problem::new(ErrorCode::Unavailable).detail("Others ask for the same days at the moment; ask again"))
    }

    /// The same; none when somebody else has asked for one of the days in this moment.
    async fn want_at_once(&self, days: &[Date]) -> Outcome<Option<Vec<RunView>>> {
        let waiting =
            Query::all(Settlement::TABLE, MOST_WAITING).filter("due_at", Comparison::AtMost(Time(i64::MAX).to_value()));
        let waiting = self.ports.records.list::<Settlement>(waiting).await?;
        let (mut unit, mut runs) = (Unit::new(), Vec::new());
        for day in days {
            let text = day.to_string();
            if let Some(known) = waiting.iter().find(|run| run.record.day == text) {
                runs.push(RunView::of(&known.record));
                continue;
            }
            let before = self.asked_before(text).await?;
            if let Some(begun) = before.as_ref().filter(|run| run.ended_at.is_none()) {
                // Somebody has asked for it after those that wait were read.
                runs.push(RunView::of(begun));
                continue;
            }
            let run = Settlement::asked(*day, before.as_ref(), self.now());
            unit = unit.insert(&run);
            runs.push(RunView::of(&run));
        }
        if waiting.len() + unit.writes.len() > MOST_WAITING as usize {
            return Err(Problem::new(ErrorCode::Overloaded).detail("Many settlements wait already; ask again later"));
        }
        if !unit.is_empty() && self.ports.records.commit(unit).await? != Committed::Done {
            return Ok(None);
        }
        Ok(Some(runs))
    }

    /// The last run of a day that was asked for.
    async fn asked_before(&self, day: String) -> Result<Option<Settlement>, PortError> {
        let last = Query::all(Settlement::TABLE, 1).is("nightly", false).is("day", day);
        let last = last.order_by("created_at", Direction::Descending);
        Ok(self.ports.records.list::<Settlement>(last).await?.pop().map(|run| run.record))
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn days_are_asked_for_one_by_one() {
        let days = |from: Option<&str>, to: Option<&str>| {
            let request = Request { from: from.map(str::to_owned), to: to.map(str::to_owned) };
            request.days(Some(date(2026, 11, 27))).map(|days| days.len()).map_err(|problem| problem.code())
        };
        assert_eq!(days(None, None), Ok(1));
        assert_eq!(days(Some("2026-11-27"), None), Ok(1), "today");
        assert_eq!(days(Some("2000-01-01"), None), Ok(1));
        assert_eq!(days(Some("2026-10-28"), Some("2026-11-27")), Ok(31));
        for (from, to) in [
            (Some("2026-11-28"), None),
            (Some("2026-11-20"), Some("2026-11-19")),
            (Some("2026-10-27"), Some("2026-11-27")),
            (Some("1999-12-31"), Some("2000-01-01")),
            (Some("-9999-01-01"), None),
            (Some("yesterday"), None),
            (None, Some("")),
        ] {
            assert!(days(from, to).is_err(), "{from:?} {to:?}");
        }
    }
}
