//! Where a ledger finds holds that have left its memory.

use crate::ids::{KeyHash, OfferNumber, OrderId};
use crate::ledger::{Hold, OfferSnapshot};

use super::PortError;

/// A projection of the journal up to a position: what a ledger starts from, and where settled holds are kept.
///
/// Called from the ledger's own thread; every method may block on a disk.
pub trait HoldArchive: Send + Sync + 'static {
    /// The position of the journal up to which everything is here.
    fn position(&self) -> Result<i64, PortError>;
    /// Every offer as of [`HoldArchive::position`].
    fn offers(&self) -> Result<Vec<OfferSnapshot>, PortError>;
    /// The open holds of an offer as of [`HoldArchive::position`].
    fn open_holds(&self, offer: OfferNumber) -> Result<Vec<Hold>, PortError>;
    /// Units that each person holds and owns of an offer as of [`HoldArchive::position`].
    fn persons(&self, offer: OfferNumber) -> Result<Vec<(crate::ids::UserId, u32)>, PortError>;
    /// Whether an order with this key can be here at all: false is certain. Fast, and never touches a disk.
    fn may_contain(&self, key: KeyHash) -> bool;
    /// The hold of an order on an offer.
    fn hold(&self, offer: OfferNumber, order: OrderId) -> Result<Option<Hold>, PortError>;
    /// The order that was granted to a request with this key, whatever its body and offer.
    fn order_of_key(&self, key: KeyHash) -> Result<Option<OrderId>, PortError>;
}
