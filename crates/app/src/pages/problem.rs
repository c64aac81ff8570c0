//! Problem documents of the API, and what people are told instead.

use axum::http::StatusCode;
use firstcome_core::codes::ErrorCode;
use firstcome_core::time::Time;
use fluent_templates::fluent_bundle::FluentValue;
use serde_json::{Map, Value, json};

use super::visitor::Visitor;

/// What the API refused, or could not do.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    /// The HTTP status.
    pub(super) status: StatusCode,
    /// The stable code.
    pub(super) code: String,
    /// Everything else that the document says.
    pub(super) members: Map<String, Value>,
}

impl Problem {
    /// A problem that the pages found themselves.
    pub(super) fn new(code: ErrorCode) -> Self {
        let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, code: code.as_str().to_owned(), members: Map::new() }
    }

    /// There is no such thing.
    pub(super) fn not_found() -> Self {
        Self::new(ErrorCode::NotFound)
    }

    /// Something is wrong on our side.
    pub(super) fn internal() -> Self {
        Self::new(ErrorCode::Internal)
    }

    /// A field of a form cannot be read.
    pub(super) fn field(name: &str) -> Self {
        let members = Map::from_iter([("errors".to_owned(), json!({ name: [] }))]);
        Self { members, ..Self::new(ErrorCode::InvalidBody) }
    }

    /// Reads the API's answer. Something that is no problem document is judged by its status alone.
    pub(super) fn parse(status: StatusCode, bytes: &[u8]) -> Self {
        let members: Map<String, Value> = serde_json::from_slice(bytes).unwrap_or_default();
        match members.get("code").and_then(Value::as_str) {
            Some(code) => Self { status, code: code.to_owned(), members },
            None if status == StatusCode::NOT_FOUND => Self::not_found(),
            None => Self { status, ..Self::internal() },
        }
    }

    /// Whether it is this one.
    pub(super) fn is(&self, code: ErrorCode) -> bool {
        self.code == code.as_str()
    }

    /// A number that the document names.
    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.members.get(name)?.as_i64()
    }

    /// A moment that the document names.
    pub(super) fn time(&self, name: &str) -> Option<Time> {
        self.members.get(name)?.as_str()?.parse().ok()
    }

    /// Whether the document blames this field of the form.
    pub(super) fn blames(&self, field: &str) -> bool {
        let errors = self.members.get("errors").and_then(Value::as_object);
        errors.is_some_and(|errors| {
            errors
                .keys()
                .any(|name| name.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
        })
    }

    /// What to tell the visitor, in their language.
    pub(super) fn message(&self, visitor: &Visitor) -> String {
        let count = |name| FluentValue::from(self.number(name).unwrap_or(0));
        let moment = |name| FluentValue::from(self.time(name).map(|time| visitor.when(&time)).unwrap_or_default());
        let arguments = [
            ("held", count("held")),
            ("limit", FluentValue::from(self.number("limit").or_else(|| self.number("max_per_order")).unwrap_or(0))),
            ("owned", count("owned")),
            ("opens", moment("opens_at")),
            ("next", moment("next_release_at")),
            ("seconds", FluentValue::from(self.number("retry_after").unwrap_or(1))),
            ("says", FluentValue::from(self.provider_says())),
            ("fields", FluentValue::from(self.fields(visitor))),
        ];
        let name = format!("problem-{}{}", self.code, self.variant());
        let told = visitor.language.find(&name, &arguments);
        told.unwrap_or_else(|| visitor.language.text_with("problem-other", &[("code", self.code.as_str().into())]))
    }

    /// Some problems are told differently when the document knows more.
    fn variant(&self) -> &'static str {
        let held = self.is(ErrorCode::SoldOut) && self.number("held").unwrap_or(0) > 0;
        match held {
            true if self.time("next_release_at").is_some() => "-until",
            true => "-held",
            false if self.is(ErrorCode::NotOpenYet) && self.time("opens_at").is_some() => "-at",
            false if self.is(ErrorCode::InvalidBody) && self.members.contains_key("errors") => "-fields",
            false if self.is(ErrorCode::PaymentFailed) && !self.provider_says().is_empty() => "-says",
            false => "",
        }
    }

    /// The labels of the fields that the document blames.
    fn fields(&self, visitor: &Visitor) -> String {
        let errors = self.members.get("errors").and_then(Value::as_object);
        // Forms have the fields of `ship_to` side by side with the others.
        let paths = errors.into_iter().flat_map(Map::keys).map(|path| path.strip_prefix("ship_to.").unwrap_or(path));
        let names = paths.filter_map(|path| path.split(['.', '[']).next());
        names.map(|name| visitor.name("field", name)).collect::<Vec<_>>().join(", ")
    }

    fn provider_says(&self) -> String {
        self.members.get("provider_message").and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}
