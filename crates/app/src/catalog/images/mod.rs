//! Pictures that sellers upload. Each is called by what is in it, so that the same twice is one, and an address always shows
//! the same picture. One that no product shows is removed after a while.

mod files;
mod picture;
mod routes;
mod sweep;
#[cfg(test)]
mod tests;

use std::time::Duration;

use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::ImageId;
use firstcome_core::ports::Committed;
use firstcome_core::record;
use firstcome_core::records::{RecordsExt as _, Stored, Unit};
use firstcome_core::time::Time;

use self::picture::Picture;
use super::Catalog;
use super::store::{TRIES, busy};
use crate::actions::about;
use crate::http::{Outcome, Problem};

pub use files::{ImageFile, image_file_names};
pub(super) use routes::{__path_get, __path_upload, get, upload};

/// Where pictures are shown.
const PATH: &str = "/images/";
/// The one row of what they take.
const SPACE: u32 = 1;

/// What a shop allows of pictures.
#[derive(Debug, Clone, Copy)]
pub struct ImageOptions {
    /// Bytes of one that is sent.
    pub most_bytes: usize,
    /// Bytes of all that are kept.
    pub quota: u64,
    /// How long one is kept that no product shows.
    pub kept_unused: Duration,
}

impl Default for ImageOptions {
    fn default() -> Self {
        Self { most_bytes: 2 << 20, quota: 1 << 30, kept_unused: Duration::from_hours(7 * 24) }
    }
}

record! {
    /// What is known of a picture.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct ImageRow in "images" {
        /// Follows from what is in it.
        pub(super) image_id: ImageId,
        /// `image/jpeg` or `image/png`.
        pub(super) media: String,
        /// Bytes.
        pub(super) size: u64,
        /// Pixels.
        pub(super) width: u32,
        /// Pixels.
        pub(super) height: u32,
        /// When it was sent first.
        pub(super) uploaded_at: Time,
        /// Since when no product is known to show it.
        pub(super) unused_since: Option<Time>,
    }
    indexes []
}

record! {
    /// A picture.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct ImageBytes in "image_bytes" {
        /// Which.
        pub(super) image_id: ImageId,
        /// As it is shown.
        pub(super) contents: Vec<u8>,
    }
    indexes []
}

record! {
    /// What all pictures take together.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct ImageSpace in "image_space" {
        /// Always the same.
        pub(super) id: u32,
        /// Bytes.
        pub(super) size: u64,
    }
    indexes []
}

/// Where a picture is shown.
fn shown_at(image: ImageId) -> String {
    format!("{PATH}{image}")
}

/// The picture of this shop that a URL is of.
pub(super) fn own(url: Option<&str>) -> Option<ImageId> {
    url?.strip_prefix(PATH)?.parse().ok()
}

impl Catalog {
    /// Keeps a picture, unless it is there.
    async fn keep(&self, picture: Picture) -> Outcome<ImageRow> {
        let Picture { media, bytes, width, height } = picture;
        let image_id = ImageId::derived(&[media.as_bytes(), &bytes]);
        about(image_id);
        let (size, uploaded_at) = (bytes.len() as u64, self.ports.clock.now());
        let row = ImageRow { image_id, media: media.to_owned(), size, width, height, uploaded_at, unused_since: None };
        let contents = ImageBytes { image_id, contents: bytes };
        for _ in 0..TRIES {
            if let Some(present) = self.touched(image_id).await? {
                return Ok(present);
            }
            let space = self.ports.records.load::<ImageSpace>(SPACE).await?;
            let taken = space.as_ref().map_or(0, |space| space.record.size) + size;
            if taken > self.ports.images.quota {
                return Err(Problem::new(ErrorCode::ImagesFull).with("limit", self.ports.images.quota));
            }
            let unit = takes(space, taken).insert(&row).insert(&contents);
            if self.ports.records.commit(unit).await? == Committed::Done {
                return Ok(row);
            }
        }
        Err(busy())
    }

    /// The picture, which is not removed soon now, if it is there.
    async fn touched(&self, image: ImageId) -> Outcome<Option<ImageRow>> {
        for _ in 0..TRIES {
            let Some(mut stored) = self.ports.records.load::<ImageRow>(image).await? else { return Ok(None) };
            if stored.record.unused_since.take().is_none() {
                return Ok(Some(stored.record));
            }
            if self.ports.records.commit(Unit::new().update(&stored)).await? == Committed::Done {
                return Ok(Some(stored.record));
            }
        }
        Err(busy())
    }

    /// Refuses the URL of a picture of this shop that is not there.
    pub(super) async fn check_image(&self, url: Option<&str>) -> Outcome<()> {
        if self.has_image(url).await? {
            return Ok(());
        }
        Err(Problem::field("image_url", "there is no such image; POST /admin/images takes one"))
    }

    /// Whether what a URL shows is there; what is shown by others always is.
    pub async fn has_image(&self, url: Option<&str>) -> Outcome<bool> {
        if url.is_none_or(|url| !url.starts_with(PATH)) {
            return Ok(true);
        }
        let Some(image) = own(url) else { return Ok(false) };
        Ok(self.touched(image).await?.is_some())
    }
}

/// Writes down what all pictures take; a conflict if somebody else was faster.
fn takes(space: Option<Stored<ImageSpace>>, size: u64) -> Unit {
    let record = ImageSpace { id: SPACE, size };
    match space {
        None => Unit::new().insert(&record),
        Some(Stored { version, .. }) => Unit::new().update(&Stored { record, version }),
    }
}
