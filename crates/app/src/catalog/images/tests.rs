//! Pictures that are kept, used and removed.

use std::io::{Cursor, Error};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::routing::post;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::{ImageId, SessionId, UserId};
use firstcome_core::ports::RoleName;
use firstcome_core::records::{Query, Record as _, RecordsExt as _};
use futures_util::stream;
use image::{DynamicImage, ImageFormat};
use serde_json::json;
use tower::ServiceExt as _;

use super::picture::Picture;
use super::{ImageBytes, ImageRow, ImageSpace, SPACE};
use crate::actions::{Action, Actions, witness};
use crate::catalog::product::ProductEdit;
use crate::catalog::tests::Shop;
use crate::http::{AccountRole, Identity, Roles};
use crate::secrets::{Keys, SystemRandom};

impl Shop {
    async fn keep(&self, fill: u8, size: usize) -> crate::http::Outcome<ImageId> {
        let picture = Picture { media: "image/png", bytes: vec![fill; size], width: 1, height: 1 };
        self.catalog.keep(picture).await.map(|row| row.image_id)
    }

    async fn kept(&self) -> (Vec<ImageId>, usize, u64) {
        let rows = self.records.list::<ImageRow>(Query::all(ImageRow::TABLE, 10)).await.expect("readable");
        let bytes = self.records.list::<ImageBytes>(Query::all(ImageBytes::TABLE, 10)).await.expect("readable");
        let space = self.records.load::<ImageSpace>(SPACE).await.expect("readable");
        let ids = rows.into_iter().map(|row| row.record.image_id).collect();
        (ids, bytes.len(), space.map_or(0, |space| space.record.size))
    }

    async fn shows(&self, image: ImageId) -> crate::http::Outcome<firstcome_core::product::Product> {
        let product = json!({ "kind": "goods", "name": "Lamp", "image_url": format!("/images/{image}") });
        self.catalog.create_product(serde_json::from_value(product).expect("a product")).await
    }
}

#[tokio::test]
async fn the_same_twice_is_one_and_all_together_have_their_limit() {
    let shop = Shop::open();
    let first = shop.keep(1, 60_000).await.expect("kept");
    assert_eq!(shop.keep(1, 60_000).await.expect("there"), first);
    assert_eq!(shop.kept().await, (vec![first], 1, 60_000));
    let full = shop.keep(2, 60_000).await.expect_err("refused");
    assert_eq!(full.code(), ErrorCode::ImagesFull);
    shop.keep(3, 40_000).await.expect("it fits");
    assert_eq!(shop.kept().await.2, 100_000);
}

#[tokio::test]
async fn a_picture_is_written_to_a_file_and_taken_from_it() {
    let shop = Shop::open();
    let mut png = Cursor::new(Vec::new());
    DynamicImage::new_rgb8(3, 3).write_to(&mut png, ImageFormat::Png).expect("written");
    let url = shop.catalog.import_image(png.into_inner()).await.expect("taken");
    let file = shop.catalog.image_file(&url).await.expect("readable").expect("there");
    assert_eq!(format!("/images/{}", file.name), format!("{url}.png"));
    assert!(super::image_file_names(&url).any(|name| name == file.name), "{}", file.name);
    let other = Shop::open();
    for _ in 0..2 {
        assert_eq!(other.catalog.import_image(file.contents.clone()).await.expect("taken"), url);
    }
    assert_eq!(other.kept().await.0.len(), 1, "twice is once");
    for url in ["/images/../shop.db", "/images/img_00000000000000000000000000", "https://a.example/1.png"] {
        assert!(other.catalog.image_file(url).await.expect("readable").is_none(), "{url}");
    }
    assert_eq!(super::image_file_names("/images/../shop.db").count(), 0);
    let wrong = other.catalog.import_image(b"no picture".to_vec()).await.expect_err("refused");
    assert_eq!(wrong.code(), ErrorCode::InvalidBody);
    let most = other.catalog.ports.images.most_bytes;
    let large = other.catalog.import_image(vec![0; most + 1]).await.expect_err("refused");
    assert_eq!(large.code(), ErrorCode::BodyTooLarge);
}

#[tokio::test]
async fn only_a_picture_that_is_there_is_shown() {
    let shop = Shop::open();
    let image = shop.keep(1, 10).await.expect("kept");
    let product = shop.shows(image).await.expect("created");
    assert_eq!(shop.shows(ImageId([9; 16])).await.expect_err("refused").code(), ErrorCode::InvalidBody);
    for (url, fits) in [("/images/cat.png", false), ("/assets/cat.png", true), ("https://a.example/1.png", true)] {
        assert_eq!(shop.catalog.check_image(Some(url)).await.is_ok(), fits, "{url}");
    }
    assert_eq!(product.image_url, Some(format!("/images/{image}")));
}

