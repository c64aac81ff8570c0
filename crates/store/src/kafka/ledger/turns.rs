//! Advice on whose turn it is.

use async_trait::async_trait;
use firstcome_core::ids::OfferNumber;

/// Lets the processes of a shop take turns at an offer where one of them keeps losing the race for the next record. Only advice: who
/// does not wait for its turn, or believes to have one that another has too, loses a race and decides again.
#[async_trait]
pub trait Turns: Send + Sync + 'static {
    /// Returns when it is this process' turn, or when it has waited long enough. Never fails: no advice is as good as a
    /// turn.
    async fn take(&self, offer: OfferNumber);
    /// This process' turn is over.
    async fn give_back(&self, offer: OfferNumber);
}
