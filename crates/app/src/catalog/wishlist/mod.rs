//! The wish list: products that a person would like to have, the same on all of their devices.
//!
//! A row for each wish, and one for each person that counts them: both change in one commit, so that two devices together
//! wish for no more than the limit. A product whose row is gone is left out of the list, and can still be taken off it.

mod routes;
#[cfg(test)]
mod tests;

use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::{EventId, ProductId, UserId};
use firstcome_core::ports::{Committed, PortError, Records};
use firstcome_core::record;
use firstcome_core::records::{Comparison, Direction, Field as _, Query, Record as _, RecordsExt, Stored, Unit};
use firstcome_core::time::Time;
use serde::Serialize;
use utoipa::ToSchema;

use super::Catalog;
use super::store::{ProductRow, TRIES, busy};
use super::view::ProductView;
use crate::http::{Items, Outcome, PageParameters, Problem};

pub(super) use routes::{__path_add, __path_list, __path_remove, add, list, remove};

/// Products that one person may wish for.
const MOST_WISHES: u32 = 500;

record! {
    /// A wish.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct WishRow in "wishes" {
        /// Follows from who wishes for what, so that twice is once.
        pub(super) id: EventId,
        /// Who.
        pub(super) person: UserId,
        /// For what.
        pub(super) product: ProductId,
        /// Since when.
        pub(super) added_at: Time,
        /// When the person was last told that it can be had.
        pub(super) told_at: Option<Time>,
    }
    indexes [index "wishes_by_person" ("person", "added_at"), index "wishes_by_product" ("product")]
}

record! {
    /// How much a person wishes for.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct WishlistRow in "wishlists" {
        /// Who.
        pub(super) person: UserId,
        /// Rows in the list.
        pub(super) wishes: u32,
    }
    indexes []
}

/// A product that is wished for.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Wish)]
pub(super) struct WishView {
    #[schema(value_type = String)]
    product_id: ProductId,
    product: ProductView,
    #[schema(value_type = String, format = DateTime)]
    added_at: Time,
}

fn wish_id(person: UserId, product: ProductId) -> EventId {
    EventId::derived(&[b"wish", &person.0, &product.0])
}

impl Catalog {
    /// Puts a product on a person's list, once.
    pub(super) async fn wish(&self, person: UserId, product: ProductId) -> Outcome<()> {
        self.product(product).await?;
        let (id, added_at) = (wish_id(person, product), self.ports.clock.now());
        for _ in 0..TRIES {
            if self.ports.records.load::<WishRow>(id).await?.is_some() {
                return Ok(());
            }
            let counted = self.ports.records.load::<WishlistRow>(person).await?;
            let wishes = counted.as_ref().map_or(0, |stored| stored.record.wishes);
            if wishes >= MOST_WISHES {
                return Err(Problem::new(ErrorCode::WishlistFull).with("limit", MOST_WISHES));
            }
            let unit =
                count(person, counted, wishes + 1).insert(&WishRow { id, person, product, added_at, told_at: None });
            if self.ports.records.commit(unit).await? == Committed::Done {
                return Ok(());
            }
        }
        Err(busy())
    }

    /// Takes a product off a person's list, if it is there.
    pub(super) async fn unwish(&self, person: UserId, product: ProductId) -> Outcome<()> {
        for _ in 0..TRIES {
            let Some(wish) = self.ports.records.load::<WishRow>(wish_id(person, product)).await? else {
                return Ok(());
            };
            let counted = self.ports.records.load::<WishlistRow>(person).await?;
            let wishes = counted.as_ref().map_or(0, |stored| stored.record.wishes);
            let unit = count(person, counted, wishes.saturating_sub(1)).delete(&wish.record);
            if self.ports.records.commit(unit).await? == Committed::Done {
                return Ok(());
            }
        }
        Err(busy())
    }

    /// A page of a person's list, what was added last first.
    pub(super) async fn wishes(&self, person: UserId, page: &PageParameters) -> Outcome<Items<WishView>> {
        let query =
            Query::all(WishRow::TABLE, page.limit + 1).is("person", person).order_by("added_at", Direction::Descending);
        let rows = self.ports.records.list::<WishRow>(page.within(query)?).await?;
        let place = |row: &Stored<WishRow>| (row.record.added_at.to_value(), row.record.key());
        let Items { items, next_cursor } = page.page(rows, place, |row| row.record);
        let products = self.products_of(&items).await?;
        let view = |WishRow { product, added_at, .. }: WishRow| {
            let view = products.iter().find(|row| row.product_id == product)?.product.0.clone().into();
            Some(WishView { product_id: product, product: view, added_at })
        };
        Ok(Items { items: items.into_iter().filter_map(view).collect(), next_cursor })
    }

    async fn products_of(&self, wishes: &[WishRow]) -> Outcome<Vec<ProductRow>> {
        if wishes.is_empty() {
            return Ok(Vec::new());
        }
        let ids = wishes.iter().map(|wish| wish.product.to_value()).collect();
        let query = Query::all(ProductRow::TABLE, wishes.len() as u32);
        let query = query.filter("product_id", Comparison::IsOneOf(ids));
        let mut rows = self.ports.records.list::<ProductRow>(query).await?;
        self.drop_gone(rows.iter_mut().map(|row| &mut row.record.product.0)).await?;
        Ok(rows.into_iter().map(|stored| stored.record).collect())
    }
}

/// The unit of work that forgets what a person wishes for. It conflicts with a wish that another device adds at this moment.
pub(super) async fn forget_wishes(records: &dyn Records, person: UserId) -> Result<Unit, PortError> {
    let Some(counted) = records.load::<WishlistRow>(person).await? else { return Ok(Unit::new()) };
    let wishes = records.every::<WishRow>(Query::all(WishRow::TABLE, MOST_WISHES).is("person", person)).await?;
    let list = Unit::new().update(&counted).delete(&counted.record);
    Ok(wishes.iter().fold(list, |unit, wish| unit.delete(&wish.record)))
}

/// Writes down how many wishes there are; a conflict if another device was faster.
fn count(person: UserId, counted: Option<Stored<WishlistRow>>, wishes: u32) -> Unit {
    let record = WishlistRow { person, wishes };
    match counted {
        None => Unit::new().insert(&record),
        Some(Stored { version, .. }) => Unit::new().update(&Stored { record, version }),
    }
}
