//! `firstcome config`.

use std::io::Write as _;

use super::CommandError;
use crate::cli::ConfigArguments;
use crate::config::{load, settings};

/// Prints every setting.
pub fn run(arguments: &ConfigArguments) -> Result<(), CommandError> {
    let file = arguments.serve.config.as_deref();
    let overrides = arguments.serve.overrides();
    let config = load(file, &overrides)?;
    let mut out = std::io::stdout().lock();
    for setting in settings(&config, file, &overrides)? {
        writeln!(out, "# {}\n# {}", setting.description, setting.variable)?;
        writeln!(out, "{} = {}    ({})\n", setting.name, setting.value, setting.source)?;
    }
    Ok(())
}
