//! `GET /me/cart`: what is in it, at the prices of now, and what is wrong with a line.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::{OfferId, OrderId, UserId};
use firstcome_core::ledger::HoldRequest;
use firstcome_core::money::Money;
use firstcome_core::product::ProductKind;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::CartItem;
use crate::http::{Buyer, MoneySchema, Outcome, Problem};
use crate::orders::facts::OfferFacts;
use crate::orders::fee::goods_of;
use crate::orders::{Orders, quote};

/// A line of a cart.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = CartItem)]
pub(in crate::orders) struct ItemView {
    #[schema(value_type = String, example = "ofr_01h455vb4pex5vsknk084sn02q")]
    offer_id: OfferId,
    quantity: u32,
    /// What is sold.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "goods")]
    kind: Option<ProductKind>,
    /// Price of one unit now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<MoneySchema>)]
    unit_price: Option<Money>,
    /// Units that could be had now.
    available: u64,
    /// Why the line could not be ordered now: the `code` of the problem, and what goes with it. Null when it could, as far
    /// as is known; the checkout decides.
    #[schema(value_type = Option<Object>)]
    problem: Option<Value>,
}

/// A cart. Nothing in it is held.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Cart)]
pub(in crate::orders) struct CartView {
    items: Vec<ItemView>,
    /// What all of it costs now, with what sending it costs; null when it is empty, or cannot be ordered together.
    #[schema(value_type = Option<MoneySchema>)]
    amount: Option<Money>,
    /// What of that is for sending its goods.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<MoneySchema>)]
    shipping_fee: Option<Money>,
}

/// The own cart, the same on every device.
#[utoipa::path(
    get, path = "/api/v1/me/cart", tag = "cart",
    responses((status = 200, body = CartView)),
    security(("bearer" = [])),
)]
pub(in crate::orders) async fn get(State(orders): State<Arc<Orders>>, Buyer(buyer): Buyer) -> Outcome<Json<CartView>> {
    orders.cart_view(buyer.user).await.map(Json)
}

impl Orders {
    pub(super) async fn cart_view(&self, user: UserId) -> Outcome<CartView> {
        let items = self.cart(user).await?.map(|stored| stored.record.items.0).unwrap_or_default();
        let (mut views, mut offers) = (Vec::with_capacity(items.len()), Vec::with_capacity(items.len()));
        for item in items {
            views.push(self.item_view(user, item).await?);
            offers.push(self.facts.numbered(item.offer.number()));
        }
        let prices = views.iter().map(|item| Some((item.unit_price?, item.quantity)));
        let sum = prices.collect::<Option<Vec<_>>>().and_then(|prices| quote::sum(prices).ok());
        let lines = views.iter().zip(&offers);
        let lines = lines.filter_map(|(item, offer)| Some((offer.as_ref()?, item.unit_price?, item.quantity)));
        let fee = self.ports.shop.shipping.of(goods_of(lines, 0));
        let amount = sum.and_then(|sum| sum.plus(Money::new(fee, sum.currency)));
        let shipping_fee = amount.filter(|_| fee > 0).map(|amount| Money::new(fee, amount.currency));
        Ok(CartView { items: views, amount, shipping_fee })
    }

    async fn item_view(&self, user: UserId, item: CartItem) -> Outcome<ItemView> {
        let offer = self.facts.offer(item.offer).await?;
        let state = self.ports.ledger.snapshot(item.offer.number()).await?;
        let (kind, price) =
            (offer.as_ref().map(|offer| offer.kind), state.as_ref().map(|state| state.offer.terms.price));
        let available = state.as_ref().map_or(0, |state| state.offer.stock.available());
        let problem = match &offer {
            Some(offer) if state.is_some() => self.wrong_with(user, item, offer).await?,
            _ => Some(Problem::new(ErrorCode::UnknownOffer)),
        };
        Ok(ItemView {
            offer_id: item.offer,
            quantity: item.quantity,
            kind,
            unit_price: price.filter(|_| offer.is_some()),
            available,
            problem: problem.map(|problem| problem.summary()),
        })
    }

    async fn wrong_with(&self, user: UserId, item: CartItem, offer: &OfferFacts) -> Outcome<Option<Problem>> {
        match self.check_conditions(user, offer).await {
            Ok(()) => {}
            Err(problem) if problem.code() == ErrorCode::NotEligible => return Ok(Some(problem)),
            Err(problem) => return Err(problem),
        }
        let request = HoldRequest {
            order: OrderId::NIL,
            person: user,
            quantity: item.quantity,
            unit_price: None,
            digest: 0,
            discount: 0,
            facts: None,
        };
        let refusal = self.ports.ledger.would_refuse(offer.number, &request, self.ports.clock.now()).await?;
        Ok(refusal.map(quote::problem))
    }
}
