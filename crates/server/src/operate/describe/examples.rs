//! Completes the description of the API with examples, all of one shop: the same lamp, the same order, the same people.
//!
//! What a field says of itself (`#[schema(example = …)]`) holds. Else `shop.json` has its example: by schema and field, or by
//! the field's name where that means the same everywhere. From these an example of every body is put together, unless
//! `shop.json` shows a schema whole, for what never stands together.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{operation_id, problems};

#[cfg(test)]
mod tests;

/// What holds all schemas, as references name it.
const SCHEMAS: &str = "#/components/schemas/";

/// The shop of the examples.
#[derive(Deserialize)]
struct Shop {
    /// By `Schema.field`, or by `field`.
    fields: Map<String, Value>,
    /// By schema: whole ones.
    schemas: Map<String, Value>,
    /// By `place.parameter`, or by `parameter`; the place is the part of the path before it.
    parameters: Map<String, Value>,
    /// By operation: answers that are no JSON.
    bodies: Map<String, Value>,
}

impl Shop {
    fn read() -> Self {
        serde_json::from_str(include_str!("shop.json")).expect("a test reads it")
    }
}

/// Gives every field, parameter and body of the document an example.
pub(super) fn complete(document: &mut Value) {
    let shop = Shop::read();
    let schemas = &mut document["components"]["schemas"];
    name_items(schemas);
    for (name, schema) in members(schemas) {
        give_fields(&shop, name, schema);
        if let Some(whole) = shop.schemas.get(name) {
            schema["example"] = whole.clone();
        }
    }
    let schemas = schemas.take();
    for (path, item) in members(&mut document["paths"]) {
        for (method, operation) in members(item) {
            give_operation(&shop, &schemas, path, &operation_id(path, method), operation);
        }
    }
    document["components"]["schemas"] = schemas;
    document["components"]["examples"] = problems::examples();
}

/// The members of an object.
fn members(value: &mut Value) -> impl Iterator<Item = (&String, &mut Value)> {
    value.as_object_mut().into_iter().flatten()
}

/// Pages of lists say what they list by its name, instead of once more in full.
fn name_items(schemas: &mut Value) {
    for (name, schema) in members(schemas) {
        if let Some(listed) = name.strip_prefix("Items_") {
            schema["properties"]["items"]["items"] = json!({ "$ref": format!("{SCHEMAS}{listed}") });
        }
    }
}

/// Gives the fields of a schema, and of the parts that it is made of, their examples.
fn give_fields(shop: &Shop, name: &str, schema: &mut Value) {
    if let Some(properties) = schema.get_mut("properties") {
        for (field, property) in members(properties) {
            let own = shop.fields.get(&format!("{name}.{field}"));
            let usual = shop.fields.get(field).filter(|_| !is_composed(property));
            if let Some(example) = own.or(usual).filter(|_| property.get("example").is_none()) {
                property["example"] = example.clone();
            }
        }
    }
    for parts in ["allOf", "oneOf"] {
        for part in schema.get_mut(parts).and_then(Value::as_array_mut).into_iter().flatten() {
            give_fields(shop, name, part);
        }
    }
}

/// Whether the examples of other schemas make up its own.
fn is_composed(schema: &Value) -> bool {
    let composed = |schema: &Value| ["$ref", "oneOf", "allOf"].iter().any(|of| schema.get(of).is_some());
    composed(schema) || schema.get("items").is_some_and(composed)
}

fn give_operation(shop: &Shop, schemas: &Value, path: &str, id: &str, operation: &mut Value) {
    for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
        let name = parameter["name"].as_str().unwrap_or_default();
        let own = shop.parameters.get(&format!("{}.{name}", place(path, name)));
        if let Some(example) = own.or_else(|| shop.parameters.get(name)) {
            parameter["example"] = example.clone();
        }
    }
    let example = |media: &str, content: &Value| {
        let is_picture = media.starts_with("image/");
        (!is_picture).then(|| shop.bodies.get(id).cloned().unwrap_or_else(|| compose(&content["schema"], schemas)))
    };
    let body = operation.get_mut("requestBody").and_then(|body| body.get_mut("content"));
    for (media, content) in body.into_iter().flat_map(members) {
        if let Some(example) = example(media, content) {
            content["example"] = example;
        }
    }
    for (status, response) in members(&mut operation["responses"]) {
        let named = problems::named(status, response["description"].as_str().unwrap_or_default());
        let contents = response.get_mut("content");
        for (media, content) in contents.into_iter().flat_map(members) {
            if media == problems::MEDIA {
                content["examples"] = named.clone();
            } else if let Some(example) = example(media, content) {
                content["example"] = example;
            }
        }
    }
}

/// The part of a path before a parameter: of one in the path the part that it belongs to, else the last.
fn place<'a>(path: &'a str, parameter: &str) -> &'a str {
    let before = path.split(&format!("{{{parameter}}}")).next().unwrap_or(path);
    before.rsplit('/').find(|part| !part.is_empty() && !part.starts_with('{')).unwrap_or_default()
}

/// An example of what a schema describes, from those of its fields.
fn compose(schema: &Value, schemas: &Value) -> Value {
    if let Some(example) = schema.get("example") {
        return example.clone();
    }
    if let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix(SCHEMAS)) {
        return compose(&schemas[name], schemas);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let chosen = choices.iter().find(|choice| choice["type"] != "null");
        return chosen.map_or(Value::Null, |chosen| compose(chosen, schemas));
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let parts = parts.iter().map(|part| compose(part, schemas));
        return Value::Object(parts.filter_map(|part| part.as_object().cloned()).flatten().collect());
    }
    if let Some(texts) = schema["enum"].as_array() {
        return texts.first().cloned().unwrap_or_default();
    }
    if let Some(properties) = schema["properties"].as_object() {
        return properties.iter().map(|(name, property)| (name.clone(), compose(property, schemas))).collect();
    }
    match schema.get("items") {
        Some(item) => json!([compose(item, schemas)]),
        None => Value::Null,
    }
}
