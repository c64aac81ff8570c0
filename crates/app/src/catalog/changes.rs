//! Changing a product. Its offers carry a copy of it: they change, and are announced, in the same commit.

use firstcome_core::codes::ErrorCode;
use firstcome_core::events::RoleEvent;
use firstcome_core::ports::Committed;
use firstcome_core::product::Product;
use firstcome_core::records::{Query, Record as _, RecordsExt, Stored, Unit};

use super::offer::{broken, check_refund_policy};
use super::store::{Catalog, OfferRow, ProductRow, busy, offer_row, product_row, saved, tell};
use super::visit;
use crate::http::{Outcome, Problem};

/// Offers that one product may have and still be changed: all of them change in one commit.
const MOST_OFFERS: u32 = 10_000;

impl Catalog {
    /// Makes a product, and every offer of it, as this says, unless that would break what holders of it were promised.
    pub(super) async fn change_product(&self, present: Stored<ProductRow>, product: Product) -> Outcome<Product> {
        let offers = self.offers_to_change(&present.record, &product).await?;
        if product == present.record.product.0 && offers.is_empty() {
            return Ok(product);
        }
        let now = self.ports.clock.now();
        let row = product_row(&product, present.record.created_at);
        let mut unit = Unit::new().update(&Stored { record: row, ..present }).event(&saved(&product), now);
        let mut changed = Vec::with_capacity(offers.len());
        for stored in offers {
            let OfferRow { initial_stock, created_at, offer, .. } = stored.record;
            let mut info = offer.0;
            if info.product.visit_date == product.visit_date {
                info.product = product.clone();
            } else {
                visit::moves_with_it(&mut info, &product, &self.ports.time_zone)?;
            }
            info.version += 1;
            let row = offer_row(&info, initial_stock, created_at);
            unit = unit.update(&Stored { record: row, version: stored.version });
            unit = unit.event(&RoleEvent::OfferSaved { offer: Box::new(info.clone()) }, now);
            changed.push((info, initial_stock));
        }
        if self.ports.records.commit(unit).await? != Committed::Done {
            return Err(busy());
        }
        for (info, initial_stock) in &changed {
            tell(&*self.ports.ledger, info, *initial_stock).await?;
        }
        Ok(product)
    }

    /// Whether the change would break a promise, without making it.
    pub(super) async fn check_change(&self, present: &ProductRow, product: &Product) -> Outcome<()> {
        self.offers_to_change(present, product).await.map(drop)
    }

    /// The offers that do not show the product as this says; refused if one of them has promised something else.
    async fn offers_to_change(&self, present: &ProductRow, product: &Product) -> Outcome<Vec<Stored<OfferRow>>> {
        check_kind(present, product)?;
        let moves = present.product.0.visit_date != product.visit_date;
        if moves {
            self.is_to_come(product, None)?;
        }
        let query = Query::all(OfferRow::TABLE, MOST_OFFERS + 1).is("product_id", product.product_id);
        let mut offers = self.ports.records.list::<OfferRow>(query).await?;
        if offers.len() > MOST_OFFERS as usize {
            let detail = format!("More than {MOST_OFFERS} offers sell this product; create another product instead");
            return Err(Problem::new(ErrorCode::WrongState).detail(detail));
        }
        offers.retain(|stored| stored.record.offer.0.product != *product);
        for OfferRow { offer_id, offer, .. } in offers.iter().map(|stored| &stored.record) {
            if moves {
                let mut moved = offer.0.clone();
                let fits = visit::moves_with_it(&mut moved, product, &self.ports.time_zone)
                    .and_then(|()| check_refund_policy(&moved));
                fits.map_err(|problem| {
                    Problem::field("visit_date", format!("offer {offer_id}: {}", problem.description()))
                })?;
            }
            let Some(field) = promised(&offer.0.product, product) else { continue };
            let units = self.state(*offer_id).await?.map(|state| state.offer.stock).unwrap_or_default();
            if units.held + units.sold > 0 {
                let why = format!("units of offer {offer_id} are held or sold; create another product instead");
                return Err(broken(field, &why));
            }
        }
        Ok(offers)
    }
}

fn check_kind(present: &ProductRow, product: &Product) -> Outcome<()> {
    if present.kind == product.kind { Ok(()) } else { Err(broken("kind", "what a product is never changes")) }
}

/// The first field in which two products differ and that whoever holds one was promised.
fn promised(before: &Product, after: &Product) -> Option<&'static str> {
    [
        ("face_value", before.face_value != after.face_value),
        ("valid_for_days", before.valid_for_days != after.valid_for_days),
        ("visit_date", before.visit_date != after.visit_date),
        ("discount", before.discount != after.discount),
        ("minimum_amount", before.minimum_amount != after.minimum_amount),
    ]
    .into_iter()
    .find_map(|(field, differs)| differs.then_some(field))
}
