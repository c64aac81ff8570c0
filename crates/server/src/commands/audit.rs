//! `firstcome audit`.

use std::io::Write as _;

use super::CommandError;
use crate::audit::audit;
use crate::cli::{AuditArguments, Format};
use crate::place::Place;

/// Reads everything back and compares. Fails unless all agrees.
pub fn run(arguments: &AuditArguments) -> Result<(), CommandError> {
    let config = arguments.data.load()?;
    let place = Place::existing(config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut report = runtime.block_on(audit(&place))?;
    report.ok = report.disagreements.is_empty();
    let mut out = std::io::stdout().lock();
    match arguments.format {
        Format::Text => write!(out, "{report}")?,
        Format::Json => {
            serde_json::to_writer_pretty(&mut out, &report).map_err(std::io::Error::from)?;
            writeln!(out)?;
        }
    }
    out.flush()?;
    if report.ok { Ok(()) } else { Err(CommandError::Disagrees) }
}
