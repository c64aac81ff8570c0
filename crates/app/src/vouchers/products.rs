//! What was sold under an offer: the role's own copy of the catalogue.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use firstcome_core::events::{RoleEvent, topics};
use firstcome_core::ids::OfferNumber;
use firstcome_core::ports::{LoggedEvent, PortError};
use firstcome_core::product::Product;
use firstcome_core::record;
use firstcome_core::records::{Json, Query, Record as _, RecordsExt, Unit};
use parking_lot::RwLock;

use super::Ports;
use crate::consumer::{Consumer, HandleError, Handler, Topic, Turn, parse};

record! {
    /// The product of an offer.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct SoldProduct in "sold_products" {
        /// The offer.
        pub offer: OfferNumber,
        /// What it sells.
        pub product: Json<Product>,
        /// The time zone in which its day ends; the shop's in rows of old versions.
        pub time_zone: Option<String>,
    }
    indexes []
}

const CONSUMER: &str = "vouchers.catalog";
/// Rows read at a time.
const PAGE: u32 = 1_000;

/// The products, each with the place of the event that told of it: an older event changes nothing.
type ByOffer = Arc<RwLock<HashMap<OfferNumber, (i64, Arc<SoldProduct>)>>>;

/// The products of all offers, in memory.
pub(super) struct Products {
    by_offer: ByOffer,
    consumer: Arc<Consumer<LoggedEvent, Follow>>,
}

impl Products {
    pub(super) async fn create(ports: &Ports) -> Result<Self, PortError> {
        let by_offer = ByOffer::default();
        let position = ports.records.position(CONSUMER).await?;
        let rows = ports.records.every::<SoldProduct>(Query::all(SoldProduct::TABLE, PAGE)).await?;
        let known = rows.into_iter().map(|row| (row.record.offer, (row.version, Arc::new(row.record))));
        by_offer.write().extend(known);
        let announced = Topic { log: ports.events.clone(), name: topics::CATALOG };
        let handler = Follow { by_offer: by_offer.clone() };
        let consumer = Consumer::new(announced, &ports.records, &ports.clock, handler).beginning_at(Turn::at(position));
        Ok(Self { by_offer, consumer: Arc::new(consumer) })
    }

    /// What the offer sells. An offer that was only just created is waited for: only what exists is asked for here.
    pub(super) async fn of(&self, offer: OfferNumber) -> Result<Option<Arc<SoldProduct>>, PortError> {
        let known = || self.by_offer.read().get(&offer).map(|(_, product)| product.clone());
        if let Some(product) = known() {
            return Ok(Some(product));
        }
        self.consumer.catch_up().await?;
        let since = tokio::time::Instant::now();
        while known().is_none() && self.consumer.look_again(since).await? {}
        Ok(known())
    }

    /// What keeps the copy up to date.
    pub(super) fn consumer(&self) -> &Arc<Consumer<LoggedEvent, Follow>> {
        &self.consumer
    }
}

/// Follows the catalogue.
pub(super) struct Follow {
    by_offer: ByOffer,
}

#[async_trait]
impl Handler<LoggedEvent> for Follow {
    fn name(&self) -> &'static str {
        CONSUMER
    }

    fn keeps_memory(&self) -> bool {
        true
    }

    async fn handle(&self, items: &[LoggedEvent]) -> Result<Unit, HandleError> {
        let mut unit = Unit::new();
        for event in items {
            if let RoleEvent::OfferSaved { offer } = parse(event)? {
                let number = offer.offer_id.number();
                let sold = SoldProduct { offer: number, product: Json(offer.product), time_zone: offer.time_zone };
                let mut products = self.by_offer.write();
                if products.get(&number).is_none_or(|(known, _)| *known < event.position) {
                    products.insert(number, (event.position, Arc::new(sold.clone())));
                }
                unit = unit.advance(&sold, event.position);
            }
        }
        Ok(unit)
    }
}
