//! `firstcome keys rotate` and `firstcome keys status`.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use firstcome_app::secrets::{DataKey, KeyError, Keys, SystemRandom, load_data_keys, oldest_key, sealing_key};
use firstcome_core::ports::{Clock as _, RoleName, SystemClock};
use firstcome_core::time::Time;

use super::CommandError;
use crate::cli::{DataArguments, RotateArguments};
use crate::place::Place;
use crate::wire::{StartError, sealed_tables};

/// Makes a new key.
pub fn rotate(arguments: &RotateArguments) -> Result<(), CommandError> {
    let folder = Place::existing(arguments.data.load()?)?.keys_folder();
    let now = SystemClock.now();
    let from = Time::from_millis((now + Duration::from_secs(arguments.delay)).as_millis());
    let key = Keys::rotate(&folder, &SystemRandom, now, from).map_err(|error| match error {
        waiting @ KeyError::Waiting { .. } => CommandError::Input(waiting.to_string()),
        other => StartError::from(other).into(),
    })?;
    let DataKey { number, seals_from, .. } = key;
    let mut out = std::io::stdout().lock();
    writeln!(out, "made {}", file(&folder, number))?;
    writeln!(out, "It encrypts from {seals_from} on; what older keys encrypted is encrypted anew after that.")?;
    writeln!(out, "Processes whose keys are in another folder need a copy until then. Add it to the backup.")?;
    writeln!(out, "`firstcome keys status` says when the old keys are not needed any more.")?;
    Ok(())
}

/// Shows the keys.
pub fn status(arguments: &DataArguments) -> Result<(), CommandError> {
    let place = Place::existing(arguments.load()?)?;
    let folder = place.keys_folder();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let oldest = runtime.block_on(oldest(&place))?;
    let (keys, now) = (load_data_keys(&folder).map_err(StartError::from)?, SystemClock.now());
    let current = sealing_key(&keys, now);
    let mut out = std::io::stdout().lock();
    for DataKey { number, seals_from, .. } in &keys {
        writeln!(out, "{}  {}", file(&folder, *number), state(*number, *seals_from, current, oldest))?;
    }
    Ok(())
}

fn state(number: u32, seals_from: Time, current: Option<u32>, oldest: Option<u32>) -> String {
    if Some(number) == current {
        return "encrypts".to_owned();
    }
    if current.is_none_or(|current| number > current) {
        return format!("encrypts from {seals_from} on");
    }
    match oldest {
        Some(oldest) if oldest <= number => "is still needed to read".to_owned(),
        _ => "is not needed any more, except for backups of then".to_owned(),
    }
}

/// The oldest key that anything is encrypted with.
async fn oldest(place: &Place) -> Result<Option<u32>, CommandError> {
    let mut oldest = None;
    for role in RoleName::ALL.into_iter().filter(|role| !sealed_tables(*role).is_empty() && place.has(*role)) {
        let records = place.records(role).await?;
        let found = oldest_key(records.as_ref(), sealed_tables(role)).await?;
        oldest = [oldest, found].into_iter().flatten().min();
    }
    Ok(oldest)
}

fn file(folder: &Path, number: u32) -> String {
    folder.join(format!("data-{number}.key")).display().to_string()
}
