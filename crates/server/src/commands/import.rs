//! `firstcome import`: categories, products and offers from a file. Everything is read and checked before anything is taken.

pub(super) mod categories;
mod csv;
mod fields;
mod images;
mod json;
mod ledger;
mod take;
mod times;

use std::collections::HashSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use firstcome_app::catalog::{Catalog, GivenCategory, GivenOffer, NewProduct, Ports, Promises};
use firstcome_app::http::Problem;
use firstcome_app::secrets::SystemRandom;
use firstcome_core::ids::ProductId;
use firstcome_core::money::Currency;
use firstcome_core::ports::{Clock, RoleName, SystemClock};
use firstcome_core::time::Time;
use garde::Validate;
use jiff::tz::TimeZone;

pub(super) use self::csv::COLUMNS;
pub(super) use self::ledger::ReadLedger;
use self::take::take;
use super::{CATALOGUE, CommandError};
use crate::cli::ImportArguments;
use crate::config::Config;
use crate::folder::{Folder, FolderError};
use crate::place::Place;
use crate::wire::{image_options, promises, time_zone};

/// The catalogue of the demo: one offer for each kind, one open and one that opens in two minutes.
const DEMO: &str = include_str!("import/demo.json");

/// What a file in the encoding of another time is answered with: in Korea Excel saves CSV as CP949 unless told otherwise.
const NOT_UTF8: &str =
    "the file is not UTF-8; save it as UTF-8, in Excel with the type \"CSV UTF-8\" (\"CSV UTF-8(쉼표로 분리)\")";

/// A category and its place in the file.
pub(super) struct CategoryRow {
    place: String,
    given: GivenCategory,
}

/// A product and its place in the file.
pub(super) struct ProductRow {
    place: String,
    product: NewProduct,
    /// What it is found under, by name; none when the file does not say.
    categories: Option<Vec<String>>,
}

/// An offer and its place in the file.
pub(super) struct OfferRow {
    place: String,
    given: GivenOffer,
}

/// A file that was read.
#[derive(Default)]
pub(super) struct Catalogue {
    /// Those that others are in come first.
    categories: Vec<CategoryRow>,
    products: Vec<ProductRow>,
    offers: Vec<OfferRow>,
    /// What of the file was not taken, and why.
    notes: Vec<String>,
}

fn bad(place: &str, message: impl std::fmt::Display) -> CommandError {
    CommandError::Input(format!("{place}: {message}; nothing was imported"))
}

/// Imports a file, or the catalogue in a folder that was exported.
pub fn run(arguments: &ImportArguments) -> Result<(), CommandError> {
    let Some(file) = arguments.file.as_deref().filter(|_| !arguments.print_demo) else {
        write!(std::io::stdout(), "{DEMO}")?;
        return Ok(());
    };
    let config = arguments.data.load()?;
    let (time_zone, images, promises) = (time_zone(&config), image_options(&config), promises(&config));
    let file = &if file.is_dir() { file.join(CATALOGUE) } else { PathBuf::from(file) };
    let mut catalogue = read(file, SystemClock.now(), &time_zone, arguments.currency)?;
    for note in &catalogue.notes {
        writeln!(std::io::stderr(), "{note}")?;
    }
    let place = place(config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let catalog = Catalog::new(Ports {
            records: place.records(RoleName::Catalog).await?,
            ledger: Arc::new(tokio::task::block_in_place(|| ReadLedger::open(&place))?),
            events: Place::no_events(),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            time_zone,
            images,
            wish_pause: Duration::ZERO,
            promises,
        });
        let pictures = images::find(&catalog, &mut catalogue, file).await?;
        compare(&catalog, &catalogue).await?;
        pictures.take(&catalog, &mut catalogue, images.most_bytes as u64).await?;
        let counts = take(&catalog, &catalogue, true).await?;
        writeln!(std::io::stdout(), "{counts}")?;
        Ok(())
    })
}

/// A shop may be filled before it is opened for the first time; a mistyped folder must be noticed.
fn place(config: Config) -> Result<Place, CommandError> {
    let path = config.server.data.clone();
    match Place::existing(config) {
        Err(CommandError::Folder(FolderError::Missing(_))) => {
            let folder = Folder::create(&path)?;
            if folder.is_new() {
                writeln!(std::io::stderr(), "{} is a new data folder", path.display())?;
            }
            Ok(Place::Folder(folder))
        }
        place => place,
    }
}

/// Takes the catalogue of the demo.
pub async fn demo(catalog: &Catalog) -> Result<(), CommandError> {
    let catalogue = json::read(DEMO, "the demo", SystemClock.now())?;
    take(catalog, &catalogue, false).await.map(|_| ())
}

