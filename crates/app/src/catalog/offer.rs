//! An offer as the seller sends it.

use std::collections::BTreeSet;

use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::{OfferId, ProductId};
use firstcome_core::ledger::{MAX_STOCK, Stock, Terms};
use firstcome_core::money::Money;
use firstcome_core::product::{Condition, OfferInfo, Product, ProductKind, RefundPolicy};
use firstcome_core::time::Time;
use garde::Validate;
use jiff::tz::TimeZone;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{fields, visit};
use crate::http::{MoneySchema, Outcome, Problem, one_line};

const DEFAULT_MAX_PER_ORDER: u32 = 10;
const DEFAULT_HOLD_SECONDS: u32 = 900;
/// A day: longer and a walk-away buyer keeps everyone else out.
const MAX_HOLD_SECONDS: u32 = 86_400;
const MAX_PER_ORDER: u32 = 10_000;
const MAX_CONDITIONS: usize = 10;

/// A new offer.
#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOffer {
    /// The seller's own name for it. Creating the same again is refused, importing it changes nothing that was promised.
    #[serde(default)]
    #[garde(inner(length(chars, min = 1, max = 100), custom(one_line)))]
    pub sku: Option<String>,
    /// What is sold.
    #[garde(skip)]
    #[schema(value_type = String)]
    pub product_id: ProductId,
    /// Price of one unit; amount 0 is free.
    #[garde(custom(fields::price))]
    #[schema(value_type = MoneySchema)]
    pub price: Money,
    /// Units.
    #[garde(range(max = MAX_STOCK))]
    #[schema(example = 100)]
    pub stock: u64,
    /// When it opens; now if left out.
    #[serde(default)]
    #[garde(inner(custom(fields::time)))]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub opens_at: Option<Time>,
    /// When it closes; if left out, when the day is over that a ticket is for, and else never.
    #[serde(default)]
    #[garde(inner(custom(fields::time)))]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub closes_at: Option<Time>,
    /// Units that one person may have; no limit if left out.
    #[serde(default)]
    #[garde(inner(range(min = 1)))]
    pub limit_per_person: Option<u32>,
    /// Units that one order may ask for.
    #[serde(default = "default_max_per_order")]
    #[garde(range(min = 1, max = MAX_PER_ORDER))]
    pub max_per_order: u32,
    /// Seconds to pay.
    #[serde(default = "default_hold_seconds")]
    #[garde(range(min = 1, max = MAX_HOLD_SECONDS))]
    pub hold_for_seconds: u32,
    /// When money goes back to who cancels: `full_until_used`, `by_visit_date` (tickets with a visit date), `withdrawal` (goods),
    /// `none` (not for goods). An order keeps the policy that it was sold under.
    #[serde(default = "default_refund_policy")]
    #[garde(skip)]
    #[schema(value_type = String, example = "withdrawal")]
    pub refund_policy: RefundPolicy,
    /// The time zone in which the day of a ticket begins and ends, for `by_visit_date` and for its last day on sale, such as
    /// `Asia/Seoul`; the shop's if left out. An order keeps the time zone that it was sold under.
    #[serde(default)]
    #[garde(inner(custom(fields::time_zone)))]
    #[schema(example = "Asia/Seoul")]
    pub time_zone: Option<String>,
    /// What a buyer must be or have, all of these: `{"email_verified": true}`, `{"account_older_than_days": 7}`,
    /// `{"owns_product": "prd_..."}`, `{"identity_verified": true}`. They are checked when an order is placed.
    #[serde(default)]
    #[garde(length(max = MAX_CONDITIONS), inner(custom(fields::condition)))]
    #[schema(value_type = Vec<Object>)]
    pub conditions: Vec<Condition>,
    /// Not shown and not sold until it is opened.
    #[serde(default)]
    #[garde(skip)]
    pub draft: bool,
}

fn default_max_per_order() -> u32 {
    DEFAULT_MAX_PER_ORDER
}

fn default_hold_seconds() -> u32 {
    DEFAULT_HOLD_SECONDS
}

fn default_refund_policy() -> RefundPolicy {
    RefundPolicy::FullUntilUsed
}

impl NewOffer {
    /// The offer, when its fields fit each other and the product.
    pub fn into_info(self, offer_id: OfferId, product: Product, now: Time, time_zone: &TimeZone) -> Outcome<OfferInfo> {
        if self.price.times(self.max_per_order).is_none() {
            return Err(Problem::field("price", "an order of max_per_order units would be too expensive to count"));
        }
        let own = self.time_zone.or_else(|| time_zone.iana_name().map(str::to_owned));
        let mut info = OfferInfo {
            offer_id,
            sku: self.sku,
            product,
            price: self.price,
            opens_at: self.opens_at.unwrap_or(now),
            closes_at: self.closes_at,
            limit_per_person: self.limit_per_person,
            max_per_order: self.max_per_order,
            hold_for_seconds: self.hold_for_seconds,
            refund_policy: self.refund_policy,
            time_zone: own,
            conditions: self.conditions,
            draft: self.draft,
            version: 1,
        };
        check_window(&mut info, time_zone)?;
        Ok(info)
    }
}

