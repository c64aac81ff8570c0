//! Every field, parameter and body has an example, it is one, and all of them are of one shop.

mod check;

use check::Check;

use super::super::tests::document;
use super::*;

fn objects(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A schema and the parts that it is made of.
fn parts(schema: &Value) -> impl Iterator<Item = &Value> {
    std::iter::once(schema).chain(list(&schema["allOf"])).chain(list(&schema["oneOf"]))
}

/// Every operation, with its path and method.
fn operations(document: &Value) -> impl Iterator<Item = (String, &String, &Value)> {
    objects(&document["paths"]).flat_map(|(path, item)| {
        objects(item).map(move |(method, operation)| (format!("{method} {path}"), path, operation))
    })
}

/// The bodies that an operation takes and answers when all is well, pictures left out: they are no text.
fn bodies(operation: &Value) -> impl Iterator<Item = (String, &Value)> {
    let answers = objects(&operation["responses"]).filter(|(status, _)| status.starts_with('2'));
    let all = answers.map(|(status, answer)| (status.as_str(), answer)).chain([("body", &operation["requestBody"])]);
    let contents = all.flat_map(|(of, body)| {
        objects(&body["content"]).map(move |(media, content)| (format!("{of} {media}"), content))
    });
    contents.filter(|(of, _)| !of.contains(" image/"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_field_has_an_example_that_is_one() {
    let document = document().await;
    let mut check = Check::new(&document["components"]["schemas"]);
    for (name, schema) in objects(&document["components"]["schemas"]) {
        for part in parts(schema) {
            for (field, property) in objects(&part["properties"]) {
                match property.get("example") {
                    Some(example) => check.look(&format!("{name}.{field}"), example, property),
                    None => assert!(is_composed(property), "{name}.{field} has no example"),
                }
            }
        }
        let whole = compose(schema, &document["components"]["schemas"]);
        check.look(name, &whole, schema);
    }
    assert!(check.wrong.is_empty(), "{:#?}", check.wrong);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_parameter_and_body_has_an_example_that_is_one() {
    let document = document().await;
    let mut check = Check::new(&document["components"]["schemas"]);
    for (name, _, operation) in operations(&document) {
        for parameter in list(&operation["parameters"]) {
            let place = format!("{name} {}", parameter["name"]);
            check.look(&place, parameter.get("example").expect(&place), &parameter["schema"]);
        }
        for (of, content) in bodies(operation) {
            let place = format!("{name} {of}");
            check.look(&place, content.get("example").expect(&place), &content["schema"]);
        }
        for (status, answer) in objects(&operation["responses"]) {
            let problem = &answer["content"][problems::MEDIA];
            let has_some = problem["examples"].as_object().is_some_and(|examples| !examples.is_empty());
            assert!(problem.is_null() || has_some, "{name} {status}: no problem is named");
        }
    }
    assert!(check.wrong.is_empty(), "{:#?}", check.wrong);
}

/// Nobody has uploaded a picture in a new shop, or said what must be agreed to; it knows no page but the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_fits_a_new_shop() {
    let document = document().await;
    let body = |path: &str, method: &str| {
        let content = &document["paths"][path][method]["requestBody"]["content"];
        content["application/json"]["example"].clone()
    };
    let consents = body("/api/v1/me/consents", "put");
    assert_eq!(body("/api/v1/auth/signup", "post")["consents"], consents);
    assert!(consents["advertising"].is_boolean() && consents.get("terms").or(consents.get("privacy")).is_none());
    for (path, method) in [("/api/v1/admin/products", "post"), ("/api/v1/admin/products/{id}", "patch")] {
        let url = body(path, method)["image_url"].clone();
        assert!(url.as_str().is_some_and(|url| url.starts_with("https://example.com/")), "{path} {url}");
    }
    for (path, method) in [("/api/v1/admin/offers", "post"), ("/api/v1/admin/offers/{id}", "patch")] {
        let closes_at = body(path, method)["closes_at"].clone();
        assert!(closes_at.as_str() >= Some("2036"), "{path} {closes_at}");
    }
    for (name, _, operation) in operations(&document) {
        for parameter in list(&operation["parameters"]).filter(|parameter| parameter["name"] == "cursor") {
            assert_eq!(parameter["example"], "", "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_the_shop_is_left_over() {
    let document = document().await;
    let (shop, schemas) = (Shop::read(), &document["components"]["schemas"]);
    let shows = |schema: &str, field: &str, example: &Value| {
        parts(&schemas[schema]).any(|part| part["properties"][field].get("example") == Some(example))
    };
    for (name, example) in &shop.fields {
        let is_shown = match name.split_once('.') {
            Some((schema, field)) => shows(schema, field, example),
            None => objects(schemas).any(|(schema, _)| shows(schema, name, example)),
        };
        assert!(is_shown, "{name} is no field, or says its example itself");
    }
    assert!(shop.schemas.keys().all(|name| schemas[name].is_object()));
    for (name, example) in &shop.parameters {
        let is_shown = operations(&document).any(|(_, path, operation)| {
            list(&operation["parameters"]).any(|parameter| {
                let of_all = parameter["name"].as_str().expect("a name");
                let of_place = format!("{}.{of_all}", place(path, of_all));
                (name == of_all || *name == of_place) && parameter["example"] == *example
            })
        });
        assert!(is_shown, "{name} is no parameter");
    }
    for name in shop.bodies.keys() {
        assert!(operations(&document).any(|(_, _, operation)| operation["operationId"] == name.as_str()), "{name}");
    }
    let text = document.to_string();
    for address in text.split(['"', ' ', ',']).filter(|word| word.contains('@')) {
        assert!(address.ends_with("@example.com"), "{address} may be somebody's");
    }
}
