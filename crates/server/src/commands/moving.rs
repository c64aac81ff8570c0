//! `firstcome move`: an embedded shop's data to a cluster. Every record of the journal, every row with its version, every
//! announcement and every consumer's place; audited before on one side and afterwards on the other.

mod books;

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use firstcome_core::ports::RoleName;
use firstcome_store::kafka::ledger::AdoptedJournal;
use firstcome_store::kafka::{KafkaOptions, topics};
use indicatif::{ProgressBar, ProgressStyle};

use self::books::Books;
use super::CommandError;
use crate::audit::{Report, audit};
use crate::cli::MoveArguments;
use crate::config::{Config, Mode, Overrides, load};
use crate::folder::Folder;
use crate::place::Place;
use crate::wire;

/// What a shop had under way when it was stopped looks like a disagreement, until it has run again.
const NOT_MOVED: &str = "nothing was moved. What was under way when the shop was stopped comes to its end when it runs: start \
     it once more where no buyer reaches it, stop it when `firstcome audit` agrees, and move then";

/// Moves.
pub fn run(arguments: &MoveArguments) -> Result<(), CommandError> {
    let config = load(Some(&arguments.config), &Overrides::default())?;
    if config.mode()? == Mode::Embedded {
        let file = arguments.config.display();
        return Err(CommandError::Input(format!("{file} names no servers: it must be the configuration of a cluster")));
    }
    let folder = Folder::existing(&arguments.from)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(relocate(folder, config))
}

async fn relocate(folder: Folder, config: Config) -> Result<(), CommandError> {
    // Held to the end: a shop that went on meanwhile would sell the same units once more.
    let _lock = folder.lock()?;
    let from = Place::Folder(folder.clone());
    say("auditing what is moved")?;
    let before = checked(&from, NOT_MOVED).await?;
    let kafka = wire::cluster::kafka(&config);
    let mut books = Vec::new();
    for role in RoleName::ALL.into_iter().filter(|role| *role != RoleName::Gateway) {
        if config.databases.of(role).is_some() || role != RoleName::Sandbox {
            books.push(Books::open(&folder, &config, role).await?);
        }
    }
    copy_keys(&folder.path().join("keys"), config.cluster.keys.as_deref())?;
    for topic in wire::cluster::TOPICS {
        topics::must_be_empty(&kafka, topic).await?;
    }
    // Nothing was written so far that another try would stumble over.
    say("the journal")?;
    let records = journal(&from, &kafka).await?;
    for books in &books {
        say(&format!("the books of {}", books.role()))?;
        books.relocate(&kafka).await?;
    }
    say("auditing what was moved")?;
    let to = Place::Cluster(Arc::new(config));
    let after = checked(&to, "do not open the cluster").await?;
    if let Some(difference) = difference(&before, &after) {
        return Err(CommandError::Broken(format!("the cluster is not what the folder was: {difference}")));
    }
    let Report { events, orders, payments, vouchers, .. } = &after;
    say(&format!(
        "moved {records} records with {events} events, {orders} orders, {payments} payments and {vouchers} vouchers; both \
         audits agree. The folder is as it was: keep it as a backup, and never open it again"
    ))
}

/// An audit that must pass.
async fn checked(place: &Place, otherwise: &str) -> Result<Report, CommandError> {
    let report = audit(place).await?;
    if report.disagreements.is_empty() {
        return Ok(report);
    }
    write!(std::io::stdout(), "{report}")?;
    Err(CommandError::Broken(format!("the audit disagrees: {otherwise}")))
}

fn difference(before: &Report, after: &Report) -> Option<String> {
    let counts = |report: &Report| {
        let Report { records, events, orders, payments, vouchers, actions, .. } = *report;
        [
            ("records", records),
            ("events", events),
            ("orders", orders),
            ("payments", payments),
            ("vouchers", vouchers),
            ("actions", actions),
        ]
    };
    let counted = counts(before).into_iter().zip(counts(after)).find(|(before, after)| before != after);
    if let Some(((what, before), (_, after))) = counted {
        return Some(format!("{before} {what} became {after}"));
    }
    let offers = |report: &Report| serde_json::to_value(&report.offers).unwrap_or_default();
    (offers(before) != offers(after)).then(|| "the units of its offers differ".to_owned())
}

/// The keys must be the same, or nobody can read what is encrypted nor log in.
fn copy_keys(from: &Path, to: Option<&Path>) -> Result<(), CommandError> {
    let Some(to) = to else { return Err(CommandError::Input("cluster.keys is not set".to_owned())) };
    let failed =
        |path: &Path, error: &dyn std::fmt::Display| CommandError::Broken(format!("{}: {error}", path.display()));
    std::fs::create_dir_all(to).map_err(|error| failed(to, &error))?;
    for entry in std::fs::read_dir(from).map_err(|error| failed(from, &error))? {
        let source = entry?.path();
        let target = to.join(source.file_name().unwrap_or_default());
        let key = std::fs::read(&source).map_err(|error| failed(&source, &error))?;
        match std::fs::read(&target) {
            Ok(there) if there == key => {}
            Ok(_) => {
                return Err(failed(&target, &"another key is there; cluster.keys must be a folder of this shop alone"));
            }
            // A copy keeps who may read it.
            Err(_) => drop(std::fs::copy(&source, &target).map_err(|error| failed(&target, &error))?),
        }
    }
    Ok(())
}

async fn journal(from: &Place, kafka: &KafkaOptions) -> Result<usize, CommandError> {
    let mut adopted = AdoptedJournal::begin(kafka).await?;
    tokio::task::block_in_place(|| {
        let bar = progress("records");
        let mut failed = None;
        let read = from.read_journal(|entry| {
            if failed.is_none() {
                failed = adopted.append(entry).err();
                bar.inc(1);
            }
        });
        bar.finish_and_clear();
        read.map_err(CommandError::Broken)?;
        failed.map_or(Ok(()), |error| Err(CommandError::from(error)))?;
        Ok(adopted.finish()?)
    })
}

fn progress(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    // A template that does not parse would only cost the look of it.
    if let Ok(style) = ProgressStyle::with_template("  {human_pos} {msg} {per_sec}") {
        bar.set_style(style);
    }
    bar.with_message(what)
}

fn say(what: &str) -> Result<(), CommandError> {
    Ok(writeln!(std::io::stdout(), "{what}")?)
}
