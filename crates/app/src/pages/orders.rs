//! The buyer's orders: the list, one order with its live state, and canceling it.

use std::collections::{BTreeSet, HashMap};

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Call, query, segment};
use super::contract::{Items, Offer, Order, Payment, Voucher};
use super::failure::Failure;
use super::fields::{Fields, Parameters};
use super::problem::Problem;
use super::respond::{html, redirect};
use super::visitor::Visitor;

/// The offers that orders are about, by id: orders name only those.
pub(super) struct Offers(HashMap<String, Offer>);

impl Offers {
    /// Those of these orders. One that cannot be read any more is shown by its id.
    pub(super) async fn of(visitor: &Visitor, orders: &[Order]) -> Self {
        let ids: BTreeSet<&str> =
            orders.iter().flat_map(|order| &order.lines).map(|line| line.offer_id.as_str()).collect();
        let found = join_all(
            ids.into_iter()
                .map(|id| async move { visitor.ask::<Offer>(Call::get(&format!("/offers/{id}"))).await.ok() }),
        );
        Self(found.await.into_iter().flatten().map(|offer| (offer.offer_id.clone(), offer)).collect())
    }

    /// One of them.
    pub(super) fn get(&self, id: &str) -> Option<&Offer> {
        self.0.get(id)
    }

    /// What an order is called: by its first line.
    pub(super) fn title(&self, order: &Order) -> String {
        order.lines.first().map(|line| self.name(&line.offer_id)).unwrap_or_default()
    }

    /// What an offer is called.
    pub(super) fn name(&self, id: &str) -> String {
        self.get(id).map_or_else(|| id.to_owned(), |offer| offer.product.name.clone())
    }

    fn art(&self, id: &str) -> (&str, usize) {
        self.get(id).map_or(("goods", 0), |offer| (offer.product.kind.as_str(), offer.product.hue()))
    }

    /// The kind that decides an order's picture.
    pub(super) fn kind(&self, order: &Order) -> &str {
        order.lines.first().map_or("goods", |line| self.art(&line.offer_id).0)
    }

    /// The colour of an order's picture.
    pub(super) fn hue(&self, order: &Order) -> usize {
        order.lines.first().map_or(0, |line| self.art(&line.offer_id).1)
    }
}

#[derive(Template)]
#[template(path = "orders.html")]
struct ListPage<'a> {
    page: &'a Visitor,
    orders: Vec<Order>,
    offers: Offers,
    more: Option<String>,
}

#[derive(Deserialize, Default)]
pub(super) struct Place {
    #[serde(default)]
    pub(super) cursor: String,
}

/// `GET /orders`
pub(super) async fn list(visitor: Visitor, Parameters(place): Parameters<Place>) -> Result<Response, Failure> {
    let path = format!("/orders{}", query(&[("limit", "20"), ("cursor", &place.cursor)]));
    let list: Items<Order> = visitor.ask(Call::get(&path)).await?;
    let offers = Offers::of(&visitor, &list.items).await;
    let more = list.next_cursor.map(|cursor| format!("/orders{}", query(&[("cursor", &cursor)])));
    Ok(html(&visitor, StatusCode::OK, &ListPage { page: &visitor, orders: list.items, offers, more }))
}

/// Everything that is known of one order.
pub(super) struct View {
    pub(super) order: Order,
    pub(super) offers: Offers,
    pub(super) payment: Option<Payment>,
    pub(super) vouchers: Vec<Voucher>,
    /// Whether the visitor has just canceled it: the refund follows by a moment.
    pub(super) canceling: bool,
}

/// Where an order's page is in its life beyond the order's own state.
#[derive(Deserialize, Default)]
pub(super) struct Stage {
    #[serde(default)]
    canceling: String,
}

impl View {
    async fn of(visitor: &Visitor, id: &str, stage: &Stage) -> Result<Self, Problem> {
        let id = segment(id)?;
        let order: Order = visitor.ask(Call::get(&format!("/orders/{id}"))).await?;
        let offers = Offers::of(visitor, std::slice::from_ref(&order)).await;
        let payment =
            if order.is_pending() { None } else { visitor.ask(Call::get(&format!("/payments/{id}"))).await.ok() };
        let vouchers = match order.state.as_str() {
            "COMPLETED" | "PARTIALLY_CANCELED" => vouchers_of(visitor, id).await?,
            _ => Vec::new(),
        };
        let canceling = !stage.canceling.is_empty() && order.state == "COMPLETED";
        Ok(Self { order, offers, payment, vouchers, canceling })
    }

