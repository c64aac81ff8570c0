//! Problem documents in the description of the API: their schema, an example of each code, and where which of them is answered.

use firstcome_app::http::Problem;
use firstcome_core::codes::ErrorCode;
use serde_json::{Map, Value, json};
use utoipa::openapi::schema::{ObjectBuilder, Type};

/// The name of their schema.
pub(super) const SCHEMA: &str = "Problem";
/// Their media type.
pub(super) const MEDIA: &str = "application/problem+json";
/// What holds their examples.
const EXAMPLES: &str = "#/components/examples/";

/// What all of them have.
pub(super) fn schema() -> ObjectBuilder {
    let member =
        |kind, description: &str| ObjectBuilder::new().schema_type(kind).description(Some(description)).build();
    let text = |description| member(Type::String, description);
    ObjectBuilder::new()
        .description(Some("What went wrong (RFC 9457), with more members where a client can act on them"))
        .property("type", text("A URN that ends in the code"))
        .property("title", text("What the code means"))
        .property("status", member(Type::Integer, "The status of the answer"))
        .property("detail", text("What was wrong this time, and what to do"))
        .property("code", text("The stable name"))
        .property("retry_after", member(Type::Integer, "Seconds to wait before trying again"))
        .required("type")
        .required("title")
        .required("status")
        .required("detail")
        .required("code")
}

/// References to the examples of what a response may be: the codes that its description names.
pub(super) fn named(status: &str, description: &str) -> Value {
    let is_named = |code: &&ErrorCode| {
        let mut words = description.split(|letter: char| letter != '_' && !letter.is_ascii_lowercase());
        code.status().to_string() == status && words.any(|word| word == code.as_str())
    };
    let mut named: Vec<ErrorCode> = ErrorCode::ALL.iter().filter(is_named).copied().collect();
    if named.is_empty() {
        named.extend(usual(status));
    }
    let reference = |code: ErrorCode| {
        let reference = json!({ "$ref": format!("{EXAMPLES}{}", code.as_str()) });
        (code.as_str().to_owned(), reference)
    };
    Value::Object(named.into_iter().map(reference).collect())
}

/// What a status means where nothing more is said.
fn usual(status: &str) -> Option<ErrorCode> {
    match status {
        "400" => Some(ErrorCode::MalformedRequest),
        "401" => Some(ErrorCode::Unauthenticated),
        "403" => Some(ErrorCode::Forbidden),
        "404" => Some(ErrorCode::NotFound),
        "503" => Some(ErrorCode::Unavailable),
        _ => None,
    }
}

/// An example of each code, with what `problems.json` says that goes with it.
pub(super) fn examples() -> Value {
    let given: Map<String, Value> = serde_json::from_str(include_str!("problems.json")).expect("a test reads it");
    let example = |code: &ErrorCode| {
        let members = given.get(code.as_str()).and_then(Value::as_object).into_iter().flatten();
        let problem = members.fold(Problem::new(*code), |problem, (name, value)| match (name.as_str(), value) {
            ("detail", Value::String(detail)) => problem.detail(detail),
            _ => problem.with(name, value),
        });
        (code.as_str().to_owned(), json!({ "summary": code.title(), "value": problem.document() }))
    };
    Value::Object(ErrorCode::ALL.iter().map(example).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_response_shows_what_it_names_and_else_what_is_usual() {
        // Whether an object keeps the order of its members depends on who else builds serde_json, and with which features.
        let codes = |status, description| -> BTreeSet<String> {
            named(status, description).as_object().expect("examples").keys().cloned().collect()
        };
        let said = codes("409", "`sold_out`, over_limit: too many; never unauthenticated");
        assert_eq!(said, BTreeSet::from(["over_limit", "sold_out"].map(str::to_owned)));
        assert_eq!(codes("404", "Not Found"), BTreeSet::from(["not_found".to_owned()]));
        assert!(codes("418", "A teapot").is_empty());
    }

    #[test]
    fn every_problem_has_an_example_also_in_the_manual() {
        let examples = examples();
        let page = include_str!("../../../../../docs/errors.md");
        let shown: Vec<Value> = page.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let all: Vec<&Value> = ErrorCode::ALL.iter().map(|code| &examples[code.as_str()]["value"]).collect();
        assert_eq!(shown.len(), all.len());
        for (shown, value) in shown.iter().zip(all) {
            assert_eq!(shown, value, "docs/errors.md");
        }
        let given: Map<String, Value> = serde_json::from_str(include_str!("problems.json")).expect("JSON");
        assert!(given.keys().all(|code| examples[code].is_object()));
        assert_eq!(given.len(), ErrorCode::ALL.len());
    }
}
