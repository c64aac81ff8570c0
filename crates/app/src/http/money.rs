//! How the description of the API shows money: [`Money`](firstcome_core::money::Money) itself knows nothing of schemas.

use serde::Serialize;
use utoipa::ToSchema;

/// An amount in minor units of a currency.
#[derive(Serialize, ToSchema)]
#[schema(as = Money)]
pub struct MoneySchema {
    /// Minor units.
    #[schema(example = 55000)]
    pub amount: i64,
    /// ISO 4217.
    #[schema(example = "KRW")]
    pub currency: String,
}
