//! Removing pictures that no product shows. One is marked when it is found so, and removed when it still is after a while;
//! whoever uses it in between takes the mark off, and the removal is judged by it.

use std::sync::Arc;
use std::time::Duration;

use firstcome_core::ids::ImageId;
use firstcome_core::ports::{Committed, PortError};
use firstcome_core::records::{Query, Record as _, RecordsExt as _, Stored, Unit};

use super::{ImageBytes, ImageRow, ImageSpace, SPACE, takes};
use crate::catalog::Catalog;
use crate::catalog::store::ProductRow;
use crate::role::Worker;

/// How often it is looked.
const INTERVAL: Duration = Duration::from_hours(1);
/// Rows read at a time.
const PAGE: u32 = 500;

impl Catalog {
    /// The worker that removes pictures.
    pub(in crate::catalog) fn image_sweeper(self: Arc<Self>) -> Worker {
        Worker::new("catalog.images", move |stop| async move {
            loop {
                match stop.run_until_cancelled(self.sweep_images()).await {
                    None => return Ok(()),
                    Some(Ok(())) => {}
                    Some(Err(error)) => tracing::warn!(%error, "unused pictures stay for another hour"),
                }
                if stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_none() {
                    return Ok(());
                }
            }
        })
    }

    /// Looks at every picture once.
    pub(super) async fn sweep_images(&self) -> Result<(), PortError> {
        for stored in self.ports.records.every::<ImageRow>(Query::all(ImageRow::TABLE, PAGE)).await? {
            self.look_at(stored).await?;
        }
        Ok(())
    }

    async fn look_at(&self, mut stored: Stored<ImageRow>) -> Result<(), PortError> {
        let now = self.ports.clock.now();
        let marked = stored.record.unused_since;
        let is_used = self.is_shown(stored.record.image_id).await?;
        match marked {
            Some(_) if is_used => stored.record.unused_since = None,
            None if !is_used => stored.record.unused_since = Some(now),
            Some(since) if now >= since + self.ports.images.kept_unused => return self.remove_image(&stored).await,
            _ => return Ok(()),
        }
        // Whoever was faster has used it.
        self.ports.records.commit(Unit::new().update(&stored)).await.map(drop)
    }

    async fn is_shown(&self, image: ImageId) -> Result<bool, PortError> {
        let shown = Query::all(ProductRow::TABLE, 1).is("image", image);
        Ok(!self.ports.records.list::<ProductRow>(shown).await?.is_empty())
    }

    async fn remove_image(&self, stored: &Stored<ImageRow>) -> Result<(), PortError> {
        let ImageRow { image_id, size, .. } = stored.record;
        let space = self.ports.records.load::<ImageSpace>(SPACE).await?;
        let left = space.as_ref().map_or(0, |space| space.record.size.saturating_sub(size));
        let mut unit = Unit::new().update(stored).delete(&stored.record);
        unit.append(Unit::new().delete(&ImageBytes { image_id, contents: Vec::new() }));
        unit.append(takes(space, left));
        if self.ports.records.commit(unit).await? == Committed::Done {
            tracing::info!(image = %image_id, "a picture that no product shows was removed");
        }
        Ok(())
    }
}
