//! `GET /admin/dead-letters`: what could not be handled, newest first.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::ports::RoleName;
use firstcome_core::records::{Comparison, Direction, Field as _, Query, Record as _, RecordsExt as _};
use firstcome_core::time::Time;
use serde::Deserialize;

use super::view::place;
use super::{LetterView, Letters, roles_of};
use crate::consumer::DeadLetter;
use crate::http::{Items, Operator, Outcome, PageParameters, QueryString};

/// Which letters are asked for.
#[derive(Debug, Deserialize)]
pub(crate) struct Filters {
    role: Option<String>,
    consumer: Option<String>,
    replayed: Option<bool>,
}

impl Filters {
    /// The roles that are asked.
    pub(crate) fn roles(&self) -> Outcome<Vec<RoleName>> {
        roles_of(self.role.as_deref())
    }
}

/// Events that could not be handled, newest first, of all roles.
#[utoipa::path(
    get, path = "/api/v1/admin/dead-letters", tag = "admin",
    params(
        ("replayed" = Option<bool>, Query, description = "false: only those that wait; true: only those that were replayed"),
        ("role" = Option<String>, Query, description = "Only those of this role; the others are not asked"),
        ("consumer" = Option<String>, Query, description = "Only those of this consumer"),
        ("limit" = Option<u32>, Query, description = "1 to 100, 20 if left out"), ("cursor" = Option<String>, Query),
    ),
    responses((status = 200, body = Items<LetterView>), (status = 400), (status = 503)),
    security(("bearer" = [])),
)]
pub(super) async fn get(
    State(here): State<Arc<Vec<Letters>>>,
    _: Operator,
    QueryString(filters): QueryString<Filters>,
    asked: PageParameters,
) -> Outcome<Json<Items<LetterView>>> {
    let roles = filters.roles()?;
    let mut pages = Vec::new();
    for letters in here.iter().filter(|letters| roles.contains(&letters.role)) {
        pages.push(letters.page(&filters, &asked).await?);
    }
    Ok(Json(LetterView::merge(pages, &asked)))
}

impl Letters {
    async fn page(&self, filters: &Filters, asked: &PageParameters) -> Outcome<Items<LetterView>> {
        let mut query = Query::all(DeadLetter::TABLE, asked.limit + 1).order_by("at", Direction::Descending);
        if let Some(consumer) = filters.consumer.as_ref().filter(|name| !name.is_empty()) {
            query = query.is("consumer", consumer.clone());
        }
        query = match filters.replayed {
            None => query,
            Some(false) => query.filter("replayed_at", Comparison::IsNull),
            // Nothing that is empty is at least anything.
            Some(true) => query.filter("replayed_at", Comparison::AtLeast(Time(0).to_value())),
        };
        let rows = self.records.list::<DeadLetter>(asked.within(query)?).await?;
        let view = |row: firstcome_core::records::Stored<DeadLetter>| LetterView::new(self.role, row.record);
        Ok(asked.page(rows, |row| place(row.record.at, row.record.id), view))
    }
}
