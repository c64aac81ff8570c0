//! `firstcome dev tokens`.

use std::io::Write as _;
use std::pin::pin;

use firstcome_app::accounts::admin::dev_tokens;
use futures_util::StreamExt as _;
use indicatif::{ProgressBar, ProgressStyle};

use super::{CommandError, account};
use crate::cli::TokensArguments;
use crate::config::ConfigError;
use crate::place::Place;

/// Prints one access token a line.
pub fn run(arguments: &TokensArguments) -> Result<(), CommandError> {
    let config = arguments.data.load()?;
    if !config.development() {
        let refused = "tokens for load tools exist in development only (server.environment is production)";
        return Err(ConfigError::Refused(refused.to_owned()).into());
    }
    let place = Place::existing(config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let ports = account::ports(&place).await?;
        let progress = ProgressBar::new(u64::from(arguments.count));
        // A template that does not parse would only cost the look of the bar.
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} people") {
            progress.set_style(style);
        }
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        let mut batches = pin!(dev_tokens(&ports, arguments.role.into(), arguments.count as usize));
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            progress.inc(batch.len() as u64);
            for token in batch {
                writeln!(out, "{token}")?;
            }
        }
        progress.finish_and_clear();
        out.flush()?;
        Ok(())
    })
}