    /// Whether vouchers are on their way: delivery follows the payment by a moment.
    fn awaits_vouchers(&self) -> bool {
        let digital = |line: &super::contract::Line| {
            self.offers.get(&line.offer_id).is_none_or(|offer| offer.product.kind != "goods")
        };
        self.order.state == "COMPLETED" && self.vouchers.is_empty() && self.order.lines.iter().any(digital)
    }

    /// Whether the page should keep looking for changes.
    fn is_live(&self) -> bool {
        let refunding =
            self.payment.iter().flat_map(|payment| &payment.refunds).any(|refund| refund.state == "PENDING");
        self.order.is_moving() || self.awaits_vouchers() || refunding || self.canceling
    }

    /// Whether the buyer may still change their mind.
    fn can_cancel(&self) -> bool {
        let used = self.vouchers.iter().any(|voucher| voucher.state != "ACTIVE");
        self.order.is_pending()
            || (self.order.state == "COMPLETED" && !self.awaits_vouchers() && !used && !self.canceling)
    }

    /// The text that explains the state.
    fn explanation(&self, visitor: &Visitor) -> String {
        let state = format!("order-about-{}", self.order.state);
        let told =
            self.order.reason.as_ref().and_then(|reason| visitor.language.find(&format!("order-reason-{reason}"), &[]));
        told.or_else(|| visitor.language.find(&state, &[])).unwrap_or_default()
    }
}

async fn vouchers_of(visitor: &Visitor, order: &str) -> Result<Vec<Voucher>, Problem> {
    let all: Items<Voucher> = visitor.ask(Call::get("/me/vouchers?limit=100")).await?;
    Ok(all.items.into_iter().filter(|voucher| voucher.order_id == order).collect())
}

#[derive(Template)]
#[template(path = "order.html")]
struct OrderPage<'a> {
    page: &'a Visitor,
    view: View,
    alert: Option<String>,
}

#[derive(Template)]
#[template(path = "order_panel.html")]
struct Panel<'a> {
    page: &'a Visitor,
    view: View,
}

/// `GET /orders/{id}`
pub(super) async fn show(
    visitor: Visitor,
    Path(id): Path<String>,
    Parameters(stage): Parameters<Stage>,
) -> Result<Response, Failure> {
    let view = View::of(&visitor, &id, &stage).await?;
    Ok(html(&visitor, StatusCode::OK, &OrderPage { page: &visitor, view, alert: None }))
}

/// The order as it is now, below what has to be said first.
pub(super) async fn render(
    visitor: &Visitor,
    id: &str,
    status: StatusCode,
    alert: Option<String>,
) -> Result<Response, Failure> {
    let view = View::of(visitor, id, &Stage::default()).await?;
    Ok(html(visitor, status, &OrderPage { page: visitor, view, alert }))
}

/// `GET /orders/{id}/panel`: the part of the page that changes, for the page's script to put in place of the old one.
pub(super) async fn panel(
    visitor: Visitor,
    Path(id): Path<String>,
    Parameters(stage): Parameters<Stage>,
) -> Result<Response, Failure> {
    let view = View::of(&visitor, &id, &stage).await?;
    Ok(html(&visitor, StatusCode::OK, &Panel { page: &visitor, view }))
}

#[derive(Deserialize)]
pub(super) struct Cancel {
    key: String,
}

/// `POST /orders/{id}/cancel`
pub(super) async fn cancel(
    visitor: Visitor,
    Path(id): Path<String>,
    Fields(form): Fields<Cancel>,
) -> Result<Response, Failure> {
    let path = format!("/orders/{}/cancel", segment(&id)?);
    match visitor.ask::<Value>(Call::post(&path, &json!({})).key(&form.key)).await {
        Ok(_) => Ok(redirect(&format!("/orders/{id}?canceling=yes"))),
        Err(problem) if problem.status == StatusCode::CONFLICT => {
            render(&visitor, &id, problem.status, Some(problem.message(&visitor))).await
        }
        Err(problem) => Err(problem.into()),
    }
}
