//! Completes the description of the API: what holds for every endpoint is said here, once, instead of at each.

mod examples;
mod problems;

use axum::body::Bytes;
use axum::http::StatusCode;
use firstcome_core::codes::ErrorCode;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Contact, Content, License, OpenApi, Ref, RefOr, Response};

/// What every path of the API begins with.
const API: &str = "/api/v1/";

/// What every list says of where its pages begin.
const CURSOR: &str = "The `next_cursor` of the page before; empty or left out for the first page";

/// Completes the description that the roles' endpoints gave: the document that is served, in JSON.
pub fn describe(mut openapi: OpenApi) -> Bytes {
    let info = &mut openapi.info;
    "Firstcome".clone_into(&mut info.title);
    env!("CARGO_PKG_VERSION").clone_into(&mut info.version);
    info.description = Some(
        "Limited stock, first come, first served. Errors are problem documents (RFC 9457); their codes are stable. \
         Amounts are in minor units of their currency. Times are RFC 3339 in UTC."
            .to_owned(),
    );
    let mut contact = Contact::new();
    contact.name = Some("Firstcome".to_owned());
    info.contact = Some(contact);
    let mut license = License::new("MIT");
    license.identifier = Some("MIT".to_owned());
    info.license = Some(license);

    let components = openapi.components.get_or_insert_default();
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    components.add_security_scheme("bearer", bearer);
    components.schemas.insert(problems::SCHEMA.to_owned(), RefOr::T(problems::schema().into()));
    for (path, item) in &mut openapi.paths.paths {
        for (method, operation) in operations(item) {
            complete(path, method, operation);
        }
    }
    let mut document = serde_json::to_value(openapi).expect("a description is JSON");
    examples::complete(&mut document);
    document.to_string().into()
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    let all = [("get", get), ("put", put), ("post", post), ("delete", delete), ("patch", patch)];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

fn complete(path: &str, method: &str, operation: &mut Operation) {
    operation.operation_id = Some(operation_id(path, method));
    for code in common(path, operation) {
        let status = code.status().to_string();
        operation.responses.responses.entry(status).or_insert_with(|| Response::new(code.as_str()).into());
    }
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter
            && parameter.name == "cursor"
        {
            parameter.description.get_or_insert_with(|| CURSOR.to_owned());
        }
    }
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        complete_body(body);
    }
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response {
            complete_response(status, response);
        }
    }
}

/// The method and the path in words: an endpoint has one name whatever its function is called.
fn operation_id(path: &str, method: &str) -> String {
    let words = path.strip_prefix(API).unwrap_or(path).split(['/', '-']).filter(|word| !word.is_empty());
    words.fold(method.to_owned(), |name, word| match word.strip_prefix('{') {
        Some(parameter) => format!("{name}_by_{}", parameter.trim_end_matches('}')),
        None => format!("{name}_{word}"),
    })
}

/// What may be answered by what stands before the endpoints: the gateway, and the reading of callers and bodies.
fn common(path: &str, operation: &Operation) -> impl Iterator<Item = ErrorCode> + use<> {
    let secured = operation.security.is_some();
    let for_a_role = path.starts_with("/api/v1/admin/") || path == "/api/v1/vouchers/{code}/redeem";
    let body = operation.request_body.is_some();
    // The provider says of its notices what it likes.
    let checks_type = body && !path.starts_with("/api/v1/webhooks/");
    let all = [
        (secured, ErrorCode::Unauthenticated),
        (secured && for_a_role, ErrorCode::Forbidden),
        (body, ErrorCode::BodyTooLarge),
        (checks_type, ErrorCode::UnsupportedMediaType),
        (true, ErrorCode::RateLimited),
    ];
    all.into_iter().filter_map(|(applies, code)| applies.then_some(code))
}

/// What a picture is its type says: it is no JSON that a schema could describe.
fn complete_body(body: &mut RequestBody) {
    for (media, content) in &mut body.content {
        if let RefOr::T(content) = content
            && media.starts_with("image/")
        {
            content.schema = None;
        }
    }
}

fn complete_response(status: &str, response: &mut Response) {
    let code = status.parse::<StatusCode>().ok();
    if response.description.is_empty() {
        code.and_then(|code| code.canonical_reason()).unwrap_or(status).clone_into(&mut response.description);
    }
    let failed = code.is_some_and(|code| code.is_client_error() || code.is_server_error());
    if failed && response.content.is_empty() {
        let content = Content::new(Some(Ref::from_schema_name(problems::SCHEMA)));
        response.content.insert(problems::MEDIA.to_owned(), content.into());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use crate::config::{Overrides, load};
    use crate::folder::Folder;
    use crate::wire::Shop;

    pub(super) async fn document() -> Value {
        let temporary = tempfile::tempdir().expect("a folder");
        let config = load(None, &Overrides { no_demo: true, ..Overrides::default() }).expect("the defaults");
        let folder = Folder::create(temporary.path()).expect("a folder");
        let shop = Shop::open(&config, &folder, ([127, 0, 0, 1], 1).into()).await.expect("a shop");
        let document = serde_json::from_slice(&shop.operation.openapi).expect("JSON");
        shop.close().await;
        document
    }

    fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_document_is_whole() {
        let document = document().await;
        let mut names = BTreeSet::new();
        for (path, methods) in document["paths"].as_object().expect("paths") {
            for (method, operation) in methods.as_object().expect("methods") {
                let name = operation["operationId"].as_str().expect("a name");
                assert!(names.insert(name), "{method} {path}: {name} stands here twice");
                let responses = operation["responses"].as_object().expect("responses");
                for (status, response) in responses {
                    let description = response["description"].as_str().unwrap_or_default();
                    assert!(!description.is_empty(), "{method} {path}: {status} is not described");
                }
                assert!(responses.contains_key("429"), "{method} {path}");
                assert_eq!(operation["requestBody"].is_object(), responses.contains_key("413"), "{method} {path}");
                assert!(operation["security"].is_null() || responses.contains_key("401"), "{method} {path}");
                assert!(!path.starts_with("/api/v1/admin/") || responses.contains_key("403"), "{method} {path}");
            }
        }
        assert!(
            names.contains("get_offers_by_id_stock_stream") && names.contains("post_auth_email_codes"),
            "{names:?}"
        );
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        assert!(found.len() > 10, "{found:?}");
        for reference in found {
            let pointer = reference.strip_prefix('#').expect("within the document");
            assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
        assert_eq!(document["info"]["license"]["identifier"], "MIT");
        assert_eq!(document["info"]["contact"]["name"], "Firstcome");
    }
}
