//! Pictures as files: what an export writes and an import takes.

use firstcome_core::codes::ErrorCode;
use firstcome_core::records::RecordsExt as _;

use super::routes::waited;
use super::{ImageBytes, ImageRow, own, shown_at};
use crate::catalog::Catalog;
use crate::http::{Outcome, Problem};

/// The kinds of pictures that are kept, and how names of such files end.
const ENDINGS: [(&str, &str); 2] = [("image/jpeg", "jpg"), ("image/png", "png")];

/// A picture as a file.
pub struct ImageFile {
    /// Its id, and an ending that says what it is.
    pub name: String,
    /// As it is shown.
    pub contents: Vec<u8>,
}

/// What a file with the picture of a shop that a URL is of may be called.
pub fn image_file_names(url: &str) -> impl Iterator<Item = String> {
    own(Some(url)).into_iter().flat_map(|image| ENDINGS.map(|(_, ending)| format!("{image}.{ending}")))
}

impl Catalog {
    /// The picture of this shop that a URL is of, unless it is gone or the URL is of another place.
    pub async fn image_file(&self, url: &str) -> Outcome<Option<ImageFile>> {
        let Some(image) = own(Some(url)) else { return Ok(None) };
        let Some(row) = self.ports.records.load::<ImageRow>(image).await? else { return Ok(None) };
        let Some(bytes) = self.ports.records.load::<ImageBytes>(image).await? else { return Ok(None) };
        let ending = ENDINGS.iter().find(|(media, _)| *media == row.record.media).map_or("jpg", |(_, ending)| ending);
        Ok(Some(ImageFile { name: format!("{image}.{ending}"), contents: bytes.record.contents }))
    }

    /// Takes a picture from a file like one that is uploaded, and says where it is shown.
    pub async fn import_image(&self, contents: Vec<u8>) -> Outcome<String> {
        let most = self.ports.images.most_bytes;
        if contents.len() > most {
            let detail =
                format!("image_url: a picture has {most} bytes at most; send a smaller one, or raise images.max_kib");
            return Err(Problem::new(ErrorCode::BodyTooLarge).detail(detail).with("max_bytes", most));
        }
        let place = waited(&self.uploads).await?;
        let row = self.take_sent(contents, place, "image_url").await?;
        Ok(shown_at(row.image_id))
    }
}
