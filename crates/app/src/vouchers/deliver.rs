//! Delivery: one voucher for every unit that the journal says was sold.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use firstcome_core::events::RoleEvent;
use firstcome_core::ids::{OfferNumber, OrderId, UserId};
use firstcome_core::ledger::{Event, HoldState};
use firstcome_core::money::Currency;
use firstcome_core::ports::JournalEntry;
use firstcome_core::product::{Product, ProductKind, zone_or};
use firstcome_core::records::{Field as _, Record as _, Unit, Value};
use firstcome_core::time::Time;

use super::products::Products;
use super::store::{TakenBack, Voucher};
use super::tills::Tills;
use super::{Ports, follow};
use crate::consumer::{HandleError, Handler};
use crate::voucher_account::code_hash;
use crate::voucher_code::new_code;

const DAY: Duration = Duration::from_secs(86_400);

/// The name of the consumer that delivers.
pub const DELIVERY: &str = "vouchers.delivery";
/// How long sales may gather while thousands are made in a second. Each voucher touches four pages of indexes at random: a
/// thousand in one commit share many of them.
pub(super) const GATHERING: Duration = Duration::from_millis(100);

/// One sale of a number of units to a person.
struct Sale {
    offer: OfferNumber,
    order: OrderId,
    person: UserId,
    quantity: u32,
    at: Time,
}

/// Delivers what the journal says was sold.
pub(super) struct Delivery {
    pub(super) ports: Ports,
    pub(super) products: Arc<Products>,
    pub(super) tills: Arc<Tills>,
    pub(super) time_zone: jiff::tz::TimeZone,
    /// For how long at least a gift card is valid when money has come back to it.
    pub(super) valid_again: Duration,
}

#[async_trait]
impl Handler<JournalEntry> for Delivery {
    fn name(&self) -> &'static str {
        DELIVERY
    }

    async fn handle(&self, items: &[JournalEntry]) -> Result<Unit, HandleError> {
        let (mut sales, mut changes) = (Vec::new(), Vec::new());
        for entry in items {
            if entry.record.offer.is_account() {
                changes.extend(follow::changes(&*self.ports.ledger, entry).await?);
                continue;
            }
            for event in &entry.record.events {
                sales.extend(self.sale(entry.record.offer, event, entry.record.at).await?);
            }
        }
        let taken_back = self.taken_back(&sales).await?;
        let mut unit = Unit::new();
        let mut issued = Vec::new();
        for sale in sales.iter().filter(|sale| !taken_back.contains(&sale.order)) {
            for voucher in self.vouchers(sale).await? {
                let announced = self.announced(&voucher).await?;
                unit = announced.into_iter().fold(unit, |unit, event| unit.event(&event, sale.at));
                issued.push(voucher);
            }
        }
        if !changes.is_empty() {
            let (tills, now) = (&*self.tills, self.ports.clock.now());
            let writing = follow::Writing { tills, now, valid_again: self.valid_again };
            unit.append(follow::written(&*self.ports.records, writing, changes, &mut issued).await?);
        }
        Ok(issued.iter().fold(unit, Unit::insert))
    }
}

impl Delivery {
    /// The sale that an event is, if it is one.
    async fn sale(&self, offer: OfferNumber, event: &Event, at: Time) -> Result<Option<Sale>, HandleError> {
        match event {
            Event::Sold(granted) => {
                let (order, person, quantity) = (granted.order, granted.person, granted.quantity);
                Ok(Some(Sale { offer, order, person, quantity, at }))
            }
            Event::Committed { order, .. } => {
                let hold = self.ports.ledger.known(*order).await?;
                let hold = hold.ok_or_else(|| HandleError::Rejected(format!("{order} was sold but has no hold")))?;
                let quantity = hold.quantity_on(offer);
                Ok(Some(Sale { offer, order: *order, person: hold.person, quantity, at }))
            }
            _ => Ok(None),
        }
    }