fn read(file: &Path, now: Time, time_zone: &TimeZone, currency: Currency) -> Result<Catalogue, CommandError> {
    let name = file.display().to_string();
    let bytes = std::fs::read(file).map_err(|error| CommandError::Input(format!("{name}: {error}")))?;
    let text = text(&bytes, &name)?;
    let catalogue = match file.extension().and_then(|extension| extension.to_str()) {
        Some("json") => json::read(text, &name, now)?,
        Some("csv") => csv::read(text, &name, now, currency)?,
        _ => return Err(CommandError::Input(format!("{name}: the file's name must end in .json or .csv"))),
    };
    if catalogue.categories.is_empty() && catalogue.products.is_empty() && catalogue.offers.is_empty() {
        return Err(bad(&name, "there is nothing in it"));
    }
    check(&catalogue, now, time_zone)?;
    Ok(catalogue)
}

/// What is in a file, without the mark that some programs begin UTF-8 with.
fn text<'a>(bytes: &'a [u8], name: &str) -> Result<&'a str, CommandError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].split(|byte| *byte == b'\n').count();
        bad(&format!("{name}:{line}"), NOT_UTF8)
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// Finds whatever the catalogue would refuse, before anything is taken.
fn check(catalogue: &Catalogue, now: Time, time_zone: &TimeZone) -> Result<(), CommandError> {
    for row in &catalogue.categories {
        row.given.validate().map_err(|report| bad(&row.place, report.to_string().trim()))?;
    }
    let mut products = std::collections::HashMap::new();
    for row in &catalogue.products {
        row.product.validate().map_err(|report| bad(&row.place, report.to_string().trim()))?;
        let sku = row
            .product
            .sku
            .clone()
            .ok_or_else(|| bad(&row.place, "sku: an import needs one, so that twice is once"))?;
        let product = row.product.clone().into_product(ProductId::NIL, Promises::default());
        let product = product.map_err(|problem| bad(&row.place, words(&problem)))?;
        if products.insert(sku.clone(), product).is_some() {
            return Err(bad(&row.place, format!("the sku {sku} stands here twice")));
        }
    }
    let mut offers = HashSet::new();
    for OfferRow { place, given: GivenOffer { offer, product_sku, .. } } in &catalogue.offers {
        offer.validate().map_err(|report| bad(place, report.to_string().trim()))?;
        let sku = offer.sku.clone().ok_or_else(|| bad(place, "sku: an import needs one, so that twice is once"))?;
        let product = products
            .get(product_sku)
            .ok_or_else(|| bad(place, format!("product_sku: no product {product_sku} in this file")))?;
        let info = offer.clone().into_info(firstcome_core::ids::OfferId::NIL, product.clone(), now, time_zone);
        info.map_err(|problem| bad(place, words(&problem)))?;
        if !offers.insert(sku.clone()) {
            return Err(bad(place, format!("the sku {sku} stands here twice")));
        }
    }
    Ok(())
}

/// Finds whatever would break a promise of the shop that is there, before anything is taken.
async fn compare(catalog: &Catalog, catalogue: &Catalogue) -> Result<(), CommandError> {
    let draft = catalog.draft_of_categories().await;
    let mut draft = draft.map_err(|problem| CommandError::Broken(words(&problem)))?;
    for row in &catalogue.categories {
        draft.put(&row.given).map_err(|problem| bad(&row.place, words(&problem)))?;
    }
    let mut checked = HashSet::new();
    for row in &catalogue.products {
        let named = row.categories.as_deref().unwrap_or_default();
        categories::check(&mut draft, named, &mut checked).map_err(|problem| bad(&row.place, words(&problem)))?;
        catalog.check_product(&row.product).await.map_err(|problem| bad(&row.place, words(&problem)))?;
    }
    for row in &catalogue.offers {
        catalog.check_offer(&row.given).await.map_err(|problem| bad(&row.place, words(&problem)))?;
    }
    Ok(())
}

fn words(problem: &Problem) -> String {
    problem.description().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_utf8_is_named_with_its_line_and_what_to_do() {
        let mut korean = b"sku,kind,name,price,stock\r\na,goods,A,1,1\r\nb,goods,".to_vec();
        // What Excel saves of the Korean word for gift card.
        korean.extend([0xbb, 0xf3, 0xc7, 0xb0, 0xb1, 0xc7]);
        let said = text(&korean, "f.csv").expect_err("refused").to_string();
        assert!(said.starts_with("f.csv:3: the file is not UTF-8") && said.contains("CSV UTF-8"), "{said}");
        assert!(text(b"\xff\xfea\0", "f.csv").expect_err("refused").to_string().starts_with("f.csv:1: "));
        assert_eq!(text("\u{feff}sku".as_bytes(), "f.csv").expect("readable"), "sku");
    }
}
