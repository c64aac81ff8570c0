//! `GET /vouchers/{code}/history`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::money::Money;
use firstcome_core::records::{Direction, Field as _, Query, Record as _, RecordsExt, Stored};
use firstcome_core::time::Time;
use serde::Serialize;
use utoipa::ToSchema;

use super::Vouchers;
use super::store::{Movement, MovementKind};
use crate::http::{Buyer, Items, MoneySchema, Outcome, PageParameters, Path};

/// One thing that happened to a voucher.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = VoucherMovement)]
pub(super) struct MovementView {
    kind: MovementKind,
    /// Gift card: how much.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<MoneySchema>)]
    amount: Option<Money>,
    /// Gift card: what was left afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<MoneySchema>)]
    balance: Option<Money>,
    #[schema(value_type = String, format = DateTime)]
    at: Time,
}

/// What happened to a voucher, newest first.
#[utoipa::path(
    get, path = "/api/v1/vouchers/{code}/history", tag = "vouchers",
    params(("code" = String, Path), ("limit" = Option<u32>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = Items<MovementView>), (status = 404, description = "not_found")),
    security(("bearer" = [])),
)]
pub(super) async fn get(
    State(vouchers): State<Arc<Vouchers>>,
    Buyer(caller): Buyer,
    Path(code): Path<String>,
    page: PageParameters,
) -> Outcome<Json<Items<MovementView>>> {
    let voucher = vouchers.visible(caller, &code).await?.record;
    let query = page.within(
        Query::all(Movement::TABLE, page.limit + 1).is("voucher", voucher.id).order_by("at", Direction::Descending),
    )?;
    let mut rows = vouchers.ports.records.list::<Movement>(query).await?;
    let is_issue = |row: &Stored<Movement>| row.record.kind == MovementKind::Issued;
    if rows.len() <= page.limit as usize && !rows.iter().any(is_issue) {
        rows.push(Stored { record: Movement::issued(&voucher), version: 1 });
    }
    let place = |row: &Stored<Movement>| (row.record.at.to_value(), row.record.key());
    Ok(Json(page.page(rows, place, |row| MovementView {
        kind: row.record.kind,
        amount: voucher.money(row.record.amount),
        balance: voucher.money(row.record.balance),
        at: row.record.at,
    })))
}