/// Whether the policy says something about what is sold; a promise that nobody could keep, or that the law forbids, is not
/// made.
pub(super) fn check_refund_policy(info: &OfferInfo) -> Outcome<()> {
    let is_goods = info.product.kind == ProductKind::Goods;
    let why = match info.refund_policy {
        RefundPolicy::ByVisitDate if info.product.visit_date.is_none() => {
            "by_visit_date is for tickets that have a visit_date"
        }
        RefundPolicy::Withdrawal if !is_goods => "withdrawal is for goods",
        RefundPolicy::None if is_goods => "none is not for goods: their buyers may withdraw",
        _ => return Ok(()),
    };
    Err(Problem::field("refund_policy", why))
}

fn check_window(info: &mut OfferInfo, time_zone: &TimeZone) -> Outcome<()> {
    if info.closes_at.is_some_and(|closes_at| closes_at <= info.opens_at) {
        return Err(Problem::field("closes_at", "must be after opens_at"));
    }
    check_refund_policy(info)?;
    visit::closes_with_it(info, time_zone)
}

/// The terms that the ledger needs to know.
pub(super) fn terms(info: &OfferInfo, initial_stock: u64) -> Terms {
    Terms {
        offer: info.offer_id,
        version: info.version,
        initial_stock,
        price: info.price,
        limit_per_person: info.limit_per_person,
        max_per_order: info.max_per_order,
        opens_at: info.opens_at,
        closes_at: info.closes_at,
        hold_for_ms: info.hold_for_seconds.saturating_mul(1_000),
        usable_until: info.usable_until(),
    }
}

/// Changes of an offer. What is left out stays; stock is changed by `/adjust`.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EditOffer)]
pub(super) struct OfferEdit {
    #[serde(default)]
    #[garde(inner(custom(fields::price)))]
    #[schema(value_type = Option<MoneySchema>)]
    price: Option<Money>,
    #[serde(default)]
    #[garde(inner(custom(fields::time)))]
    #[schema(value_type = Option<String>, format = DateTime)]
    opens_at: Option<Time>,
    #[serde(default, deserialize_with = "crate::http::present")]
    #[garde(inner(inner(custom(fields::time))))]
    #[schema(value_type = Option<String>, format = DateTime)]
    closes_at: Option<Option<Time>>,
    #[serde(default, deserialize_with = "crate::http::present")]
    #[garde(inner(inner(range(min = 1))))]
    limit_per_person: Option<Option<u32>>,
    #[serde(default)]
    #[garde(inner(range(min = 1, max = MAX_PER_ORDER)))]
    max_per_order: Option<u32>,
    #[serde(default)]
    #[garde(inner(range(min = 1, max = MAX_HOLD_SECONDS)))]
    hold_for_seconds: Option<u32>,
    /// As of a new offer. Orders that were sold keep the policy that they were sold under.
    #[serde(default)]
    #[garde(skip)]
    #[schema(value_type = Option<String>, example = "withdrawal")]
    refund_policy: Option<RefundPolicy>,
    /// As of a new offer. What closed with the day of a ticket closes with it there; it stays while units for that day are held
    /// or sold.
    #[serde(default)]
    #[garde(inner(custom(fields::time_zone)))]
    #[schema(example = "Asia/Seoul")]
    time_zone: Option<String>,
    /// In place of those that were there. Orders that were placed stay.
    #[serde(default)]
    #[garde(inner(length(max = MAX_CONDITIONS), inner(custom(fields::condition))))]
    #[schema(value_type = Option<Vec<Object>>)]
    conditions: Option<Vec<Condition>>,
    /// False publishes a draft. What was published once stays so.
    #[serde(default)]
    #[garde(skip)]
    draft: Option<bool>,
}

impl OfferEdit {
    /// What a file says of an offer that is there already: only the fields that it speaks of.
    pub(super) fn given(offer: &NewOffer, given: &BTreeSet<String>) -> Self {
        let has = |field: &str| given.contains(field);
        Self {
            price: Some(offer.price),
            opens_at: offer.opens_at.filter(|_| has("opens_at")),
            closes_at: has("closes_at").then_some(offer.closes_at),
            limit_per_person: has("limit_per_person").then_some(offer.limit_per_person),
            max_per_order: has("max_per_order").then_some(offer.max_per_order),
            hold_for_seconds: has("hold_for_seconds").then_some(offer.hold_for_seconds),
            refund_policy: has("refund_policy").then_some(offer.refund_policy),
            time_zone: offer.time_zone.clone().filter(|_| has("time_zone")),
            conditions: has("conditions").then(|| offer.conditions.clone()),
            // A file that says something else of it was refused before.
            draft: None,
        }
    }

