//! A file that is sent while it is read.

use std::io;

use async_trait::async_trait;
use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use firstcome_core::ports::PortError;
use futures_util::{StreamExt as _, stream};

use super::Table;
use super::days::Days;
use crate::http::Outcome;

/// The rows of a file.
#[async_trait]
pub(crate) trait Rows: Send + 'static {
    /// The next page of them; empty behind the last.
    async fn next(&mut self) -> Result<Vec<Vec<String>>, PortError>;
}

/// Sends a file of these days. Only a page of it is in memory: the next is read when the client has taken this one. What
/// fails before the first is told as a problem; later the connection breaks off, so that no part is taken for the whole.
pub(crate) async fn download(name: &str, days: &Days, columns: &[&str], mut rows: impl Rows) -> Outcome<Response> {
    let table = Table::new(columns).map_err(unwritten)?;
    let first = written(table, &rows.next().await?)?;
    let rest = stream::try_unfold(rows, async |mut rows| {
        let page = rows.next().await.inspect_err(|error| tracing::warn!(%error, "a file of the books broke off"))?;
        let is_last = page.is_empty();
        Ok::<_, PortError>((!is_last).then_some((written(Table::below(), &page)?, rows)))
    });
    let body = Body::from_stream(stream::iter([Ok(first)]).chain(rest));
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}-{}.csv\"", days.name)),
        (header::CACHE_CONTROL, "private, no-store".to_owned()),
    ];
    Ok((headers, body).into_response())
}

fn written(mut table: Table, rows: &[Vec<String>]) -> Result<Vec<u8>, PortError> {
    rows.iter().try_for_each(|row| table.row(row)).map_err(unwritten)?;
    table.finish().map_err(unwritten)
}

/// Nothing but rows of different lengths fails in memory.
fn unwritten(error: io::Error) -> PortError {
    PortError::Misused(error.to_string())
}

#[cfg(test)]
mod tests {
    use firstcome_core::codes::ErrorCode;
    use firstcome_core::time::Time;
    use http_body_util::BodyExt as _;

    use super::*;

    struct Given(Vec<Result<Vec<Vec<String>>, PortError>>);

    #[async_trait]
    impl Rows for Given {
        async fn next(&mut self) -> Result<Vec<Vec<String>>, PortError> {
            if self.0.is_empty() { Ok(Vec::new()) } else { self.0.remove(0) }
        }
    }

    async fn asked(pages: Vec<Result<Vec<Vec<String>>, PortError>>) -> Outcome<Response> {
        let days = Days { from: Time(0), before: Time(1), name: "today".to_owned() };
        download("things", &days, &["name", "note"], Given(pages)).await
    }

    fn page(name: &str) -> Vec<Vec<String>> {
        vec![vec![name.to_owned(), "a, \"b\"".to_owned()]]
    }

    fn failed() -> Result<Vec<Vec<String>>, PortError> {
        Err(PortError::Unavailable("no disk".to_owned()))
    }

    #[tokio::test]
    async fn pages_follow_each_other_below_one_header() {
        let answer = asked(vec![Ok(page("one")), Ok(page("two"))]).await.expect("sent");
        assert_eq!(answer.headers()["content-type"], "text/csv; charset=utf-8");
        assert_eq!(answer.headers()["content-disposition"], "attachment; filename=\"things-today.csv\"");
        let body = answer.into_body().collect().await.expect("whole").to_bytes();
        assert_eq!(body, "name,note\none,\"a, \"\"b\"\"\"\ntwo,\"a, \"\"b\"\"\"\n");
        let nothing = asked(Vec::new()).await.expect("sent").into_body().collect().await.expect("whole").to_bytes();
        assert_eq!(nothing, "name,note\n");
    }

    #[tokio::test]
    async fn what_breaks_off_is_no_whole_file() {
        let problem = asked(vec![failed()]).await.expect_err("a problem");
        assert_eq!(problem.code(), ErrorCode::Unavailable);
        let mut body = asked(vec![Ok(page("one")), failed()]).await.expect("begun").into_body();
        assert!(body.frame().await.expect("a page").is_ok());
        assert!(body.frame().await.expect("an end").is_err());
    }
}
