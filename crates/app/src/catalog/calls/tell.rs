//! Telling everyone who wishes for a product, a page at a time.

use std::time::Duration;

use firstcome_core::events::RoleEvent;
use firstcome_core::ids::UserId;
use firstcome_core::ports::PortError;
use firstcome_core::records::{Comparison, Direction, Field as _, Query, Record as _, RecordsExt as _, Stored, Unit};
use firstcome_core::time::Time;

use super::Call;
use crate::catalog::Catalog;
use crate::catalog::store::{OfferRow, ProductRow};
use crate::catalog::wishlist::WishRow;

/// Wishes that are looked at in one commit.
pub(super) const PAGE: u32 = 200;
/// The pause between two pages, in which everyone else has the database.
const PACE: Duration = Duration::from_millis(50);
/// Products that are told of in turn.
const AT_ONCE: u32 = 20;

impl Catalog {
    /// Tells of every product that people are to be told of.
    pub(super) async fn tell_all(&self) -> Result<(), PortError> {
        loop {
            let calls =
                Query::all(Call::TABLE, AT_ONCE).filter("offer", Comparison::AtLeast(Vec::<u8>::new().to_value()));
            let calls = self.ports.records.list::<Call>(calls).await?;
            if calls.is_empty() {
                return Ok(());
            }
            for call in calls {
                self.tell_page(call).await?;
                tokio::time::sleep(PACE).await;
            }
        }
    }

    /// Tells the next page of those who wish for a product. Nothing happens where a wish of the page was taken off, or added,
    /// at this moment, or another process was faster: the next look begins at the same place.
    pub(super) async fn tell_page(&self, mut call: Stored<Call>) -> Result<(), PortError> {
        let Call { product, called_at, offer, after, .. } = call.record.clone();
        let (Some(called_at), Some(offer)) = (called_at, offer) else { return Ok(()) };
        let place = after.map(|after| (product.to_value(), after.to_value()));
        let wishes = Query::all(WishRow::TABLE, PAGE)
            .is("product", product)
            .order_by("product", Direction::Ascending)
            .after(place);
        let wishes = self.ports.records.list::<WishRow>(wishes).await?;
        let is_last = wishes.len() < PAGE as usize;
        call.record.after = wishes.last().map(|wish| wish.record.id);
        let told = wishes.into_iter().filter(|wish| self.is_to_be_told(&wish.record, called_at));
        let mut users: Vec<UserId> = Vec::new();
        let mut unit = Unit::new();
        for mut wish in told {
            wish.record.told_at = Some(called_at);
            users.push(wish.record.person);
            unit = unit.update(&wish);
        }
        if let (false, Some(name)) = (users.is_empty(), self.name_on_sale(&call.record).await?) {
            unit = unit.event(&RoleEvent::WishesGranted { product, name, offer, users }, self.ports.clock.now());
        }
        if is_last {
            (call.record.offer, call.record.after) = (None, None);
        }
        self.ports.records.commit(unit.update(&call)).await.map(drop)
    }

    /// Who wished before, and was not told of it lately.
    fn is_to_be_told(&self, wish: &WishRow, called_at: Time) -> bool {
        let lately = wish.told_at.is_some_and(|told_at| called_at < told_at + self.ports.wish_pause);
        wish.added_at <= called_at && !lately
    }

    /// What the product is called now, if its offer is still there.
    async fn name_on_sale(&self, call: &Call) -> Result<Option<String>, PortError> {
        let Some(offer) = call.offer else { return Ok(None) };
        let offer = self.ports.records.load::<OfferRow>(offer).await?;
        let product = self.ports.records.load::<ProductRow>(call.product).await?;
        Ok(offer.and(product).map(|product| product.record.name))
    }
}
