//! Pictures in the folder `images` beside a catalogue, as an export writes them.

use std::collections::HashMap;
use std::fmt::Display;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use firstcome_app::catalog::{Catalog, image_file_names};

use super::{Catalogue, ProductRow, bad, words};
use crate::commands::{CommandError, IMAGES};

/// The pictures that are to be taken: products by their place in the file, and the files.
pub(super) struct Pictures(Vec<(usize, PathBuf)>);

/// Finds the pictures that the shop does not have. What is not beside the catalogue either is left out and told.
pub(super) async fn find(catalog: &Catalog, catalogue: &mut Catalogue, file: &Path) -> Result<Pictures, CommandError> {
    let folder = file.with_file_name(IMAGES);
    let mut pictures = Vec::new();
    for (index, row) in catalogue.products.iter_mut().enumerate() {
        let ProductRow { place, product, .. } = row;
        let url = product.image_url.as_deref();
        if catalog.has_image(url).await.map_err(|problem| bad(place, words(&problem)))? {
            continue;
        }
        let is_there = |name: String| Some(folder.join(name)).filter(|file| file.is_file());
        let beside = url.and_then(|url| image_file_names(url).find_map(is_there));
        if let Some(file) = beside {
            pictures.push((index, file));
            continue;
        }
        let note =
            "image_url: the picture is not in this shop, nor in a folder images beside the file; the product has none";
        writeln!(std::io::stderr(), "{place}: {note}")?;
        product.image_url = None;
    }
    Ok(Pictures(pictures))
}

impl Pictures {
    /// Takes them one after the other, each like one that is uploaded. One that no product shows in the end is removed like any
    /// other.
    pub(super) async fn take(
        self,
        catalog: &Catalog,
        catalogue: &mut Catalogue,
        most: u64,
    ) -> Result<(), CommandError> {
        let mut taken: HashMap<PathBuf, String> = HashMap::new();
        for (index, file) in self.0 {
            let ProductRow { place, product, .. } = &mut catalogue.products[index];
            let url = if let Some(url) = taken.get(&file) {
                url.clone()
            } else {
                let wrong = |why: &dyn Display| bad(place, format!("{why} ({})", file.display()));
                let contents = read(&file, most).map_err(|error| wrong(&error))?;
                catalog.import_image(contents).await.map_err(|problem| wrong(&words(&problem)))?
            };
            product.image_url = Some(url.clone());
            taken.insert(file, url);
        }
        Ok(())
    }
}

/// One that is larger than pictures may be is not read to its end.
fn read(file: &Path, most: u64) -> std::io::Result<Vec<u8>> {
    let mut contents = Vec::new();
    File::open(file)?.take(most + 1).read_to_end(&mut contents)?;
    Ok(contents)
}