    /// What the orders role must know of a coupon or a gift card.
    pub(super) async fn announced(&self, voucher: &Voucher) -> Result<Option<RoleEvent>, HandleError> {
        let offer = voucher.sold_by();
        if let Some(saved) = voucher.saved() {
            return Ok(Some(saved));
        }
        let sold = self.products.of(offer).await?;
        Ok(sold.and_then(|sold| {
            let product = &sold.product.0;
            Some(RoleEvent::CouponIssued {
                voucher: voucher.id,
                code: code_hash(&voucher.code),
                user: voucher.user,
                offer,
                discount: product.discount?,
                minimum_amount: product.minimum_amount,
                valid_until: voucher.valid_until,
                voided: voucher.voided,
            })
        }))
    }

    async fn taken_back(&self, sales: &[Sale]) -> Result<HashSet<OrderId>, HandleError> {
        if sales.is_empty() {
            return Ok(HashSet::new());
        }
        let keys: Vec<Value> = sales.iter().map(|sale| sale.order.to_value()).collect();
        let rows = self.ports.records.get_many(TakenBack::TABLE, keys).await?;
        Ok(rows.into_iter().filter_map(|row| TakenBack::from_values(row.values).ok()).map(|row| row.order).collect())
    }

    /// Every voucher that an order is due, as it is issued at `at`; none for goods and for what was never sold.
    pub(super) async fn due(&self, order: OrderId, at: Time) -> Result<Vec<Voucher>, HandleError> {
        let hold = self.ports.ledger.find(order).await?;
        let Some(hold) = hold.filter(|hold| matches!(hold.state, HoldState::Sold | HoldState::Returned)) else {
            return Ok(Vec::new());
        };
        let home = std::iter::once((order.home(), hold.quantity));
        let others = hold.lines_elsewhere().map(|line| (line.offer.number(), line.quantity));
        let mut due = Vec::new();
        for (offer, quantity) in home.chain(others) {
            due.extend(self.vouchers(&Sale { offer, order, person: hold.person, quantity, at }).await?);
        }
        Ok(due)
    }

    /// The vouchers of one sale; none for goods.
    async fn vouchers(&self, sale: &Sale) -> Result<Vec<Voucher>, HandleError> {
        let sold = self.products.of(sale.offer).await?;
        let sold = sold.ok_or_else(|| HandleError::Rejected(format!("offer {} is unknown", sale.offer)))?;
        let product = &sold.product.0;
        if product.kind == ProductKind::Goods {
            return Ok(Vec::new());
        }
        let valid_until = valid_until(product, sale.at, &zone_or(sold.time_zone.as_deref(), &self.time_zone))
            .map_err(|error| HandleError::Rejected(format!("visit date {:?}: {error}", product.visit_date)))?;
        let (face, currency) = face(product);
        let voucher = |number: u32| Voucher {
            id: Voucher::id_of(sale.order, sale.offer, number),
            code: new_code(&*self.ports.random),
            order: sale.order,
            user: sale.person,
            kind: product.kind,
            product_name: product.name.clone(),
            face,
            currency,
            balance: face,
            valid_until,
            voided: false,
            issued_at: sale.at,
            offer: Some(sale.offer),
        };
        Ok((0..sale.quantity).map(voucher).collect())
    }
}

/// What is put on a voucher of this product: money, or one use.
pub fn face(product: &Product) -> (i64, Currency) {
    product.face_value.map_or((1, Currency::KRW), |money| (money.amount, money.currency))
}

/// When a voucher expires that is issued at `at`: at the end of its visit date in this time zone, or so many days later.
pub fn valid_until(product: &Product, at: Time, time_zone: &jiff::tz::TimeZone) -> Result<Time, jiff::Error> {
    let days = product.valid_for_days.unwrap_or(1825);
    Ok(product.visit_ends(time_zone)?.unwrap_or(at + DAY * days))
}
