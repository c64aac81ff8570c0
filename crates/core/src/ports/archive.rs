//! Where a ledger finds holds that have left its memory, and where people find orders.

use hashbrown::HashMap;

use crate::ids::{KeyHash, OfferNumber, OrderId, UserId};
use crate::ledger::{Digest, Hold, OfferSnapshot, Persons};
use crate::order::OrderState;
use crate::time::Time;

use super::{JournalEntry, PortError};

/// The last record of the journal that an archive has taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ArchiveHead {
    /// Its position; 0 before the first.
    pub position: i64,
    /// Its hash; zeroes before the first.
    pub hash: Digest,
}

/// A projection of the journal up to a position: what a ledger starts from, and where settled holds are kept. It can be
/// thrown away at any time and made again from the journal.
///
/// Every method may block on a disk, but for [`HoldArchive::may_contain`].
pub trait HoldArchive: Send + Sync + 'static {
    /// Up to where everything is here.
    fn head(&self) -> Result<ArchiveHead, PortError>;
    /// Takes the records that follow [`HoldArchive::head`], in order: all of them or none. Those that it has already
    /// change nothing. Called by one thread at a time.
    fn apply(&self, entries: &[JournalEntry]) -> Result<(), PortError>;
    /// Forgets everything, so that it can be made again from the beginning of the journal. Called before anyone else uses
    /// it.
    fn clear(&self) -> Result<(), PortError>;
    /// Every offer as of the head.
    fn offers(&self) -> Result<Vec<OfferSnapshot>, PortError>;
    /// The open holds of an offer as of the head.
    fn open_holds(&self, offer: OfferNumber) -> Result<Vec<Hold>, PortError>;
    /// Units that each person holds and owns of each offer as of the head.
    fn persons(&self) -> Result<HashMap<OfferNumber, Persons>, PortError>;
    /// Whether an order with this key can be here at all: false is certain. Fast, and never touches a disk.
    fn may_contain(&self, key: KeyHash) -> bool;
    /// The hold of an order on an offer.
    fn hold(&self, offer: OfferNumber, order: OrderId) -> Result<Option<Hold>, PortError>;
    /// The order that was granted to a request with this key, whatever its body and offer. One that was aborted never was.
    fn order_of_key(&self, key: KeyHash) -> Result<Option<OrderId>, PortError>;
}

/// Which orders are asked for: all conditions must hold.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OrderQuery {
    /// Whose.
    pub person: Option<UserId>,
    /// With units of which offer, whether it is the home or not.
    pub offer: Option<OfferNumber>,
    /// In which state.
    pub state: Option<OrderState>,
    /// Granted at this moment or later.
    pub granted_from: Option<Time>,
    /// Granted before this moment.
    pub granted_before: Option<Time>,
    /// Listed after this place, that is, granted earlier.
    pub after: Option<i64>,
    /// At most so many.
    pub limit: usize,
}

/// An order with its place in the list of all orders.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedOrder {
    /// Later orders have higher places.
    pub place: i64,
    /// The hold on the order's home offer.
    pub hold: Hold,
}

/// An archive that people can look through.
pub trait OrderArchive: HoldArchive {
    /// The orders that a query selects, the latest first, as of [`HoldArchive::head`]. Those that were aborted are none.
    fn list(&self, query: &OrderQuery) -> Result<Vec<ListedOrder>, PortError>;
}
