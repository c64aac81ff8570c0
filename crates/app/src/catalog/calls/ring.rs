//! Looking which products can be had, and which of them could not be had before.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use firstcome_core::ids::{OfferId, ProductId};
use firstcome_core::ports::PortError;
use firstcome_core::records::{Comparison, Field as _, Query, Record as _, RecordsExt as _, Stored, Unit};
use firstcome_core::time::Time;

use super::{Bell, Call};
use crate::catalog::Catalog;

/// Rows read at a time.
const PAGE: u32 = 1_000;
/// An offer that opened longer ago than this before it was seen first is no news: so it is when the program learns to tell.
const NEWS: Duration = Duration::from_hours(24);

/// An offer with units, and when it opened.
type Open = (Time, OfferId);

impl Catalog {
    /// Looks once. Products that can be had again are to be told of. Where another process is faster it is looked again the
    /// next time.
    pub(super) async fn ring(&self) -> Result<(), PortError> {
        let now = self.ports.clock.now();
        let open = self.open_now(now).await?;
        let before = Query::all(Call::TABLE, PAGE).is("available", true);
        let before = self.ports.records.every::<Call>(before).await?;
        let before: HashMap<ProductId, Stored<Call>> =
            before.into_iter().map(|call| (call.record.product, call)).collect();
        for call in before.values().filter(|call| !open.contains_key(&call.record.product)) {
            let record = Call { available: false, ..call.record.clone() };
            self.ports.records.commit(Unit::new().update(&Stored { record, version: call.version })).await?;
        }
        for (product, offer) in open.into_iter().filter(|(product, _)| !before.contains_key(product)) {
            self.call_out(product, offer, now).await?;
        }
        Ok(())
    }

    /// What can be had, each with the offer that opened first of those that have units.
    async fn open_now(&self, now: Time) -> Result<BTreeMap<ProductId, Open>, PortError> {
        let bells = Query::all(Bell::TABLE, PAGE).filter("closes_at", Comparison::Greater(now.to_value()));
        let mut open: BTreeMap<ProductId, Open> = BTreeMap::new();
        for Stored { record: bell, .. } in self.ports.records.every::<Bell>(bells).await? {
            if bell.opens_at <= now && self.has_units(&bell).await? {
                let here = (bell.opens_at, bell.offer);
                open.entry(bell.product).and_modify(|first| *first = here.min(*first)).or_insert(here);
            }
        }
        Ok(open)
    }

    async fn has_units(&self, bell: &Bell) -> Result<bool, PortError> {
        let state = self.ports.ledger.snapshot(bell.number).await?;
        Ok(state.is_some_and(|state| !state.offer.frozen && state.offer.stock.available() > 0))
    }

    /// A product can be had that could not. Those who were told of it lately are not told again.
    async fn call_out(&self, product: ProductId, (opened_at, offer): Open, now: Time) -> Result<(), PortError> {
        let known = self.ports.records.load::<Call>(product).await?;
        let new = Call { product, available: true, called_at: None, offer: None, after: None };
        let mut call = known.as_ref().map_or(new, |known| Call { available: true, ..known.record.clone() });
        let is_news = known.is_some() || now < opened_at + NEWS;
        let lately = call.called_at.is_some_and(|called_at| now < called_at + self.ports.wish_pause);
        if is_news && !lately {
            (call.called_at, call.offer, call.after) = (Some(now), Some(offer), None);
        }
        let unit = match known {
            None => Unit::new().insert(&call),
            Some(Stored { version, .. }) => Unit::new().update(&Stored { record: call, version }),
        };
        self.ports.records.commit(unit).await.map(drop)
    }
}
