//! `GET /orders/{id}/receipt`: what a buyer paid for, to whom, and what of it went back.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::ids::{OfferId, OrderId, RefundId};
use firstcome_core::ledger::{Hold, HoldState};
use firstcome_core::money::{Currency, Money};
use firstcome_core::order::OrderState;
use firstcome_core::payment::RefundState;
use firstcome_core::tax::{TaxedLine, lines_of};
use firstcome_core::time::Time;
use serde::Serialize;
use utoipa::ToSchema;

use super::Orders;
use super::books::{Books, SoldLine, WentBack, sold_lines};
use super::cancel::wrong_state;
use super::fee::fee_of;
use super::tax::TaxView;
use super::view::OrderStateSchema;
use crate::http::{Buyer, MoneySchema, Outcome, Path};

/// A receipt.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Receipt {
    #[schema(value_type = String, example = "ord_01h455vb4pex5vsknk084sn02q")]
    order_id: OrderId,
    #[schema(value_type = OrderStateSchema)]
    state: OrderState,
    /// Who sold it.
    shop: Shop,
    /// When it was ordered.
    #[schema(value_type = String, format = DateTime)]
    ordered_at: Time,
    lines: Vec<ReceiptLine>,
    /// What was taken off.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<MoneySchema>)]
    discount: Option<Money>,
    /// What sending its goods cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<MoneySchema>)]
    shipping_fee: Option<Money>,
    /// What it cost.
    #[schema(value_type = MoneySchema)]
    amount: Money,
    /// What a gift card paid of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<MoneySchema>)]
    gift_card: Option<Money>,
    /// Percent of VAT that the taxable part contains.
    #[schema(example = 10)]
    vat_percent: u8,
    /// What the amount consists of.
    tax: TaxView,
    /// What went back or is on its way, the oldest first. Nothing can refuse these any more.
    refunds: Vec<ReceiptRefund>,
    /// What is left of the amount after the refunds.
    #[schema(value_type = MoneySchema)]
    balance: Money,
    /// What that consists of.
    balance_tax: TaxView,
}

/// Who sold it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReceiptShop)]
struct Shop {
    #[schema(example = "Firstcome")]
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "123-45-67890")]
    business_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    representative: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
}

/// A line of a receipt.
#[derive(Debug, Serialize, ToSchema)]
struct ReceiptLine {
    #[schema(value_type = String, example = "ofr_01h455vb4pex5vsknk084sn02q")]
    offer_id: OfferId,
    /// What it is called; null when nobody has said so since it was sold.
    #[schema(example = "Lamp")]
    name: Option<String>,
    quantity: u32,
    #[schema(value_type = MoneySchema)]
    unit_price: Money,
    /// What it cost after its share of the discount.
    #[schema(value_type = MoneySchema)]
    amount: Money,
    /// What of the order's tax it is.
    tax: TaxView,
}

/// What went back.
#[derive(Debug, Serialize, ToSchema)]
struct ReceiptRefund {
    #[schema(value_type = String, example = "rfd_01h455vb4pex5vsknk084sn02q")]
    refund_id: RefundId,
    /// PENDING, DONE or QUARANTINED.
    #[schema(value_type = String, example = "DONE")]
    state: RefundState,
    #[schema(value_type = MoneySchema)]
    amount: Money,
    /// What of the order's tax goes back with it.
    tax: TaxView,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
}

/// The receipt of an own order that was paid, with its VAT and what is free of it.
#[utoipa::path(
    get, path = "/api/v1/orders/{id}/receipt", tag = "orders", params(("id" = String, Path)),
    responses(
        (status = 200, body = Receipt),
        (status = 404, description = "not_found"),
        (status = 409, description = "wrong_state: it is not paid"),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn get(
    State(orders): State<Arc<Orders>>,
    Buyer(buyer): Buyer,
    Path(id): Path<String>,
) -> Outcome<Json<Receipt>> {
    let hold = orders.own(buyer, &id).await?;
    if !matches!(hold.state, HoldState::Sold | HoldState::Returned) {
        return Err(wrong_state(&hold, "It is not paid"));
    }
    let books = Books::read(&*orders.ports.records, &hold).await?;
    Ok(Json(orders.receipt(&books)))
}

impl ReceiptRefund {
    fn of(back: WentBack, currency: Currency) -> Self {
        let WentBack { refund, state, tax, at } = back;
        let amount = Money::new(tax.total(), currency);
        Self { refund_id: refund, state, amount, tax: TaxView::of(tax, currency), created_at: at }
    }
}

impl Orders {
    fn receipt(&self, books: &Books) -> Receipt {
        let hold = &books.hold;
        let currency = hold.unit_price.currency;
        let money = |amount| Money::new(amount, currency);
        let back = books.went_back();
        let left = books.tax - back.iter().map(|back| back.tax).sum();
        let shop = &self.ports.shop;
        Receipt {
            order_id: hold.order,
            state: OrderState::of(hold),
            shop: Shop {
                name: shop.name.clone(),
                business_number: shop.business_number.clone(),
                representative: shop.representative.clone(),
                address: shop.address.clone(),
            },
            ordered_at: hold.created_at,
            lines: self.receipt_lines(hold, books),
            discount: (hold.discount > 0).then(|| money(hold.discount)),
            shipping_fee: fee_of(hold),
            amount: hold.total(),
            gift_card: hold.by_card().map(|part| money(part.amount)),
            vat_percent: hold.vat_percent(),
            tax: TaxView::of(books.tax, currency),
            refunds: back.into_iter().map(|back| ReceiptRefund::of(back, currency)).collect(),
            balance: money(left.total()),
            balance_tax: TaxView::of(left, currency),
        }
    }

    fn receipt_lines(&self, hold: &Hold, books: &Books) -> Vec<ReceiptLine> {
        let currency = hold.unit_price.currency;
        let taxed = lines_of(hold, |offer| books.is_tax_free(offer));
        let lines = sold_lines(hold).into_iter().zip(taxed);
        let line = |(sold, taxed): (SoldLine, TaxedLine)| {
            let known = self.facts.read(sold.offer, |facts| (facts.offer, facts.name.clone()));
            let (offer_id, name) = known.unwrap_or((OfferId::NIL, None));
            ReceiptLine {
                offer_id,
                name,
                quantity: sold.quantity,
                unit_price: sold.unit_price,
                amount: Money::new(taxed.amount, currency),
                tax: TaxView::of(taxed.tax, currency),
            }
        };
        lines.map(line).collect()
    }
}
