//! A product as the seller sends it.

use firstcome_core::ids::{CategoryId, ProductId};
use firstcome_core::money::Money;
use firstcome_core::order::USUAL_DAYS_TO_RETURN;
use firstcome_core::product::{Discount, Product, ProductKind};
use firstcome_core::voucher::MAX_FACE;
use garde::Validate;
use serde::Deserialize;
use utoipa::ToSchema;

use super::fields;
use crate::http::{MoneySchema, Problem, lines, one_line, some_text};

/// Days that a ticket or coupon is valid when the seller does not say: five years.
const DEFAULT_VALID_FOR_DAYS: u32 = 1825;

/// What the shop promises where a seller does not say.
#[derive(Debug, Clone, Copy)]
pub struct Promises {
    /// Days that a gift card is valid.
    pub gift_card_days: u32,
    /// Days after their delivery within which goods may be sent back.
    pub days_to_return: u16,
}

impl Default for Promises {
    fn default() -> Self {
        Self { gift_card_days: DEFAULT_VALID_FOR_DAYS, days_to_return: USUAL_DAYS_TO_RETURN }
    }
}

impl Promises {
    /// Days that a unit of a product is valid.
    fn valid_for_days(self, kind: ProductKind) -> Option<u32> {
        match kind {
            ProductKind::Goods => None,
            ProductKind::GiftCard => Some(self.gift_card_days),
            ProductKind::Ticket | ProductKind::Coupon => Some(DEFAULT_VALID_FOR_DAYS),
        }
    }
}

/// A new product.
#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProduct {
    /// The seller's own name for it. Creating the same again is refused, importing it changes it.
    #[serde(default)]
    #[garde(inner(length(chars, min = 1, max = 100), custom(one_line)))]
    pub sku: Option<String>,
    /// goods, ticket, `gift_card` or coupon.
    #[garde(skip)]
    #[schema(value_type = String, example = "goods")]
    pub kind: ProductKind,
    /// For people.
    #[garde(length(chars, max = 200), custom(some_text), custom(one_line))]
    #[schema(example = "Lamp")]
    pub name: String,
    /// For people.
    #[serde(default)]
    #[garde(length(chars, max = 10_000), custom(lines))]
    pub description: String,
    /// A picture.
    #[serde(default)]
    #[garde(inner(length(chars, max = 2_000), custom(fields::image)))]
    pub image_url: Option<String>,
    /// Whether no VAT is due.
    #[serde(default)]
    #[garde(skip)]
    pub tax_free: bool,
    /// Gift card: the money on it.
    #[serde(default)]
    #[garde(inner(custom(fields::positive)))]
    #[schema(value_type = Option<MoneySchema>)]
    pub face_value: Option<Money>,
    /// Gift card, ticket, coupon: days from delivery until it expires; those of the shop if left out.
    #[serde(default)]
    #[garde(inner(range(min = 1, max = 36_500)))]
    pub valid_for_days: Option<u32>,
    /// Ticket: the day that it is for.
    #[serde(default)]
    #[garde(inner(custom(fields::date)))]
    pub visit_date: Option<String>,
    /// Coupon: what it takes off.
    #[serde(default)]
    #[garde(skip)]
    #[schema(value_type = Option<Object>)]
    pub discount: Option<Discount>,
    /// Coupon: the least that an order must cost, in minor units.
    #[serde(default)]
    #[garde(inner(range(min = 0)))]
    pub minimum_amount: Option<i64>,
    /// What it can be found under: ids of `GET /categories`.
    #[serde(default)]
    #[garde(skip)]
    #[schema(value_type = Option<Vec<String>>)]
    pub categories: Option<Vec<CategoryId>>,
}

impl NewProduct {
    /// The product, when its fields fit its kind.
    pub fn into_product(self, product_id: ProductId, promises: Promises) -> Result<Product, Problem> {
        let product = Product {
            product_id,
            sku: self.sku,
            kind: self.kind,
            name: self.name,
            description: self.description,
            image_url: self.image_url,
            tax_free: self.tax_free,
            face_value: self.face_value,
            valid_for_days: self.valid_for_days.or_else(|| promises.valid_for_days(self.kind)),
            visit_date: self.visit_date,
            discount: self.discount,
            minimum_amount: self.minimum_amount,
            categories: self.categories.unwrap_or_default(),
        };
        check_kind(&product)?;
        Ok(product)
    }
}

