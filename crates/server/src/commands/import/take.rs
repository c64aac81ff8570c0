//! Taking a catalogue that was read and checked.

use std::collections::{BTreeSet, HashMap};

use firstcome_app::catalog::{Catalog, GivenCategory, Imported, NewOffer, NewProduct};
use firstcome_app::http::Problem;
use firstcome_core::ids::CategoryId;
use indicatif::{ProgressBar, ProgressStyle};

use super::{Catalogue, words};
use crate::commands::CommandError;

/// What was done with the rows of a file.
#[derive(Clone, Copy, Default)]
pub(super) struct Counts {
    created: usize,
    updated: usize,
    unchanged: usize,
}

impl Counts {
    fn add(&mut self, imported: Imported) {
        match imported {
            Imported::Created => self.created += 1,
            Imported::Updated => self.updated += 1,
            Imported::Unchanged => self.unchanged += 1,
        }
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { created, updated, unchanged } = self;
        write!(formatter, "{created} created, {updated} updated, {unchanged} unchanged")
    }
}

/// Someone changed the shop between the check and now.
fn stopped(place: &str, problem: &Problem, counts: &Counts) -> CommandError {
    CommandError::Input(format!("{place}: {}; before it: {counts}", words(problem)))
}

/// Two names can be of one category.
fn without_twins(ids: Vec<CategoryId>) -> Vec<CategoryId> {
    let mut seen = BTreeSet::new();
    ids.into_iter().filter(|id| seen.insert(*id)).collect()
}

/// How often it is tried again when another import was faster.
const TRIES: usize = 16;

/// What is there is changed row by row, what is new is created in one commit. What another import has created meanwhile is
/// there at the next try.
pub(super) async fn take(catalog: &Catalog, catalogue: &Catalogue, show: bool) -> Result<Counts, CommandError> {
    let mut updated = 0;
    let mut at_first = None;
    for _ in 0..TRIES {
        let (counts, ids) = categories(catalog, catalogue).await?;
        let counts = *at_first.get_or_insert(counts);
        let of_categories = counts.updated;
        let (mut counts, whole) = try_to_take(catalog, catalogue, &ids, counts, show).await?;
        // What was updated by the try before is as it should be now.
        counts.updated += updated;
        counts.unchanged -= updated.min(counts.unchanged);
        if whole {
            return Ok(counts);
        }
        updated = counts.updated - of_categories;
    }
    Err(CommandError::Input("others are changing the catalogue all the time; try again".to_owned()))
}

/// What was done with the categories of the file, and the ids of those that its products name.
async fn categories(
    catalog: &Catalog,
    catalogue: &Catalogue,
) -> Result<(Counts, HashMap<String, CategoryId>), CommandError> {
    let given: Vec<GivenCategory> = catalogue.categories.iter().map(|row| row.given.clone()).collect();
    let named = catalogue.products.iter().flat_map(|row| row.categories.iter().flatten());
    let named: Vec<String> = named.cloned().collect::<BTreeSet<_>>().into_iter().collect();
    let mut counts = Counts::default();
    let taken = catalog.import_categories(&given, &named).await;
    let (done, ids) = taken.map_err(|problem| stopped("categories", &problem, &counts))?;
    done.into_iter().for_each(|done| counts.add(done));
    Ok((counts, ids))
}

/// Whether all of it was taken, and what was. The categories were taken before.
async fn try_to_take(
    catalog: &Catalog,
    catalogue: &Catalogue,
    categories: &HashMap<String, CategoryId>,
    mut counts: Counts,
    show: bool,
) -> Result<(Counts, bool), CommandError> {
    let total = (catalogue.products.len() + catalogue.offers.len()) as u64;
    let progress = if show { ProgressBar::new(total) } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} rows") {
        progress.set_style(style);
    }
    let mut new = catalog.together().await.map_err(|problem| stopped("the shop", &problem, &counts))?;
    let mut created = 0;
    let mut products = HashMap::new();
    for row in &catalogue.products {
        let sku = row.product.sku.clone().unwrap_or_default();
        let under = row.categories.as_ref().map(|names| names.iter().map(|name| categories[name]).collect());
        let product = NewProduct { categories: under.map(without_twins), ..row.product.clone() };
        let taken = match catalog.has_product(&sku).await {
            Ok(true) => catalog.import_product(product).await.map(|(product, done)| (product, Some(done))),
            Ok(false) => new.product(product).map(|product| (product, None)),
            Err(problem) => Err(problem),
        };
        let (product, done) = taken.map_err(|problem| stopped(&row.place, &problem, &counts))?;
        products.insert(sku, product);
        match done {
            Some(done) => counts.add(done),
            None => created += 1,
        }
        progress.inc(1);
    }
    for row in &catalogue.offers {
        let sku = row.given.offer.sku.clone().unwrap_or_default();
        let product = products.get(&row.given.product_sku).expect("the file was checked").clone();
        let taken = match catalog.has_offer(&sku).await {
            Ok(true) => catalog.import_offer(row.given.clone(), product.product_id).await.map(|(_, done)| Some(done)),
            Ok(false) => {
                let offer = NewOffer { product_id: product.product_id, ..row.given.offer.clone() };
                new.offer(offer, product).await.map(|()| None)
            }
            Err(problem) => Err(problem),
        };
        let done = taken.map_err(|problem| stopped(&row.place, &problem, &counts))?;
        match done {
            Some(done) => counts.add(done),
            None => created += 1,
        }
        progress.inc(1);
    }
    let whole = new.commit().await.map_err(|problem| stopped("the new rows", &problem, &counts))?;
    counts.created += if whole { created } else { 0 };
    progress.finish_and_clear();
    Ok((counts, whole))
}
