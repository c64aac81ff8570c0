//! Products and offers as people see them.

use firstcome_core::ids::{CategoryId, OfferId, ProductId};
use firstcome_core::ledger::Stock;
use firstcome_core::money::Money;
use firstcome_core::ports::LedgerState;
use firstcome_core::product::{Condition, Discount, OfferInfo, Product, ProductKind, RefundPolicy};
use firstcome_core::text_enum;
use firstcome_core::time::Time;
use serde::Serialize;
use utoipa::ToSchema;

use super::adjustments::AdjustmentView;
use super::product::Promises;
use crate::http::MoneySchema;

text_enum! {
    /// Where an offer stands.
    #[derive(ToSchema)]
    pub enum OfferState {
        /// Not shown, not sold.
        Draft = "draft",
        /// Not open yet.
        Upcoming = "upcoming",
        /// On sale, or sold out for the moment.
        Open = "open",
        /// Over.
        Ended = "ended",
        /// Stopped.
        Frozen = "frozen",
    }
}

impl OfferState {
    pub(super) fn of(info: &OfferInfo, frozen: bool, now: Time) -> Self {
        if info.draft {
            Self::Draft
        } else if info.closes_at.is_some_and(|closes_at| closes_at <= now) {
            Self::Ended
        } else if frozen {
            Self::Frozen
        } else if now < info.opens_at {
            Self::Upcoming
        } else {
            Self::Open
        }
    }
}

/// A product.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Product)]
pub(super) struct ProductView {
    #[schema(value_type = String)]
    product_id: ProductId,
    #[serde(skip_serializing_if = "Option::is_none")]
    sku: Option<String>,
    #[schema(value_type = String, example = "goods")]
    kind: ProductKind,
    name: String,
    description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_url: Option<String>,
    tax_free: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<MoneySchema>)]
    face_value: Option<Money>,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_for_days: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    visit_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    discount: Option<Discount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    minimum_amount: Option<i64>,
    /// What it can be found under.
    #[schema(value_type = Vec<String>)]
    categories: Vec<CategoryId>,
}

impl From<Product> for ProductView {
    fn from(product: Product) -> Self {
        Self {
            product_id: product.product_id,
            sku: product.sku,
            kind: product.kind,
            name: product.name,
            description: product.description,
            image_url: product.image_url,
            tax_free: product.tax_free,
            face_value: product.face_value,
            valid_for_days: product.valid_for_days,
            visit_date: product.visit_date,
            discount: product.discount,
            minimum_amount: product.minimum_amount,
            categories: product.categories,
        }
    }
}

/// An offer with its units of now.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Offer)]
pub(super) struct OfferView {
    #[schema(value_type = String)]
    offer_id: OfferId,
    #[serde(skip_serializing_if = "Option::is_none")]
    sku: Option<String>,
    #[schema(value_type = String)]
    product_id: ProductId,
    product: ProductView,
    #[schema(value_type = MoneySchema)]
    price: Money,
    stock: u64,
    available: u64,
    held: u64,
    sold: u64,
    state: OfferState,
    #[schema(value_type = String, format = DateTime)]
    opens_at: Time,
    #[schema(value_type = Option<String>, format = DateTime)]
    closes_at: Option<Time>,
    limit_per_person: Option<u32>,
    max_per_order: u32,
    hold_for_seconds: u32,
    #[schema(value_type = String)]
    refund_policy: RefundPolicy,
    /// The time zone in which the day of a ticket begins and ends; the shop's if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Asia/Seoul")]
    time_zone: Option<String>,
    /// Goods: days after their delivery within which they may be sent back.
    #[serde(skip_serializing_if = "Option::is_none")]
    days_to_return: Option<u16>,
    /// What a buyer must be or have, all of these; an order of anyone else is `not_eligible`.
    #[schema(value_type = Vec<Object>)]
    conditions: Vec<Condition>,
    /// The server's clock, for countdowns.
    #[schema(value_type = String, format = DateTime)]
    server_time: Time,
}

/// An offer as its seller sees it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = OfferOfSeller)]
pub(super) struct SellerOfferView {
    #[serde(flatten)]
    pub(super) offer: OfferView,
    /// The last changes of its stock, newest first.
    pub(super) adjustments: Vec<AdjustmentView>,
}

impl OfferView {
    /// `initial_stock` stands in until the ledger knows the offer.
    pub(super) fn new(
        info: OfferInfo,
        initial_stock: u64,
        ledger: Option<&LedgerState>,
        promises: Promises,
        now: Time,
    ) -> Self {
        let waiting = Stock { stock: initial_stock, ..Stock::default() };
        let units = ledger.map_or(waiting, |state| state.offer.stock);
        let frozen = ledger.is_some_and(|state| state.offer.frozen);
        let is_goods = info.product.kind == ProductKind::Goods;
        Self {
            offer_id: info.offer_id,
            state: OfferState::of(&info, frozen, now),
            sku: info.sku,
            product_id: info.product.product_id,
            product: info.product.into(),
            price: info.price,
            stock: units.stock,
            available: units.available(),
            held: units.held,
            sold: units.sold,
            opens_at: info.opens_at,
            closes_at: info.closes_at,
            limit_per_person: info.limit_per_person,
            max_per_order: info.max_per_order,
            hold_for_seconds: info.hold_for_seconds,
            refund_policy: info.refund_policy,
            time_zone: info.time_zone,
            days_to_return: is_goods.then_some(promises.days_to_return),
            conditions: info.conditions,
            server_time: now,
        }
    }
}
