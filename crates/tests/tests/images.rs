//! Pictures of products over HTTP.

use firstcome_tests::{Answer, Api, Random, Shop, Storefront as _};
use hyper::Method;
use serde_json::json;

/// A picture of so many pixels each way, of which nothing repeats itself, with a comment that says where it was taken.
pub(crate) fn png(side: u32) -> Vec<u8> {
    fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
        let checked = [kind, data].concat();
        let crc = checked.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 })
        });
        let length = u32::try_from(data.len()).expect("short").to_be_bytes();
        [&length, &checked[..], &(!crc).to_be_bytes()].concat()
    }
    let mut random = Random::new(u64::from(side));
    // Each row begins with a zero: its pixels are what they are.
    let row = |_| -> Vec<u8> { std::iter::once(0).chain((0..side * 3).map(|_| random.below(256) as u8)).collect() };
    let pixels = (0..side).flat_map(row).collect::<Vec<u8>>();
    let (size, more) = (side.to_be_bytes(), [8, 2, 0, 0, 0]);
    [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        chunk(b"IHDR", &[&size[..], &size, &more].concat()),
        chunk(b"tEXt", b"Comment\x0037.5665N 126.9780E"),
        chunk(b"IDAT", &zlib(&pixels)),
        chunk(b"IEND", &[]),
    ]
    .concat()
}

/// What PNG keeps pixels as, not compressed.
fn zlib(data: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 1];
    let mut blocks = data.chunks(0xffff).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).expect("short");
        stream.push(u8::from(blocks.peek().is_none()));
        stream.extend([length.to_le_bytes(), (!length).to_le_bytes()].concat());
        stream.extend(block);
    }
    let (low, high) = data.iter().fold((1_u32, 0), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % 65_521;
        (low, (high + low) % 65_521)
    });
    stream.extend((high << 16 | low).to_be_bytes());
    stream
}

pub(crate) async fn upload(api: &Api, bytes: Vec<u8>, media: &str) -> Answer {
    api.post("/admin/images").raw(bytes, media).send().await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_is_uploaded_shown_and_cached_and_outlives_a_restart() {
    let mut shop = Shop::start().await;
    let seller = shop.seller().await;
    // What it is said to be does not count.
    let made = upload(&seller, png(1), "image/jpeg").await.want(201);
    assert_eq!((&made["content_type"], &made["width"]), (&json!("image/png"), &json!(1)));
    assert_eq!(upload(&seller, png(1), "image/png").await.want(201), made, "the same twice is one");
    let url = made["url"].as_str().expect("a path").to_owned();
    let product = json!({"kind": "goods", "name": "Lamp", "image_url": url});
    let offer = seller.sell(&product, &json!({})).await;
    for restarted in [false, true] {
        if restarted {
            shop.stop().await;
            shop.start_again().await;
        }
        let api = shop.api();
        let shown = api.call(Method::GET, &url).send().await.expect("an answer");
        assert_eq!(shown.status, 200);
        let header = |name: &str| shown.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        assert_eq!((header("content-type"), header("x-content-type-options")), ("image/png", "nosniff"));
        assert!(header("cache-control").contains("immutable"), "{shown}");
        assert!(shown.bytes.starts_with(b"\x89PNG"), "{shown}");
        assert!(!shown.bytes.windows(9).any(|part| part == b"126.9780E"), "nothing says where it was taken");
        let again = api.call(Method::GET, &url).header("if-none-match", header("etag")).send().await;
        let again = again.expect("an answer");
        assert_eq!((again.status, again.bytes.len()), (304, 0));
        let page = api.call(Method::GET, &format!("/offers/{offer}")).send().await.expect("an answer");
        assert!(String::from_utf8_lossy(&page.bytes).contains(&url), "the page shows it");
    }
    shop.api().call(Method::GET, "/images/img_00000000000000000000000000").want(404).await;
    let gone = json!({"kind": "goods", "name": "Lamp", "image_url": "/images/img_00000000000000000000000000"});
    let seller = shop.seller().await;
    seller.post("/admin/products").json(&gone).want(422).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_picture_or_too_large_is_refused() {
    let shop = Shop::start().await;
    let seller = shop.seller().await;
    let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>".to_vec();
    upload(&seller, svg.clone(), "image/svg+xml").await.problem(415, "unsupported_media_type");
    for nothing in [svg, Vec::new(), png(1)[..50].to_vec(), vec![0; 100_000]] {
        upload(&seller, nothing, "image/png").await.problem(422, "invalid_body");
    }
    let large = upload(&seller, vec![0; 2 * 1024 * 1024 + 1], "image/png").await.problem(413, "body_too_large");
    assert_eq!(large["max_bytes"], 2 * 1024 * 1024);
    let json = upload(&seller, b"{}".to_vec(), "application/json").await;
    json.problem(415, "unsupported_media_type");
    let buyer = shop.buyers(1).remove(0);
    upload(&buyer, png(1), "image/png").await.problem(403, "forbidden");
    // Everywhere else the limit is what it was.
    let other = seller.post("/admin/products").raw(vec![b' '; 64 * 1024 + 1], "application/json").send().await;
    other.expect("an answer").problem(413, "body_too_large");
}
