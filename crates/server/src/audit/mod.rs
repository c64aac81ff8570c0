//! The audit: everything is read back and compared, from the journal alone.
//!
//! The journal is checked record by record and counted twice: by an auditor that shares nothing with the ledger, and
//! order by order. What the roles keep must then agree with it: the rows of orders, the money, the deliveries.
//!
//! A shop that runs is always a little ahead of its own books. A difference that goes away while the audit looks again is
//! in flight; one that stays is a disagreement.

mod books;
mod deliveries;
mod journal;
mod money;
mod orders;
mod report;

use std::collections::BTreeMap;
use std::time::Duration;

use firstcome_core::ports::PortError;

use crate::folder::Folder;
use crate::wire::{ARCHIVE, Databases};

pub use report::{OfferLine, Report};

/// How often a difference is looked at, and how long in between, while the shop runs.
const LOOKS: u32 = 6;
const BETWEEN: Duration = Duration::from_millis(700);

/// What does not agree: where, and what.
pub type Differences = BTreeMap<String, String>;

/// Audits a data folder; a server may run on it.
pub async fn audit(folder: &Folder) -> Result<Report, PortError> {
    let running = folder.lock().is_err();
    let mut report = look(folder).await?;
    for _ in 1..LOOKS {
        if !running || report.disagreements.is_empty() {
            break;
        }
        tokio::time::sleep(BETWEEN).await;
        let before = std::mem::take(&mut report.disagreements);
        report = look(folder).await?;
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
async fn look(folder: &Folder) -> Result<Report, PortError> {
    let mut report = Report::default();
    let path = folder.path().to_owned();
    let read = tokio::task::spawn_blocking(move || journal::read(&path)).await;
    let journal = read.map_err(|error| PortError::Unavailable(error.to_string()))?;
    let journal = match journal {
        Ok(journal) => journal,
        Err(why) => {
            report.disagreements.insert("journal".to_owned(), why);
            return Ok(report);
        }
    };
    report.take_journal(&journal);
    let databases = Databases::open(folder)?;
    let archive = folder.database(ARCHIVE);
    tokio::task::block_in_place(|| orders::check(&journal, &archive, &mut report))?;
    money::check(&journal, &*databases.payments, &mut report).await?;
    deliveries::check(&journal, &*databases.vouchers, &*databases.orders, &mut report).await?;
    Ok(report)
}
