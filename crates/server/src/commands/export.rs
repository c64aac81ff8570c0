//! `firstcome export`: the catalogue in the format of imports, its pictures, and the books as CSV. Also while the shop
//! runs: it only reads.

mod acts;
mod books;
mod catalogue;
mod sales;
mod target;

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use firstcome_app::catalog::{Catalog, ExportedCatalogue, ImageFile, ImageOptions, Ports, Promises};
use firstcome_app::http::Problem;
use firstcome_app::orders::OfferFacts;
use firstcome_app::secrets::SystemRandom;
use firstcome_core::ids::OfferNumber;
use firstcome_core::ports::{RoleName, SystemClock};

use self::sales::Sales;
use self::target::{NewFolder, write_file};
use super::import::ReadLedger;
use super::{CATALOGUE, CommandError, IMAGES};
use crate::audit::every;
use crate::cli::ExportArguments;
use crate::place::Place;
use crate::wire::time_zone;

/// Exports to a file that ends in .json or .csv, or to a new folder.
pub fn run(arguments: &ExportArguments) -> Result<(), CommandError> {
    let target = &arguments.target;
    if fs::exists(target)? {
        return Err(CommandError::Input(format!("{}: is there already; nothing was exported", target.display())));
    }
    let config = arguments.data.load()?;
    let time_zone = time_zone(&config);
    let place = Place::existing(config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let catalog = open(&place, time_zone.clone()).await?;
        let exported = catalog.export().await.map_err(|problem| unreadable(&problem))?;
        let mut pictures = String::new();
        match target.extension().and_then(|extension| extension.to_str()) {
            Some("json") => write_file(target, &catalogue::json(&exported)?)?,
            Some("csv") => write_file(target, &catalogue::csv(&exported)?)?,
            _ => {
                let untaxed = untaxed(&place).await?;
                let sales = tokio::task::block_in_place(|| Sales::read(&place, untaxed, time_zone))?;
                let mut files =
                    vec![(CATALOGUE, catalogue::json(&exported)?), ("catalogue.csv", catalogue::csv(&exported)?)];
                files.extend(books::write(&place, &sales, arguments.reasons).await?);
                files.extend(acts::write(&place).await?);
                let folder = NewFolder::begin(target)?;
                for (name, contents) in &files {
                    folder.write(name, contents)?;
                }
                pictures = format!(", {} pictures", images(&catalog, &exported, &folder).await?);
                folder.finish()?;
            }
        }
        let ExportedCatalogue { categories, products, offers } = &exported;
        let (categories, products, offers) = (categories.len(), products.len(), offers.len());
        Ok(writeln!(std::io::stdout(), "{categories} categories, {products} products, {offers} offers{pictures}")?)
    })
}

/// The offers of which nothing is ever taxed.
async fn untaxed(place: &Place) -> Result<HashSet<OfferNumber>, CommandError> {
    let mut untaxed = HashSet::new();
    every::<OfferFacts>(&*place.records(RoleName::Orders).await?, |offer| {
        untaxed.extend(offer.kind.is_untaxed().then_some(offer.number));
    })
    .await?;
    Ok(untaxed)
}

async fn open(place: &Place, time_zone: jiff::tz::TimeZone) -> Result<Catalog, CommandError> {
    Ok(Catalog::new(Ports {
        records: place.records(RoleName::Catalog).await?,
        ledger: Arc::new(tokio::task::block_in_place(|| ReadLedger::open(place))?),
        events: Place::no_events(),
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        time_zone,
        images: ImageOptions::default(),
        wish_pause: Duration::ZERO,
        promises: Promises::default(),
    }))
}

fn unreadable(problem: &Problem) -> CommandError {
    CommandError::Broken(problem.description().to_owned())
}

/// Writes the uploaded pictures that products show, one after the other, and says how many.
async fn images(
    catalog: &Catalog,
    exported: &ExportedCatalogue,
    folder: &NewFolder<'_>,
) -> Result<usize, CommandError> {
    let urls = exported.products.iter().filter_map(|product| product.get("image_url")?.as_str());
    let mut written = 0;
    for url in urls.collect::<BTreeSet<_>>() {
        if let Some(ImageFile { name, contents }) =
            catalog.image_file(url).await.map_err(|problem| unreadable(&problem))?
        {
            folder.write(Path::new(IMAGES).join(name), &contents)?;
            written += 1;
        }
    }
    Ok(written)
}
