//! Telling people that what they wish for can be had: its offer has opened, or has units again.
//!
//! - [`bells`] is what is on sale when, as the catalogue announces it.
//! - [`ring`] looks every few seconds which products can be had. One that could not be had before is called out.
//! - [`tell`] goes through those who wish for it, a page at a time: their wishes are marked and the page is announced in one
//!   commit, so that nobody is told twice, also not by a process that goes on with what another has left. Accounts, which
//!   know the addresses, queue the mails in the commit in which they read it.
//!
//! All of it reads, and writes a row for each product and each wish: it takes nothing from a sale.

mod bells;
mod ring;
mod tell;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use firstcome_core::ids::{EventId, OfferId, OfferNumber, ProductId};
use firstcome_core::record;
use firstcome_core::time::Time;

use super::Catalog;
use crate::role::Worker;

pub(super) use bells::hung;

/// How often it is looked what can be had.
const INTERVAL: Duration = Duration::from_secs(2);

record! {
    /// An offer, as far as it says when its product can be had.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct Bell in "bells" {
        /// Which.
        pub(super) number: OfferNumber,
        /// The same.
        pub(super) offer: OfferId,
        /// What it sells.
        pub(super) product: ProductId,
        /// When it opens.
        pub(super) opens_at: Time,
        /// When it closes; the last time there is for one that does not.
        pub(super) closes_at: Time,
    }
    indexes [index "bells_by_end" ("closes_at")]
}

record! {
    /// What is known of a product that is, or was, on sale.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct Call in "calls" {
        /// Which.
        pub(super) product: ProductId,
        /// Whether it could be had when it was looked.
        pub(super) available: bool,
        /// When people were last told.
        pub(super) called_at: Option<Time>,
        /// The offer of which people are being told; empty once all are.
        pub(super) offer: Option<OfferId>,
        /// The last wish that was looked at.
        pub(super) after: Option<EventId>,
    }
    indexes [index "calls_under_way" ("offer"), index "calls_available" ("available")]
}

impl Catalog {
    /// The worker that looks, and tells.
    pub(super) fn caller(self: Arc<Self>) -> Worker {
        Worker::new("catalog.calls", move |stop| async move {
            loop {
                let work = async {
                    self.ring().await?;
                    self.tell_all().await
                };
                match stop.run_until_cancelled(work).await {
                    None => return Ok(()),
                    Some(Ok(())) => {}
                    Some(Err(error)) => tracing::warn!(%error, "people are told later of what they wish for"),
                }
                if stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_none() {
                    return Ok(());
                }
            }
        })
    }
}