/// Whether the fields of a product fit its kind.
fn check_kind(product: &Product) -> Result<(), Problem> {
    let kind = product.kind;
    let only = |name: &str, present: bool, owner: ProductKind| {
        if present && kind != owner {
            return Err(Problem::field(name, format!("only a {} has one", owner.as_str())));
        }
        Ok(())
    };
    only("face_value", product.face_value.is_some(), ProductKind::GiftCard)?;
    only("visit_date", product.visit_date.is_some(), ProductKind::Ticket)?;
    only("discount", product.discount.is_some(), ProductKind::Coupon)?;
    only("minimum_amount", product.minimum_amount.is_some(), ProductKind::Coupon)?;
    if kind == ProductKind::Goods && product.valid_for_days.is_some() {
        return Err(Problem::field("valid_for_days", "goods do not expire"));
    }
    if kind == ProductKind::GiftCard && product.face_value.is_none() {
        return Err(Problem::field("face_value", "a gift_card needs one"));
    }
    if product.face_value.is_some_and(|face| face.amount > MAX_FACE) {
        return Err(Problem::field("face_value", format!("at most {MAX_FACE} minor units are put on a card")));
    }
    match (kind, &product.discount) {
        (ProductKind::Coupon, None) => Err(Problem::field("discount", "a coupon needs one")),
        (_, Some(Discount::Percent { percent, max_amount }))
            if !(1..=100).contains(percent) || max_amount.is_some_and(|amount| amount < 1) =>
        {
            Err(Problem::field("discount", "percent is 1 to 100, and max_amount more than 0"))
        }
        (_, Some(Discount::Amount(money))) if money.amount < 1 || !money.is_price() => {
            Err(Problem::field("discount", "amount must be more than 0"))
        }
        _ => Ok(()),
    }
}

/// Changes of a product. What is left out stays; what kind of thing it is never changes, and what its holders were
/// promised only while there are none.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EditProduct)]
pub(super) struct ProductEdit {
    #[serde(default)]
    #[garde(inner(length(chars, max = 200), custom(some_text), custom(one_line)))]
    pub(super) name: Option<String>,
    #[serde(default)]
    #[garde(inner(length(chars, max = 10_000), custom(lines)))]
    pub(super) description: Option<String>,
    #[serde(default, deserialize_with = "crate::http::present")]
    #[garde(inner(inner(length(chars, max = 2_000), custom(fields::image))))]
    pub(super) image_url: Option<Option<String>>,
    #[serde(default)]
    #[garde(skip)]
    pub(super) tax_free: Option<bool>,
    #[serde(default)]
    #[garde(skip)]
    #[schema(value_type = Option<String>)]
    pub(super) kind: Option<ProductKind>,
    #[serde(default)]
    #[garde(inner(custom(fields::positive)))]
    #[schema(value_type = Option<MoneySchema>)]
    pub(super) face_value: Option<Money>,
    #[serde(default)]
    #[garde(inner(range(min = 1, max = 36_500)))]
    pub(super) valid_for_days: Option<u32>,
    #[serde(default, deserialize_with = "crate::http::present")]
    #[garde(inner(inner(custom(fields::date))))]
    #[schema(value_type = Option<String>)]
    pub(super) visit_date: Option<Option<String>>,
    #[serde(default)]
    #[garde(skip)]
    #[schema(value_type = Option<Object>)]
    pub(super) discount: Option<Discount>,
    #[serde(default, deserialize_with = "crate::http::present")]
    #[garde(inner(inner(range(min = 0))))]
    pub(super) minimum_amount: Option<Option<i64>>,
    /// All of those that it is in then.
    #[serde(default)]
    #[garde(skip)]
    #[schema(value_type = Option<Vec<String>>)]
    pub(super) categories: Option<Vec<CategoryId>>,
}

impl ProductEdit {
    /// The product with the changes, when its fields still fit its kind.
    pub(super) fn apply(self, mut product: Product) -> Result<Product, Problem> {
        if let Some(name) = self.name {
            product.name = name;
        }
        if let Some(description) = self.description {
            product.description = description;
        }
        if let Some(image_url) = self.image_url {
            product.image_url = image_url;
        }
        product.tax_free = self.tax_free.unwrap_or(product.tax_free);
        product.face_value = self.face_value.or(product.face_value);
        product.valid_for_days = self.valid_for_days.or(product.valid_for_days);
        product.discount = self.discount.or(product.discount);
        if let Some(visit_date) = self.visit_date {
            product.visit_date = visit_date;
        }
        if let Some(minimum_amount) = self.minimum_amount {
            product.minimum_amount = minimum_amount;
        }
        product.categories = self.categories.unwrap_or(product.categories);
        if let Some(kind) = self.kind.filter(|kind| *kind != product.kind) {
            // Refused where the promises are, not because the other kind has other fields.
            product.kind = kind;
            return Ok(product);
        }
        check_kind(&product)?;
        Ok(product)
    }
}
