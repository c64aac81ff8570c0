//! `GET /admin/settlement`, `/admin/settlement/{id}` and `/admin/settlement/{id}/findings`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::ids::{PaymentId, RefundId, SettlementId};
use firstcome_core::money::Money;
use firstcome_core::ports::Movement;
use firstcome_core::records::{Direction, Field as _, Query, Record as _, RecordsExt as _, Stored};
use firstcome_core::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::rows::{Finding, FindingClass, RunState, Settlement};
use crate::http::{Items, MoneySchema, Operator, Outcome, PageParameters, Path, Problem, QueryString, named};
use crate::payments::Payments;

/// A check of one day.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Settlement)]
pub(in crate::payments) struct RunView {
    #[schema(value_type = String, example = "stl_01h455vb4pex5vsknk084sn02q")]
    settlement_id: SettlementId,
    /// The day, in the shop's time zone.
    #[schema(example = "2026-11-26")]
    day: String,
    /// Whether it is the one of the night after, or somebody asked for it.
    nightly: bool,
    /// WAITING, RUNNING or DONE.
    #[schema(value_type = String, example = "DONE")]
    state: RunState,
    /// Movements of money that both have and say the same of.
    matched: u64,
    /// Movements that are on their way into the shop's books: no findings.
    in_flight: u64,
    /// How many findings there are of each class. Up to 10,000 of a run are kept.
    findings: FindingCounts,
    /// Why the last try broke off, while it waits for the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Time>,
}

/// Findings by class.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SettlementCounts)]
struct FindingCounts {
    mismatch: u64,
    missing_in_shop: u64,
    missing_at_provider: u64,
    duplicate: u64,
}

impl RunView {
    pub(super) fn of(run: &Settlement) -> Self {
        Self {
            settlement_id: run.id,
            day: run.day.clone(),
            nightly: run.nightly,
            state: run.state,
            matched: run.matched,
            in_flight: run.in_flight,
            findings: FindingCounts {
                mismatch: run.mismatches,
                missing_in_shop: run.missing_in_shop,
                missing_at_provider: run.missing_at_provider,
                duplicate: run.duplicates,
            },
            message: run.message.clone(),
            created_at: run.created_at,
            ended_at: run.ended_at,
        }
    }
}

/// Something that does not agree.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SettlementFinding)]
pub(in crate::payments) struct FindingView {
    /// `mismatch`, `missing_in_shop`, `missing_at_provider` or `duplicate`.
    #[schema(value_type = String, example = "missing_in_shop")]
    class: FindingClass,
    /// `charge` or `cancel`.
    #[schema(value_type = String, example = "charge")]
    movement: Movement,
    /// The order, as whoever has the movement says.
    #[schema(example = "ord_01h455vb4pex5vsknk084sn02q")]
    order_id: String,
    /// The provider's name for the payment.
    #[schema(example = "sbx_01h455vb4pex5vsknk084sn02q")]
    payment_key: String,
    /// The provider's name for the movement.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "txn_01h455vb4pex5vsknk084sn02q")]
    transaction_key: Option<String>,
    /// What the provider says moved; null when it says nothing.
    #[schema(value_type = Option<MoneySchema>)]
    at_provider: Option<Money>,
    /// What the shop says moved; null when it says nothing.
    #[schema(value_type = Option<MoneySchema>)]
    in_shop: Option<Money>,
    /// The shop's attempt to collect.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    payment_id: Option<PaymentId>,
    /// The shop's refund.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    refund_id: Option<RefundId>,
    /// What does not agree, for people.
    detail: String,
    /// When the money moved.
    #[schema(value_type = String, format = DateTime)]
    at: Time,
}

impl From<Finding> for FindingView {
    fn from(finding: Finding) -> Self {
        let money = |amount| Money::new(amount, finding.currency);
        Self {
            class: finding.class,
            movement: finding.movement,
            order_id: finding.order,
            payment_key: finding.payment_key,
            transaction_key: finding.transaction,
            at_provider: finding.at_provider.map(money),
            in_shop: finding.in_shop.map(money),
            payment_id: finding.payment,
            refund_id: finding.refund,
            detail: finding.detail,
            at: finding.at,
        }
    }
}

/// The checks of the last 400 days, the latest first.
#[utoipa::path(
    get, path = "/api/v1/admin/settlement", tag = "admin",
    params(("limit" = Option<u32>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = Items<RunView>)),
    security(("bearer" = [])),
)]
pub(in crate::payments) async fn list(
    State(payments): State<Arc<Payments>>,
    _: Operator,
    page: PageParameters,
) -> Outcome<Json<Items<RunView>>> {
    let query = Query::all(Settlement::TABLE, page.limit + 1).order_by("created_at", Direction::Descending);
    let rows = payments.ports.records.list::<Settlement>(page.within(query)?).await?;
    let place = |row: &Stored<Settlement>| (row.record.created_at.to_value(), row.record.key());
    Ok(Json(page.page(rows, place, |row| RunView::of(&row.record))))
}

/// One check.
#[utoipa::path(
    get, path = "/api/v1/admin/settlement/{id}", tag = "admin", params(("id" = String, Path)),
    responses((status = 200, body = RunView), (status = 404, description = "not_found")),
    security(("bearer" = [])),
)]
pub(in crate::payments) async fn get(
    State(payments): State<Arc<Payments>>,
    _: Operator,
    Path(id): Path<String>,
) -> Outcome<Json<RunView>> {
    payments.settlement(&id).await.map(|run| Json(RunView::of(&run)))
}

/// Which findings are asked for.
#[derive(Debug, Deserialize)]
pub(in crate::payments) struct Filters {
    class: Option<String>,
}

/// What a check has found, by the time at which the money moved.
#[utoipa::path(
    get, path = "/api/v1/admin/settlement/{id}/findings", tag = "admin",
    params(
        ("id" = String, Path),
        ("class" = Option<String>, Query, description = "mismatch, missing_in_shop, missing_at_provider or duplicate"),
        ("limit" = Option<u32>, Query), ("cursor" = Option<String>, Query),
    ),
    responses(
        (status = 200, body = Items<FindingView>),
        (status = 400, description = "malformed_request"),
        (status = 404, description = "not_found"),
    ),
    security(("bearer" = [])),
)]
pub(in crate::payments) async fn findings(
    State(payments): State<Arc<Payments>>,
    _: Operator,
    Path(id): Path<String>,
    QueryString(filters): QueryString<Filters>,
    page: PageParameters,
) -> Outcome<Json<Items<FindingView>>> {
    let run = payments.settlement(&id).await?;
    let mut query = Query::all(Finding::TABLE, page.limit + 1).is("run", run.id).order_by("at", Direction::Ascending);
    if let Some(class) = named::<FindingClass>("class", filters.class.as_deref())? {
        query = query.is("class", class);
    }
    let rows = payments.ports.records.list::<Finding>(page.within(query)?).await?;
    let place = |row: &Stored<Finding>| (row.record.at.to_value(), row.record.key());
    Ok(Json(page.page(rows, place, |row| FindingView::from(row.record))))
}

impl Payments {
    async fn settlement(&self, id: &str) -> Outcome<Settlement> {
        let id: SettlementId = id.parse().map_err(|_| Problem::not_found())?;
        let run = self.ports.records.load::<Settlement>(id).await?;
        run.map(|stored| stored.record).ok_or_else(Problem::not_found)
    }
}
