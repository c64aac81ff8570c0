//! Fills a journal through the ledger that a shop has, with nobody in front of it.

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;

use firstcome_core::ids::{AddressId, BodyDigest, OfferId, OfferNumber, OrderId, UserId, body_digest};
use firstcome_core::ledger::{Command, Facts, HoldRequest, Outcome, ReleaseReason};
use firstcome_core::ports::{PortError, StockLedger as _, SystemClock};
use firstcome_core::testkit::MemoryArchive;
use firstcome_store::sqlite::SqliteLedger;
use firstcome_store::sqlite::ledger::LedgerOptions;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use serde_json::json;
use tokio::time::Instant;

use super::Books;
use crate::storm::StormError;
use crate::storm::progress::Progress;

/// Orders under way at the same time: enough for full batches, fewer than the lane's queue takes.
const UNDER_WAY: usize = 4_096;
/// Orders of each person: a first page of them.
const EACH: u64 = 20;

/// Who placed the orders.
struct Persons<'a> {
    /// The first of them.
    buyers: &'a [UserId],
    /// All of them.
    count: u64,
}

impl Persons<'_> {
    /// Whose order this is: everybody's are from all times.
    fn of(&self, number: u64) -> UserId {
        let person = number % self.count;
        let derived = || UserId::derived(&[b"books", &person.to_be_bytes()]);
        self.buyers.get(person as usize).copied().unwrap_or_else(derived)
    }
}

/// What became of an offer's orders.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Held, and canceled unpaid.
    Canceled,
    /// Granted for nothing; goods, so nothing is delivered by the program.
    Granted,
}

/// An offer of the books.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shelf {
    number: OfferNumber,
    kind: Kind,
    /// The digest of the body that orders one unit of it.
    digest: BodyDigest,
}

impl Shelf {
    pub(super) fn new(offer: &str, kind: Kind) -> Result<Self, StormError> {
        let id: OfferId = offer.parse().map_err(|error| StormError::Shop(format!("offer {offer}: {error}")))?;
        let body = json!({ "offer_id": offer, "quantity": 1 }).to_string();
        Ok(Self { number: id.number(), kind, digest: body_digest(body.as_bytes()) })
    }

    /// The order of this number.
    fn request(&self, number: u64, person: UserId) -> HoldRequest {
        let order = OrderId::of_request(person, &format!("books-{number}"), self.digest, self.number);
        let facts = match self.kind {
            Kind::Canceled => None,
            Kind::Granted => Some(Box::new(Facts { address: Some(AddressId(person.0)), ..Facts::default() })),
        };
        HoldRequest { order, person, quantity: 1, unit_price: None, digest: self.digest, discount: 0, facts }
    }
}

/// Places so many orders, the buyers' among them, and brings each to its end. No shop may run on the folder.
pub(super) async fn fill(
    folder: &Path,
    shelves: &[Shelf],
    buyers: &[UserId],
    orders: u64,
    progress: &Progress,
) -> Result<Books, StormError> {
    let begun = Instant::now();
    let ledger = open(folder).await.map_err(failed)?;
    let persons = Persons { buyers, count: orders.div_ceil(EACH) };
    let canceled = Cell::new(0);
    let place = |number: u64| {
        // One round for each shelf in turn, and no person always at the same shelf.
        let shelf = shelves[((number + number / persons.count) % shelves.len() as u64) as usize];
        let (ledger, canceled, person) = (&*ledger, &canceled, persons.of(number));
        async move {
            place(ledger, shelf, shelf.request(number, person)).await?;
            canceled.set(canceled.get() + u64::from(shelf.kind == Kind::Canceled));
            progress.one();
            Ok::<_, StormError>(())
        }
    };
    stream::iter((0..orders).map(place)).buffer_unordered(UNDER_WAY).try_collect::<()>().await?;
    let (events, journal) = (ledger.work().events, ledger.journal_path().to_owned());
    tokio::task::spawn_blocking(move || ledger.close()).await.map_err(std::io::Error::other)?;
    Ok(Books {
        orders,
        persons: persons.count,
        offers: shelves.len(),
        canceled: canceled.get(),
        events,
        journal_bytes: std::fs::metadata(journal)?.len(),
        fill_seconds: begun.elapsed().as_secs_f64(),
        ..Books::default()
    })
}

/// The folder's ledger. Nothing is ever asked again about a settled order, so all of them may leave its memory at once, though its archive
/// knows nothing.
async fn open(folder: &Path) -> Result<Arc<SqliteLedger>, PortError> {
    let options = LedgerOptions::new(folder, Arc::new(SystemClock), Arc::new(MemoryArchive::default()));
    let opened = tokio::task::spawn_blocking(move || SqliteLedger::open(options)).await;
    let ledger = opened.map_err(|error| PortError::Unavailable(error.to_string()))??;
    ledger.archived(i64::MAX);
    Ok(ledger)
}

async fn place(ledger: &SqliteLedger, shelf: Shelf, request: HoldRequest) -> Result<(), StormError> {
    let order = request.order;
    let held = ledger.decide(shelf.number, Command::Hold(request)).await.map_err(failed)?;
    match (shelf.kind, held) {
        (Kind::Granted, Outcome::Granted(_)) => Ok(()),
        (Kind::Canceled, Outcome::Held(_)) => {
            let release = Command::Release { order, reason: ReleaseReason::Canceled };
            match ledger.decide(shelf.number, release).await.map_err(failed)? {
                Outcome::Released { .. } => Ok(()),
                other => Err(unexpected(&other)),
            }
        }
        (_, other) => Err(unexpected(&other)),
    }
}

fn failed(error: PortError) -> StormError {
    StormError::Shop(format!("filling the books: {error}"))
}

fn unexpected(outcome: &Outcome) -> StormError {
    StormError::Shop(format!("filling the books: the ledger decided {outcome:?}"))
}
