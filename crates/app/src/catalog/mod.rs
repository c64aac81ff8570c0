//! The role `catalog`: products and offers, and the seller's side of them.
//!
//! An offer's row and its announcement commit together; then its terms go to the ledger. A crash between the two heals
//! itself: [`terms`] repeats every announced change, and the ledger takes each version once.

mod adjustments;
mod calls;
mod categories;
mod changes;
mod export;
mod fields;
mod images;
mod import;
mod live;
mod offer;
mod offers_admin;
mod offers_public;
mod operate;
mod people;
mod product;
mod products_admin;
mod products_public;
mod search;
mod sort;
mod stock_stream;
mod store;
mod terms;
#[cfg(test)]
mod tests;
mod together;
mod view;
mod visit;
mod wishlist;

use std::sync::Arc;
use std::time::Duration;

use firstcome_core::ports::{Clock, EventLog, PortError, Random, Records, RoleName, StockLedger};
use firstcome_core::records::{Record, Table};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::actions::{Action, ActionHead};
use crate::consumer::DeadLetter;
use crate::letters::Letters;
use crate::role::Role;

pub use categories::{CategoryDraft, GivenCategory, MOST_OF_PRODUCT as MOST_CATEGORIES};
pub use export::ExportedCatalogue;
pub use images::{ImageFile, ImageOptions, image_file_names};
pub use import::{GivenOffer, Imported};
pub use offer::NewOffer;
pub use product::{NewProduct, Promises};
pub use store::{Catalog, OfferRow};
pub use together::Together;

/// The tables of the role's database.
pub const TABLES: &[&Table] = &[
    store::ProductRow::TABLE,
    store::OfferRow::TABLE,
    adjustments::AdjustmentRow::TABLE,
    calls::Bell::TABLE,
    calls::Call::TABLE,
    categories::TreeRow::TABLE,
    images::ImageRow::TABLE,
    images::ImageBytes::TABLE,
    images::ImageSpace::TABLE,
    wishlist::WishRow::TABLE,
    wishlist::WishlistRow::TABLE,
    DeadLetter::TABLE,
    Action::TABLE,
    ActionHead::TABLE,
];

/// What the role needs.
#[derive(Clone)]
pub struct Ports {
    /// Its database.
    pub records: Arc<dyn Records>,
    /// Where terms are set and units are counted.
    pub ledger: Arc<dyn StockLedger>,
    /// Its own announcements, to repeat what a crash cut off, and those of accounts.
    pub events: Arc<dyn EventLog>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub random: Arc<dyn Random>,
    /// Where the day of a visit ends.
    pub time_zone: jiff::tz::TimeZone,
    /// What pictures may take.
    pub images: ImageOptions,
    /// How often a person is told that one product can be had: once in such a time.
    pub wish_pause: Duration,
    /// What products promise where their seller does not say.
    pub promises: Promises,
}

/// Makes the role. Returns when the ledger has the terms of every offer.
pub async fn create(ports: Ports) -> Result<Role, PortError> {
    search::fill(&*ports.records).await?;
    let terms = terms::consumer(&ports);
    terms.catch_up().await?;
    let people = people::consumer(&ports);
    let mut letters = Letters::new(RoleName::Catalog, &ports.records, &ports.clock);
    let catalog = Arc::new(Catalog::new(ports));
    let workers = vec![
        letters.follow(&terms),
        letters.follow(&people),
        Arc::clone(&catalog).caller(),
        Arc::clone(&catalog).image_sweeper(),
    ];
    let router = routes().with_state(catalog);
    Ok(Role { name: "catalog", router, workers, letters: Some(letters) })
}

/// The description of its part of the API.
pub fn openapi() -> OpenApi {
    routes().into_openapi()
}

fn routes() -> OpenApiRouter<Arc<Catalog>> {
    OpenApiRouter::new()
        .routes(routes!(products_public::list))
        .routes(routes!(products_public::get))
        .routes(routes!(offers_public::list))
        .routes(routes!(offers_public::get))
        .routes(routes!(offers_public::time))
        .routes(routes!(stock_stream::get))
        .routes(routes!(categories::list))
        .routes(routes!(images::get))
        .routes(routes!(images::upload))
        .routes(routes!(wishlist::list))
        .routes(routes!(wishlist::add, wishlist::remove))
        .routes(routes!(products_admin::list, products_admin::create))
        .routes(routes!(products_admin::get, products_admin::edit))
        .routes(routes!(categories::of_seller, categories::create))
        .routes(routes!(categories::change, categories::remove))
        .routes(routes!(offers_admin::list, offers_admin::create))
        .routes(routes!(offers_admin::get, offers_admin::edit))
        .routes(routes!(operate::open))
        .routes(routes!(operate::close))
        .routes(routes!(operate::freeze))
        .routes(routes!(operate::unfreeze))
        .routes(routes!(operate::adjust))
        .routes(routes!(live::get))
        .routes(routes!(live::stream))
}
