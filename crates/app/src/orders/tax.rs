//! VAT of orders: what is written down of it when an order is placed, and how people are shown it. How it is counted stands
//! in [`firstcome_core::tax`].

use std::collections::HashMap;

use firstcome_core::ids::{AddressId, OfferNumber};
use firstcome_core::ledger::{Facts as OrderFacts, Hold, TaxFacts};
use firstcome_core::money::{Currency, Money};
use firstcome_core::order::USUAL_DAYS_TO_RETURN;
use firstcome_core::ports::{PortError, Records};
use firstcome_core::product::ProductKind;
use firstcome_core::records::{Comparison, Field as _, Query, Record as _, RecordsExt as _};
use firstcome_core::tax::{Tax, USUAL_PERCENT};
use serde::Serialize;
use utoipa::ToSchema;

use super::Orders;
use super::books::sold_lines;
use super::facts::OfferFacts;
use super::place::MAX_LINES;
use crate::http::MoneySchema;

/// What the shop is on receipts, and what it counts with.
#[derive(Clone, Debug)]
pub struct ShopTerms {
    /// Its name.
    pub name: String,
    /// Its business registration number.
    pub business_number: Option<String>,
    /// Who represents it.
    pub representative: Option<String>,
    /// Where it is.
    pub address: Option<String>,
    /// Percent of VAT that prices contain.
    pub vat_percent: u8,
    /// What sending goods costs, once for an order.
    pub shipping: super::fee::Shipping,
    /// Days after their delivery within which goods may be sent back.
    pub days_to_return: u16,
}

impl Default for ShopTerms {
    fn default() -> Self {
        let name = "Firstcome".to_owned();
        let (vat_percent, shipping) = (USUAL_PERCENT, super::fee::Shipping::default());
        let days_to_return = USUAL_DAYS_TO_RETURN;
        Self { name, business_number: None, representative: None, address: None, vat_percent, shipping, days_to_return }
    }
}

/// What money consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Tax)]
pub struct TaxView {
    /// What is taxable, without its VAT.
    #[schema(value_type = MoneySchema)]
    supplied: Money,
    /// The VAT.
    #[schema(value_type = MoneySchema)]
    vat: Money,
    /// What is free of VAT.
    #[schema(value_type = MoneySchema)]
    tax_free: Money,
}

impl TaxView {
    pub(super) fn of(tax: Tax, currency: Currency) -> Self {
        let money = |amount| Money::new(amount, currency);
        Self { supplied: money(tax.supplied), vat: money(tax.vat), tax_free: money(tax.tax_free) }
    }
}

/// What the lines of an order sell.
pub(super) async fn kinds_of(
    records: &dyn Records,
    hold: &Hold,
) -> Result<HashMap<OfferNumber, ProductKind>, PortError> {
    let numbers = sold_lines(hold).iter().map(|line| line.offer.to_value()).collect();
    let query = Query::all(OfferFacts::TABLE, MAX_LINES as u32).filter("number", Comparison::IsOneOf(numbers));
    let offers = records.list::<OfferFacts>(query).await?;
    Ok(offers.into_iter().map(|row| (row.record.number, row.record.kind)).collect())
}

impl Orders {
    /// What is written down of an order beside its lines; nothing of most.
    pub(super) fn facts_of(&self, lines: &[(OfferFacts, u32)], address: Option<AddressId>) -> Option<Box<OrderFacts>> {
        let percent = self.ports.shop.vat_percent;
        let is_free = |offer: &OfferFacts| offer.tax_free == Some(true) && !offer.kind.is_untaxed();
        let free: Vec<_> = lines.iter().map(|(offer, _)| offer).filter(|offer| is_free(offer)).collect();
        let is_usual = free.is_empty() && percent == USUAL_PERCENT;
        let free = free.into_iter().map(|offer| offer.number).collect();
        let tax = (!is_usual).then_some(TaxFacts { percent, free });
        // Only goods have an address, and only they are sent back.
        let days = self.ports.shop.days_to_return;
        let days_to_return = (address.is_some() && days != USUAL_DAYS_TO_RETURN).then_some(days);
        (address.is_some() || tax.is_some())
            .then(|| Box::new(OrderFacts { address, tax, days_to_return, ..OrderFacts::default() }))
    }
}