    /// Applies the changes, unless one of them would break what buyers were promised.
    pub(super) fn apply(self, info: &mut OfferInfo, units: Stock, now: Time, time_zone: &TimeZone) -> Outcome<()> {
        let promised = units.held + units.sold > 0;
        let begun = !info.draft && info.opens_at <= now;
        if let Some(price) = self.price.filter(|price| *price != info.price) {
            if price.currency != info.price.currency && promised {
                return Err(broken("price", "units are held or sold in the old currency"));
            }
            if units.held > 0 {
                return Err(broken(
                    "price",
                    "units are held at the old price; freeze the offer and wait until they are paid or released",
                ));
            }
            info.price = price;
        }
        if let Some(opens_at) = self.opens_at.filter(|opens_at| *opens_at != info.opens_at) {
            if begun {
                return Err(broken("opens_at", "the offer has opened already"));
            }
            info.opens_at = opens_at;
        }
        if let Some(closes_at) = self.closes_at {
            info.closes_at = closes_at;
        }
        match self.draft {
            Some(false) => info.draft = false,
            Some(true) if !info.draft => {
                return Err(broken("draft", "buyers have seen it; close or freeze the offer instead"));
            }
            _ => {}
        }
        if let Some(limit) = self.limit_per_person {
            info.limit_per_person = limit;
        }
        if let Some(policy) = self.refund_policy {
            info.refund_policy = policy;
        }
        if let Some(name) = self.time_zone {
            if promised && visit::would_move(info, &name, time_zone) {
                return Err(broken("time_zone", "units are held or sold for the day as it is in the old time zone"));
            }
            visit::moves_to(info, name, time_zone)?;
        }
        if let Some(conditions) = self.conditions {
            info.conditions = conditions;
        }
        info.max_per_order = self.max_per_order.unwrap_or(info.max_per_order);
        info.hold_for_seconds = self.hold_for_seconds.unwrap_or(info.hold_for_seconds);
        if info.price.times(info.max_per_order).is_none() {
            return Err(Problem::field("price", "an order of max_per_order units would be too expensive to count"));
        }
        check_window(info, time_zone)
    }
}

pub(super) fn broken(field: &str, why: &str) -> Problem {
    Problem::new(ErrorCode::PromiseBroken).detail(format!("{field}: {why}")).with("field", field)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_refund_policy_that_fits_what_is_sold_is_promised() {
        let goods = json!({ "kind": "goods" });
        let any_day = json!({ "kind": "ticket" });
        let one_day = json!({ "kind": "ticket", "visit_date": "2026-12-24" });
        for (sold, policies) in [
            (goods, ["full_until_used", "withdrawal"].as_slice()),
            (any_day, &["full_until_used", "none"]),
            (one_day, &["full_until_used", "by_visit_date", "none"]),
        ] {
            let mut product =
                json!({ "product_id": ProductId::NIL, "name": "A", "description": "", "tax_free": false });
            product.as_object_mut().expect("fields").extend(sold.as_object().expect("fields").clone());
            let product: Product = serde_json::from_value(product).expect("a product");
            for policy in ["full_until_used", "by_visit_date", "withdrawal", "none"] {
                let fits = policies.contains(&policy);
                let price = json!({ "amount": 1, "currency": "KRW" });
                let body = json!({
                    "product_id": ProductId::NIL, "price": price, "stock": 1, "refund_policy": policy,
                });
                let new: NewOffer = serde_json::from_value(body).expect("a body");
                let made = new.into_info(OfferId::NIL, product.clone(), Time(0), &TimeZone::UTC);
                let refused = made.as_ref().err().map(|problem| problem.description().starts_with("refund_policy: "));
                assert_eq!(refused, (!fits).then_some(true), "{policy} of {sold}");
                let edit: OfferEdit = serde_json::from_value(json!({ "refund_policy": policy })).expect("a body");
                let mut info = info(product.clone());
                let edited = edit.apply(&mut info, Stock { held: 1, ..Stock::default() }, Time(0), &TimeZone::UTC);
                assert_eq!(edited.is_ok(), fits, "{policy} of {sold}");
            }
        }
    }

    fn info(product: Product) -> OfferInfo {
        OfferInfo {
            offer_id: OfferId::NIL,
            sku: None,
            product,
            price: Money::new(1, firstcome_core::money::Currency::KRW),
            opens_at: Time(0),
            closes_at: None,
            limit_per_person: None,
            max_per_order: 1,
            hold_for_seconds: 1,
            refund_policy: RefundPolicy::FullUntilUsed,
            time_zone: None,
            conditions: Vec::new(),
            draft: false,
            version: 1,
        }
    }
}
