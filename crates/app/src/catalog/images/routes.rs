//! `POST /admin/images` and `GET /images/{id}`.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::ImageId;
use firstcome_core::records::RecordsExt as _;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use utoipa::ToSchema;

use super::{ImageBytes, ImageRow, picture, shown_at};
use crate::catalog::Catalog;
use crate::http::{Outcome, Path, Problem, Seller, read_upload};

/// What may be sent.
const MEDIA: [&str; 3] = ["image/jpeg", "image/png", "image/webp"];
/// How long somebody waits for those who came before.
const PATIENCE: Duration = Duration::from_secs(10);
/// What is found under an address never changes.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// A picture that was taken.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Image)]
pub(in crate::catalog) struct ImageView {
    #[schema(value_type = String)]
    image_id: ImageId,
    /// For `image_url` of a product.
    url: String,
    /// `image/jpeg` or `image/png`: WebP becomes one of them.
    content_type: String,
    size: u64,
    width: u32,
    height: u32,
}

impl From<ImageRow> for ImageView {
    fn from(row: ImageRow) -> Self {
        let ImageRow { image_id, media, size, width, height, .. } = row;
        Self { image_id, url: shown_at(image_id), content_type: media, size, width, height }
    }
}

/// Takes a picture, as the body itself: JPEG, PNG or WebP. It is written anew, so that nothing is kept of where and when it
/// was taken. The same twice is one; one that no product shows is removed after some days.
#[utoipa::path(
    post, path = "/api/v1/admin/images", tag = "admin",
    request_body(content = Vec<u8>, content_type = "image/jpeg"),
    responses(
        (status = 201, body = ImageView),
        (status = 409, description = "images_full"),
        (status = 408, description = "request_timeout: the picture did not arrive in time"),
        (status = 413, description = "body_too_large"),
        (status = 415, description = "unsupported_media_type"),
        (status = 422, description = "invalid_body: no picture that can be read, or one with too many pixels"),
        (status = 503, description = "overloaded: too many pictures are sent at the moment"),
    ),
    security(("bearer" = [])),
)]
pub(in crate::catalog) async fn upload(
    State(catalog): State<Arc<Catalog>>,
    _: Seller,
    request: Request,
) -> Outcome<(StatusCode, Json<ImageView>)> {
    check_media_type(request.headers())?;
    let row = catalog.take(request).await?;
    Ok((StatusCode::CREATED, Json(row.into())))
}

impl Catalog {
    /// Reads the picture that is sent, and keeps it.
    pub(super) async fn take(&self, request: Request) -> Outcome<ImageRow> {
        let most = self.ports.images.most_bytes;
        // Who sends slowly keeps one of many places, and nobody whose picture is here from its turn.
        let place = waited(&self.uploads).await?;
        let sent = read_upload(request, most).await?;
        self.take_sent(sent, place, "body").await
    }

    /// Keeps the picture that was sent by whoever has this place; a problem with it is one of the field `called` so.
    pub(super) async fn take_sent(
        &self,
        sent: impl AsRef<[u8]> + Send + 'static,
        place: OwnedSemaphorePermit,
        called: &str,
    ) -> Outcome<ImageRow> {
        let most = self.ports.images.most_bytes;
        let turn = waited(&self.pictures).await?;
        // It is read to its end, and is here for so long, also when who sent it has hung up.
        let read = tokio::task::spawn_blocking(move || {
            let _held = turn;
            (picture::read(sent.as_ref()), place)
        });
        let (read, _place) = read.await.map_err(|_| Problem::field(called, "cannot be read"))?;
        let picture = read.map_err(|why| Problem::field(called, why))?;
        if picture.bytes.len() > most {
            let detail = "Written anew it is larger than a picture may be; send a smaller one, or a JPEG";
            return Err(Problem::new(ErrorCode::BodyTooLarge).detail(detail).with("max_bytes", most));
        }
        self.keep(picture).await
    }
}

pub(super) async fn waited(places: &Arc<Semaphore>) -> Outcome<OwnedSemaphorePermit> {
    match tokio::time::timeout(PATIENCE, Arc::clone(places).acquire_owned()).await {
        Ok(Ok(place)) => Ok(place),
        _ => Err(Problem::new(ErrorCode::Overloaded)),
    }
}

/// What it really is is looked at; this only tells who sends something else what to send.
fn check_media_type(headers: &HeaderMap) -> Outcome<()> {
    let sent = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if MEDIA.iter().any(|media| sent.eq_ignore_ascii_case(media)) {
        return Ok(());
    }
    let detail = format!("Send the picture as the body, with Content-Type: {}", MEDIA.join(", "));
    Err(Problem::new(ErrorCode::UnsupportedMediaType).detail(detail))
}

/// A picture.
#[utoipa::path(
    get, path = "/images/{id}", tag = "catalog", params(("id" = String, Path)),
    responses(
        (status = 200, description = "The picture", content_type = "image/jpeg"),
        (status = 304, description = "It is what If-None-Match names"),
        (status = 404, description = "not_found"),
    ),
)]
pub(in crate::catalog) async fn get(
    State(catalog): State<Arc<Catalog>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Outcome<Response<Body>> {
    let id: ImageId = id.parse().map_err(|_| Problem::not_found())?;
    let records = &*catalog.ports.records;
    let row = records.load::<ImageRow>(id).await?.ok_or_else(Problem::not_found)?.record;
    let tag = format!("\"{id}\"");
    let mut response = if is_known(&headers, &tag) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        let bytes = records.load::<ImageBytes>(id).await?.ok_or_else(Problem::not_found)?;
        Response::new(Body::from(bytes.record.contents))
    };
    for (name, value) in [
        (header::CONTENT_TYPE, row.media.as_str()),
        (header::ETAG, &tag),
        (header::CACHE_CONTROL, FOR_EVER),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_str(value).expect("plain letters"));
    }
    Ok(response)
}

/// Whether `If-None-Match` names what is there. A tag that is weak counts as well: whoever keeps pictures for others may make
/// it so.
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut known = known.flat_map(|tags| tags.split(',')).map(str::trim);
    known.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_known_by_its_tag_weak_or_not() {
        for (tags, known) in [
            (r#""a""#, true),
            (r#"W/"a""#, true),
            (r#""b", W/"a""#, true),
            ("*", true),
            (r#""b""#, false),
            (r#"w/"a""#, false),
            ("a", false),
        ] {
            let headers = [(header::IF_NONE_MATCH, HeaderValue::from_static(tags))].into_iter().collect();
            assert_eq!(is_known(&headers, r#""a""#), known, "{tags}");
        }
        assert!(!is_known(&HeaderMap::new(), r#""a""#));
    }
}
