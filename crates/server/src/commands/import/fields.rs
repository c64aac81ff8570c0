//! Reading the fields of a row, so that an error names the one that is wrong.

use firstcome_app::http::in_words;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::bad;
use crate::commands::CommandError;

/// Reads a row that stands at this place.
pub(super) fn read<T: DeserializeOwned>(fields: Map<String, Value>, place: &str) -> Result<T, CommandError> {
    serde_path_to_error::deserialize(Value::Object(fields)).map_err(|error| bad(place, words(&error)))
}

/// The field and what is wrong with it. The product of an offer is named by its sku in files, so that is what is said.
pub(super) fn words(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let (path, message) = (error.path().to_string(), in_words(&error.inner().to_string()));
    let message = message.replace("`product_id`", "`product_sku`");
    // A field that is unknown or missing is named by the message already.
    if path == "." || message.contains(&format!("field `{path}`")) { message } else { format!("{path}: {message}") }
}
