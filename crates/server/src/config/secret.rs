//! Secrets that are a setting, or stand in a file that another setting names.

use std::path::Path;

use super::ConfigError;

/// The secret of a setting: `name` holds it, or `name_file` names the file with it, whose last line may have an end.
pub(super) fn secret(name: &str, value: Option<&str>, file: Option<&Path>) -> Result<Option<String>, ConfigError> {
    let refused = |message| Err(ConfigError::Refused(message));
    match (value, file) {
        (None, None) => Ok(None),
        (Some(value), None) => Ok(Some(value.to_owned())),
        (None, Some(path)) => match std::fs::read_to_string(path) {
            Ok(text) => Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned())),
            Err(error) => refused(format!("{name}_file: {}: {error}", path.display())),
        },
        (Some(_), Some(_)) => refused(format!("{name} and {name}_file: set one of them")),
    }
}
