//! `firstcome audit`.

use super::CommandError;
use crate::cli::AuditArguments;

/// Reads everything back and compares.
pub fn run(arguments: &AuditArguments) -> Result<(), CommandError> {
    let _ = arguments;
    Err(CommandError::Broken("unfinished".to_owned()))
}
