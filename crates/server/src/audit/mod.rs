//! The audit: everything is read back and compared, from the journal alone.
//!
//! The journal is checked record by record and counted twice: by an auditor that shares nothing with the ledger, and
//! order by order. What the roles keep must then agree with it: the rows of orders, the catalogue's terms, the money that
//! came and went back, the deliveries. What people of the shop did must be as it was written down.
//!
//! A shop that runs is always a little ahead of its own books. A difference that goes away while the audit looks again is
//! in flight; one that stays is a disagreement.

mod actions;
mod books;
mod catalogue;
mod deliveries;
mod gift_cards;
mod journal;
mod lines;
mod money;
mod orders;
mod refunds;
mod report;
mod tax;
mod vouchers;

use std::collections::BTreeMap;
use std::time::Duration;

use firstcome_core::ports::{PortError, RoleName};

use crate::place::Place;
use crate::wire::ARCHIVE;

pub(crate) use books::every;
pub use report::{OfferLine, Report, Sums};

/// How often a difference is looked at, and how long in between, while the shop runs.
const LOOKS: u32 = 6;
const BETWEEN: Duration = Duration::from_millis(700);

/// What does not agree: where, and what.
pub type Differences = BTreeMap<String, String>;

/// Audits a shop, which may run.
pub async fn audit(place: &Place) -> Result<Report, PortError> {
    // Nobody knows it of a cluster; to look again at what differs does no harm.
    let running = place.folder().is_none_or(|folder| folder.lock().is_err());
    let mut report = look(place).await?;
    for _ in 1..LOOKS {
        if !running || report.disagreements.is_empty() {
            break;
        }
        tokio::time::sleep(BETWEEN).await;
        let before = std::mem::take(&mut report.disagreements);
        report = look(place).await?;
        let found = std::mem::take(&mut report.disagreements);
        let (stay, passing): (Differences, Differences) =
            found.into_iter().partition(|(place, _)| before.contains_key(place));
        report.disagreements = stay;
        report.in_flight.extend(passing);
    }
    report.running = running;
    Ok(report)
}

/// Reads everything once.
async fn look(place: &Place) -> Result<Report, PortError> {
    let mut report = Report::default();
    let journal = match tokio::task::block_in_place(|| journal::read(place)) {
        Ok(journal) => journal,
        Err(why) => {
            report.disagreements.insert("journal".to_owned(), why);
            return Ok(report);
        }
    };
    report.take_journal(&journal);
    lines::check(&journal, &mut report);
    // In a cluster the rows of orders are every process' own copy, made again from the journal when it differs.
    if let Some(folder) = place.folder() {
        tokio::task::block_in_place(|| orders::check(&journal, &folder.database(ARCHIVE), &mut report))?;
    }
    catalogue::check(&journal, &*place.records(RoleName::Catalog).await?, &mut report).await?;
    // Of each story the beginning is read first, so that what goes on meanwhile only looks further than it was.
    let decided = refunds::Decided::read(&*place.records(RoleName::Orders).await?).await?;
    tax::check(&journal, &*place.records(RoleName::Orders).await?, &mut report).await?;
    let payments = place.records(RoleName::Payments).await?;
    decided.check(&journal, &*payments, &mut report).await?;
    money::check(&journal, &*payments, &decided, &mut report).await?;
    gift_cards::check(&journal, &decided, &mut report);
    deliveries::check(&journal, &*place.records(RoleName::Vouchers).await?, &decided, &mut report).await?;
    actions::check(place, &mut report).await?;
    Ok(report)
}
