//! Products and offers as every role knows them.

use serde::{Deserialize, Serialize};

use crate::ids::{CategoryId, OfferId, ProductId};
use crate::money::Money;
use crate::text_enum;
use crate::time::Time;

text_enum! {
    /// What is sold.
    pub enum ProductKind {
        /// Something that is shipped.
        Goods = "goods",
        /// An entry.
        Ticket = "ticket",
        /// Money to spend with merchants.
        GiftCard = "gift_card",
        /// A discount.
        Coupon = "coupon",
    }
}

impl ProductKind {
    /// Whether its sale is none in the sense of VAT: what is paid for it pays for something else later, which is taxed then.
    pub fn is_untaxed(self) -> bool {
        matches!(self, Self::GiftCard | Self::Coupon)
    }
}

text_enum! {
    /// When a buyer gets money back for canceling a completed order.
    pub enum RefundPolicy {
        /// All of it while nothing was used.
        FullUntilUsed = "full_until_used",
        /// By days before the visit.
        ByVisitDate = "by_visit_date",
        /// Goods: all of it within days of the delivery.
        Withdrawal = "withdrawal",
        /// Never.
        None = "none",
    }
}

/// What a coupon takes off.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Discount {
    /// A share of the price.
    Percent {
        /// 1 to 100.
        percent: u8,
        /// At most so many minor units.
        max_amount: Option<i64>,
    },
    /// A fixed amount.
    Amount(Money),
}

/// What a buyer must be or have to order an offer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", try_from = "AnyCondition")]
pub enum Condition {
    /// Their e-mail is verified.
    EmailVerified(bool),
    /// They registered at least so many days ago.
    AccountOlderThanDays(u32),
    /// They have bought this product, and not given all of it back.
    OwnsProduct(ProductId),
    /// It is verified who they are; one person has one such account.
    IdentityVerified(bool),
}

/// What an object may say, so that one that says nothing or two things is told so.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnyCondition {
    email_verified: Option<bool>,
    account_older_than_days: Option<u32>,
    owns_product: Option<ProductId>,
    identity_verified: Option<bool>,
}

impl TryFrom<AnyCondition> for Condition {
    type Error = &'static str;

    fn try_from(any: AnyCondition) -> Result<Self, Self::Error> {
        match (any.email_verified, any.account_older_than_days, any.owns_product, any.identity_verified) {
            (Some(verified), None, None, None) => Ok(Self::EmailVerified(verified)),
            (None, Some(days), None, None) => Ok(Self::AccountOlderThanDays(days)),
            (None, None, Some(product), None) => Ok(Self::OwnsProduct(product)),
            (None, None, None, Some(verified)) => Ok(Self::IdentityVerified(verified)),
            _ => Err("one of email_verified, account_older_than_days, owns_product and identity_verified"),
        }
    }
}

/// What is sold.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Product {
    /// Names it.
    pub product_id: ProductId,
    /// The seller's own name for it; importing the same again changes it instead of adding one.
    pub sku: Option<String>,
    /// What it is.
    pub kind: ProductKind,
    /// For people.
    pub name: String,
    /// For people; may be empty.
    pub description: String,
    /// A picture.
    pub image_url: Option<String>,
    /// Whether no VAT is due.
    pub tax_free: bool,
    /// Gift card: the money on it.
    pub face_value: Option<Money>,
    /// Gift card, ticket, coupon: days from delivery until it expires.
    pub valid_for_days: Option<u32>,
    /// Ticket: the day that it is for; none means any day while it is valid.
    pub visit_date: Option<String>,
    /// Coupon: what it takes off.
    pub discount: Option<Discount>,
    /// Coupon: the least that an order must cost, in minor units.
    pub minimum_amount: Option<i64>,
    /// What it can be found under. Some of them may be gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<CategoryId>,
}

impl Product {
    /// When the day that it is for ends in a time zone; none for what is for any day.
    pub fn visit_ends(&self, time_zone: &jiff::tz::TimeZone) -> Result<Option<Time>, jiff::Error> {
        let Some(day) = &self.visit_date else { return Ok(None) };
        let next = day.parse::<jiff::civil::Date>()?.tomorrow()?;
        Ok(Some(Time(next.to_zoned(time_zone.clone())?.timestamp().as_microsecond())))
    }
}

/// A product on sale, as the catalog announces it. Stock lives in the ledger.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OfferInfo {
    /// Names it, and carries its number.
    pub offer_id: OfferId,
    /// The seller's own name for it.
    pub sku: Option<String>,
    /// What is sold.
    pub product: Product,
    /// Price of one unit.
    pub price: Money,
    /// When it opens.
    pub opens_at: Time,
    /// When it closes.
    pub closes_at: Option<Time>,
    /// Units that one person may have.
    pub limit_per_person: Option<u32>,
    /// Units that one order may ask for.
    pub max_per_order: u32,
    /// Seconds to pay.
    pub hold_for_seconds: u32,
    /// When money goes back.
    pub refund_policy: RefundPolicy,
    /// The time zone in which its days begin and end, by its IANA name; the shop's in what old versions wrote.
    #[serde(default)]
    pub time_zone: Option<String>,
    /// What a buyer must be or have: all of these.
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// Not shown, not sold, until the seller opens it.
    pub draft: bool,
    /// Grows with every change; the version of its terms in the ledger.
    pub version: u32,
}

impl OfferInfo {
    /// The time zone in which its days begin and end.
    pub fn zone(&self, of_shop: &jiff::tz::TimeZone) -> jiff::tz::TimeZone {
        zone_or(self.time_zone.as_deref(), of_shop)
    }

    /// When the day that it is for ends in its own time zone; none for what is for any day, and for what names no zone that
    /// this machine knows.
    pub fn usable_until(&self) -> Option<Time> {
        let zone = jiff::tz::TimeZone::get(self.time_zone.as_deref()?).ok()?;
        self.product.visit_ends(&zone).ok()?
    }
}

/// The time zone of a name. The shop's where there is none, or one that this machine does not know.
pub fn zone_or(name: Option<&str>, of_shop: &jiff::tz::TimeZone) -> jiff::tz::TimeZone {
    name.and_then(|name| jiff::tz::TimeZone::get(name).ok()).unwrap_or_else(|| of_shop.clone())
}