#[tokio::test]
async fn what_no_product_shows_goes_after_a_while() {
    let shop = Shop::open();
    let (used, unused) = (shop.keep(1, 10).await.expect("kept"), shop.keep(2, 20).await.expect("kept"));
    let product = shop.shows(used).await.expect("created");
    let sweep = async |hours| {
        shop.clock.advance(Duration::from_hours(hours));
        shop.catalog.sweep_images().await.expect("swept");
        shop.kept().await.0
    };
    assert_eq!(sweep(1).await.len(), 2);
    assert_eq!(sweep(24 * 6).await.len(), 2, "it may be used yet");
    // Somebody sends it again: it is as new.
    shop.keep(2, 20).await.expect("there");
    assert_eq!(sweep(24 * 2).await.len(), 2);
    assert_eq!(sweep(24 * 7).await, [used]);
    assert_eq!(shop.kept().await, (vec![used], 1, 10), "and so are its bytes");
    assert_eq!(shop.shows(unused).await.expect_err("refused").code(), ErrorCode::InvalidBody);
    // A product that shows another picture lets the first one go.
    let stored = shop.catalog.product(product.product_id).await.expect("there");
    let edit: ProductEdit = serde_json::from_value(json!({ "image_url": null })).expect("an edit");
    let without = edit.apply(stored.record.product.0.clone()).expect("right");
    shop.catalog.change_product(stored, without).await.expect("changed");
    assert_eq!(sweep(1).await, [used]);
    assert!(sweep(24 * 7).await.is_empty());
    assert_eq!(shop.kept().await, (vec![], 0, 0));
}

/// A picture as it is sent.
fn sent() -> Request {
    let mut png = Cursor::new(Vec::new());
    DynamicImage::new_rgb8(1, 1).write_to(&mut png, ImageFormat::Png).expect("written");
    let request = Request::post("/api/v1/admin/images").header(header::CONTENT_TYPE, "image/png");
    request.body(Body::from(png.into_inner())).expect("a request")
}

#[tokio::test]
async fn who_sends_slowly_keeps_nobody_waiting() {
    let shop = Shop::open();
    let slow = Body::from_stream(stream::pending::<Result<Bytes, Error>>());
    tokio::select! {
        biased;
        _ = shop.catalog.take(Request::new(slow)) => panic!("it never arrives"),
        taken = shop.catalog.take(sent()) => assert!(taken.is_ok(), "{taken:?}"),
    }
}

/// A picture is read to its end, whoever waits for it: its turn and its place are not free before.
#[test]
fn who_hangs_up_frees_no_turn_of_a_picture_that_is_read() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().max_blocking_threads(1).build().expect("a runtime");
    runtime.block_on(async {
        let shop = Shop::open();
        let (pictures, uploads) = (&shop.catalog.pictures, &shop.catalog.uploads);
        let free = || (pictures.available_permits(), uploads.available_permits());
        let before = free();
        // The only thread does something else.
        let (end, ended) = std::sync::mpsc::channel::<()>();
        drop(tokio::task::spawn_blocking(move || ended.recv()));
        tokio::select! {
            biased;
            _ = shop.catalog.take(sent()) => panic!("nothing reads it"),
            () = std::future::ready(()) => {}
        }
        assert_eq!(free(), (before.0 - 1, before.1 - 1));
        end.send(()).expect("it waits");
        let all = u32::try_from(before.1).expect("few");
        let _both = (pictures.acquire().await.expect("open"), uploads.acquire_many(all).await.expect("open"));
    });
}

#[tokio::test]
async fn the_action_of_an_upload_names_the_picture() {
    let mut shop = Shop::open();
    let (clock, keys) = (Arc::new(shop.clock.clone()), Arc::new(Keys::in_memory(&SystemRandom)));
    let actions = Actions::over(RoleName::Catalog, shop.records.clone(), clock, Arc::new(SystemRandom), keys);
    shop.catalog.ports.records = actions.clone();
    let router = Router::new()
        .route("/api/v1/admin/images", post(super::upload))
        .layer(axum::middleware::from_fn_with_state(Some(actions), witness))
        .with_state(Arc::new(shop.catalog));
    let roles = Roles::default().with(AccountRole::Seller);
    let identity = Identity { user: UserId([1; 16]), session: SessionId([7; 16]), roles, unlimited: false };
    let mut request = sent();
    request.extensions_mut().insert(identity);
    assert_eq!(router.oneshot(request).await.expect("an answer").status(), StatusCode::CREATED);
    let images = shop.records.list::<ImageRow>(Query::all(ImageRow::TABLE, 10)).await.expect("readable");
    let written = shop.records.list::<Action>(Query::all(Action::TABLE, 10)).await.expect("readable");
    let objects: Vec<_> = written.into_iter().map(|action| action.record.object).collect();
    assert_eq!(objects, [Some(images[0].record.image_id.to_string())]);
}
