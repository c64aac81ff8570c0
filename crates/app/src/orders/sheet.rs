//! `GET /admin/books/orders.csv`.

use std::sync::Arc;

use async_trait::async_trait;
use axum::extract::State;
use axum::response::Response;
use firstcome_core::ids::OfferNumber;
use firstcome_core::ledger::Hold;
use firstcome_core::order::OrderState;
use firstcome_core::ports::{OrderArchive, OrderQuery, PortError};
use firstcome_core::tax::{Tax, lines_of, of_shipping};

use super::Orders;
use crate::http::{Operator, Outcome, QueryString};
use crate::sheet::{AskedDays, Days, OfferIds, Rows, download};

/// Orders in memory at a time.
const PAGE: usize = 500;

/// What of its order's money a line is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LineMoney {
    /// What its units cost, without its share of what was taken off the order.
    pub amount: i64,
    /// Its part of the tax, at the first line with that of sending the order.
    pub tax: Tax,
    /// What sending the order cost, at its first line.
    pub shipping_fee: i64,
}

impl LineMoney {
    /// Of a line of the order that has this hold on its home offer. `untaxed` tells of which offers nothing is ever taxed.
    pub fn of(home: &Hold, offer: OfferNumber, untaxed: impl Fn(OfferNumber) -> bool) -> Self {
        let lines = lines_of(home, untaxed);
        let line = lines.iter().find(|line| line.offer == offer);
        let (amount, tax) = line.map(|line| (line.amount, line.tax)).unwrap_or_default();
        if home.order.home() != offer {
            return Self { amount, tax, shipping_fee: 0 };
        }
        let sending = of_shipping(home, lines.iter().map(|line| line.tax).sum());
        Self { amount, tax: tax + sending, shipping_fee: home.shipping_fee() }
    }
}

/// A line of an order as it is written in books; other columns stand between the three parts where more is known.
pub struct OrderRow {
    /// What was ordered: [`OrderRow::ORDERED`].
    pub ordered: Vec<String>,
    /// What became of it: [`OrderRow::SINCE`].
    pub since: Vec<String>,
    /// What its money consists of: [`OrderRow::TAXED`].
    pub taxed: Vec<String>,
}

impl OrderRow {
    /// The columns of the first part.
    pub const ORDERED: [&str; 9] =
        ["order_id", "offer_id", "buyer", "quantity", "unit_price", "amount", "currency", "state", "created_at"];
    /// The columns of the second.
    pub const SINCE: [&str; 3] = ["returned_units", "seq", "by_gift_card"];
    /// The columns of the third.
    pub const TAXED: [&str; 4] = ["supplied", "vat", "tax_free", "shipping_fee"];

    /// The row of a line: its hold, on the offer with this id.
    pub fn of(hold: &Hold, offer: String, money: LineMoney) -> Self {
        let LineMoney { amount, tax, shipping_fee } = money;
        Self {
            ordered: vec![
                hold.order.to_string(),
                offer,
                hold.person.to_string(),
                hold.quantity.to_string(),
                hold.unit_price.amount.to_string(),
                amount.to_string(),
                hold.unit_price.currency.to_string(),
                OrderState::of(hold).as_str().to_owned(),
                hold.created_at.to_string(),
            ],
            since: vec![
                hold.returned().to_string(),
                hold.granted_seq.to_string(),
                hold.by_card().map_or(0, |part| part.amount).to_string(),
            ],
            taxed: vec![
                tax.supplied.to_string(),
                tax.vat.to_string(),
                tax.tax_free.to_string(),
                shipping_fee.to_string(),
            ],
        }
    }
}

/// A line of an order with the hold of its home.
struct Line {
    home: Arc<Hold>,
    offer: OfferNumber,
    hold: Hold,
}

/// The file.
pub(super) struct Sheet {
    orders: Arc<Orders>,
    offers: OfferIds,
    query: OrderQuery,
}

impl Sheet {
    /// Of orders that were placed on these days, so many read at a time.
    pub(super) fn of(orders: Arc<Orders>, days: &Days, page: usize) -> Self {
        let query = OrderQuery {
            granted_from: Some(days.from),
            granted_before: Some(days.before),
            limit: page,
            ..OrderQuery::default()
        };
        Self { offers: OfferIds::new(orders.ports.ledger.clone()), orders, query }
    }
}

#[async_trait]
impl Rows for Sheet {
    async fn next(&mut self) -> Result<Vec<Vec<String>>, PortError> {
        let (archive, query) = (self.orders.ports.archive.clone(), self.query.clone());
        let read = tokio::task::spawn_blocking(move || page(&*archive, &query)).await;
        let (lines, last) = read.map_err(|error| PortError::Unavailable(error.to_string()))??;
        self.query.after = last.or(self.query.after);
        let mut rows = Vec::with_capacity(lines.len());
        for Line { home, offer, hold } in lines {
            let money = LineMoney::of(&home, offer, |offer| self.orders.facts.is_untaxed(offer));
            let OrderRow { ordered, since, taxed } = OrderRow::of(&hold, self.offers.of(offer).await?, money);
            rows.push([ordered, since, taxed].concat());
        }
        Ok(rows)
    }
}

/// The lines of the next orders, and the place of the last of these.
fn page(archive: &dyn OrderArchive, query: &OrderQuery) -> Result<(Vec<Line>, Option<i64>), PortError> {
    let (mut lines, mut last) = (Vec::new(), None);
    for order in archive.list(query)? {
        last = Some(order.place);
        let home = Arc::new(order.hold);
        lines.push(Line { home: home.clone(), offer: home.order.home(), hold: Hold::clone(&home) });
        for line in home.lines_elsewhere() {
            let offer = line.offer.number();
            let hold = archive.hold(offer, home.order)?;
            lines.extend(hold.map(|hold| Line { home: home.clone(), offer, hold }));
        }
    }
    Ok((lines, last))
}

/// Lines of orders that were placed on these days, as CSV, the latest first. `firstcome export` adds when units were sold.
#[utoipa::path(
    get, path = "/api/v1/admin/books/orders.csv", tag = "admin",
    params(AskedDays),
    responses(
        (status = 200, description = "The file", content_type = "text/csv", body = String),
        (status = 400, description = "malformed_request: no days, or too many"),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn get(
    State(orders): State<Arc<Orders>>,
    _: Operator,
    QueryString(asked): QueryString<AskedDays>,
) -> Outcome<Response> {
    let days = asked.within(&orders.ports.time_zone)?;
    let columns = [&OrderRow::ORDERED[..], &OrderRow::SINCE, &OrderRow::TAXED].concat();
    download("orders", &days, &columns, Sheet::of(orders, &days, PAGE)).await
}
