//! `firstcome export`: the catalogue in the format of imports, and the books as CSV. Also while the shop runs: it only reads.

mod acts;
mod books;
mod catalogue;
mod sales;

use std::collections::HashSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use firstcome_app::catalog::{Catalog, ExportedCatalogue, ImageOptions, Ports, Promises};
use firstcome_app::orders::OfferFacts;
use firstcome_app::secrets::SystemRandom;
use firstcome_core::ids::OfferNumber;
use firstcome_core::ports::{RoleName, SystemClock};

use self::sales::Sales;
use super::CommandError;
use super::import::ReadLedger;
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
        let exported = catalogue(&place, time_zone.clone()).await?;
        match target.extension().and_then(|extension| extension.to_str()) {
            Some("json") => write_file(target, &catalogue::json(&exported)?)?,
            Some("csv") => write_file(target, &catalogue::csv(&exported)?)?,
            _ => {
                let untaxed = untaxed(&place).await?;
                let sales = tokio::task::block_in_place(|| Sales::read(&place, untaxed, time_zone))?;
                let mut files = vec![
                    ("catalogue.json", catalogue::json(&exported)?),
                    ("catalogue.csv", catalogue::csv(&exported)?),
                ];
                files.extend(books::write(&place, &sales, arguments.reasons).await?);
                files.extend(acts::write(&place).await?);
                write_folder(target, &files)?;
            }
        }
        let ExportedCatalogue { categories, products, offers } = &exported;
        let (categories, products, offers) = (categories.len(), products.len(), offers.len());
        Ok(writeln!(std::io::stdout(), "{categories} categories, {products} products, {offers} offers")?)
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

async fn catalogue(place: &Place, time_zone: jiff::tz::TimeZone) -> Result<ExportedCatalogue, CommandError> {
    let catalog = Catalog::new(Ports {
        records: place.records(RoleName::Catalog).await?,
        ledger: Arc::new(tokio::task::block_in_place(|| ReadLedger::open(place))?),
        events: Place::no_events(),
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        time_zone,
        images: ImageOptions::default(),
        wish_pause: Duration::ZERO,
        promises: Promises::default(),
    });
    catalog.export().await.map_err(|problem| CommandError::Broken(problem.description().to_owned()))
}

/// The folder that something is in.
fn around(target: &Path) -> &Path {
    target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn failed(target: &Path, error: &std::io::Error) -> CommandError {
    CommandError::Broken(format!("{}: {error}; nothing was exported", target.display()))
}

/// Writes a file whole or not at all. Only its owner may read it.
fn write_file(target: &Path, contents: &[u8]) -> Result<(), CommandError> {
    let write = || {
        let mut file = tempfile::NamedTempFile::new_in(around(target))?;
        file.write_all(contents)?;
        file.as_file().sync_all()?;
        file.persist_noclobber(target).map_err(|error| error.error)
    };
    write().map(drop).map_err(|error| failed(target, &error))
}

/// Writes a folder whole or not at all. Only its owner may read it.
fn write_folder(target: &Path, files: &[(&str, Vec<u8>)]) -> Result<(), CommandError> {
    let write = || {
        let folder = tempfile::Builder::new().prefix(".export-").tempdir_in(around(target))?;
        for (name, contents) in files {
            let mut file = fs::File::create_new(folder.path().join(name))?;
            file.write_all(contents)?;
            file.sync_all()?;
        }
        fs::rename(folder.path(), target)
    };
    write().map_err(|error| failed(target, &error))
}
