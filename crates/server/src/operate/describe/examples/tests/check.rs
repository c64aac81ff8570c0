//! Whether a value is what a schema describes: types, enumerations, required and unknown fields, times, bounds.

use serde_json::{Map, Value, json};

use super::SCHEMAS;

/// What is wrong with values by their schemas.
pub(super) struct Check<'a> {
    schemas: &'a Value,
    pub(super) wrong: Vec<String>,
}

impl<'a> Check<'a> {
    pub(super) fn new(schemas: &'a Value) -> Self {
        Self { schemas, wrong: Vec::new() }
    }

    /// Looks at a value, and at what is in it.
    pub(super) fn look(&mut self, place: &str, value: &Value, schema: &Value) {
        let schema = self.flat(schema);
        let is_chosen = schema["oneOf"].as_array().is_none_or(|all| all.iter().any(|one| self.fits(value, one)));
        let is_listed = schema["enum"].as_array().is_none_or(|all| all.contains(value));
        let is_enough = schema["minimum"].as_i64().is_none_or(|least| value.as_i64().is_none_or(|it| it >= least));
        let is_text = value.as_str().is_none_or(|text| is_well_formed(text, &schema));
        if !(is_chosen && is_listed && is_enough && is_text && is_typed(value, &schema["type"])) {
            self.wrong.push(format!("{place}: {value} is not what {schema} asks for"));
        }
        for item in value.as_array().filter(|_| schema["items"].is_object()).into_iter().flatten() {
            self.look(&format!("{place}[]"), item, &schema["items"]);
        }
        if let (Some(fields), Some(known)) = (value.as_object(), schema["properties"].as_object()) {
            for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                if !fields.contains_key(name) {
                    self.wrong.push(format!("{place}: {name} is missing"));
                }
            }
            for (name, field) in fields {
                match known.get(name) {
                    Some(property) => self.look(&format!("{place}.{name}"), field, property),
                    None => self.wrong.push(format!("{place}: {name} is unknown")),
                }
            }
        }
    }

    fn fits(&self, value: &Value, schema: &Value) -> bool {
        let mut other = Self::new(self.schemas);
        other.look("", value, schema);
        other.wrong.is_empty()
    }

    /// A schema without references, and of one that is made of parts all of them together.
    fn flat(&self, schema: &Value) -> Value {
        if let Some(reference) = schema["$ref"].as_str() {
            return self.flat(&self.schemas[reference.strip_prefix(SCHEMAS).expect("a schema")]);
        }
        let Some(parts) = schema["allOf"].as_array() else { return schema.clone() };
        let (mut properties, mut required) = (Map::new(), Vec::new());
        for part in parts.iter().map(|part| self.flat(part)) {
            properties.extend(part["properties"].as_object().cloned().unwrap_or_default());
            required.extend(part["required"].as_array().cloned().unwrap_or_default());
        }
        json!({ "type": "object", "properties": properties, "required": required })
    }
}

/// Whether a value has the type, or one of the types, that a schema names.
fn is_typed(value: &Value, kind: &Value) -> bool {
    match kind {
        Value::Array(kinds) => kinds.iter().any(|kind| is_typed(value, kind)),
        Value::Null => true,
        kind => match kind.as_str().expect("a name") {
            "string" => value.is_string(),
            "integer" => value.is_i64() || value.is_u64(),
            "boolean" => value.is_boolean(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            "null" => value.is_null(),
            other => panic!("{other} is a new type; say here what it is"),
        },
    }
}

/// Whether a text is what its schema says of it.
fn is_well_formed(text: &str, schema: &Value) -> bool {
    let is_time = schema["format"] != "date-time" || text.parse::<jiff::Timestamp>().is_ok();
    is_time && schema["maxLength"].as_u64().is_none_or(|longest| text.chars().count() as u64 <= longest)
}

#[test]
fn it_finds_what_is_wrong() {
    let schemas = json!({ "Lamp": {
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": { "type": "string", "maxLength": 4 },
            "state": { "type": "string", "enum": ["on", "off"] },
            "watts": { "type": ["integer", "null"], "minimum": 1 },
            "made_at": { "type": "string", "format": "date-time" },
        },
    } });
    let lamp = json!({ "$ref": "#/components/schemas/Lamp" });
    let numbered =
        json!({ "allOf": [lamp, { "properties": { "number": { "type": "integer" } }, "required": ["number"] }] });
    let maybe = json!({ "oneOf": [lamp, { "type": "null" }] });
    let fits = |value: Value, schema: &Value| Check::new(&schemas).fits(&value, schema);
    assert!(fits(json!({ "name": "desk", "state": "on", "watts": null, "made_at": "2026-11-26T05:00:00Z" }), &lamp));
    assert!(fits(json!({ "name": "desk", "number": 1 }), &numbered) && fits(json!(null), &maybe));
    for wrong in [
        json!("desk"),
        json!({}),
        json!({ "name": "desks" }),
        json!({ "name": 7 }),
        json!({ "name": "desk", "state": "On" }),
        json!({ "name": "desk", "watts": 0 }),
        json!({ "name": "desk", "made_at": "today" }),
        json!({ "name": "desk", "color": "red" }),
    ] {
        assert!(!fits(wrong.clone(), &lamp) && !fits(wrong.clone(), &maybe), "{wrong}");
    }
    assert!(!fits(json!({ "name": "desk" }), &numbered), "a part is missing");
    assert!(!fits(json!([{ "name": 7 }]), &json!({ "type": "array", "items": lamp })));
}
