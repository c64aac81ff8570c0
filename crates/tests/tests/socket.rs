//! What a browser never sends: broken and endless HTTP, over bare sockets. The connection ends with a problem document,
//! and what was asked before is answered whole.

use std::time::Duration;

use firstcome_tests::{Api, SOON, Shop, ShopOptions, Storefront as _, gift_card, until};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::hostile::unharmed;

const TIME: &[u8] = b"GET /api/v1/time HTTP/1.1\r\nhost: shop\r\n\r\n";

/// What comes back for these bytes, until the program closes the connection.
async fn spoken(shop: &Shop, pieces: &[&[u8]]) -> String {
    let mut stream = TcpStream::connect(shop.address()).await.expect("a connection");
    for piece in pieces {
        // The program may have closed already: that is an answer too.
        let _ = stream.write_all(piece).await;
    }
    heard(stream).await
}

async fn heard(mut stream: TcpStream) -> String {
    let mut heard = Vec::new();
    let reading = stream.read_to_end(&mut heard);
    // Who sends more than anybody reads is broken off in the end, but has the answer by then.
    let _ = tokio::time::timeout(Duration::from_secs(60), reading).await.expect("the program ends the connection");
    String::from_utf8_lossy(&heard).into_owned()
}

/// The one answer is a whole problem document, and announces the end.
#[track_caller]
fn problem(heard: &str, status: u16, code: &str) -> Value {
    let (head, body) = heard.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {heard:?}"));
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{heard:?}");
    assert!(head.contains("\r\ncontent-type: application/problem+json"), "{heard:?}");
    assert!(head.contains("\r\nconnection: close") && head.contains("\r\ndate: "), "{heard:?}");
    assert!(head.contains(&format!("\r\ncontent-length: {}", body.len())), "{heard:?}");
    let document: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {heard:?}"));
    assert_eq!(
        (document["status"].as_u64(), document["code"].as_str()),
        (Some(status.into()), Some(code)),
        "{heard:?}"
    );
    for field in ["type", "title", "detail"] {
        assert!(document[field].is_string(), "{heard:?}");
    }
    document
}

async fn hasty_shop() -> Shop {
    let environment = vec![("FIRSTCOME_SERVER_HEADER_SECONDS".into(), "1".into())];
    Shop::start_with(ShopOptions { environment, ..ShopOptions::default() }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_http() {
    let shop = Shop::start().await;
    let garbage: [(&[u8], &str); 14] = [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "method"),
        (b"hello\r\n\r\n", "no HTTP"),
        (b"GET / HTTP/9.9\r\n\r\n", "version"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/2"),
        (b"GET /\xff HTTP/1.1\r\n\r\n", "URI"),
        (b"GET /\0 HTTP/1.1\r\n\r\n", "URI"),
        (b"GET  HTTP/1.1\r\n\r\n", "no HTTP"),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", "header"),
        (b"GET / HTTP/1.1\r\nx: a\0b\r\n\r\n", "header"),
        (b"GET / HTTP/1.1\r\nx y: 1\r\n\r\n", "header"),
        (b"POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", "content-length"),
        (b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n", "content-length"),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n", "transfer-encoding"),
        (b"POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n", "transfer-encoding"),
    ];
    for (bytes, named) in garbage {
        let heard = spoken(&shop, &[bytes]).await;
        let document = problem(&heard, 400, "malformed_request");
        assert!(document["detail"].as_str().is_some_and(|detail| detail.contains(named)), "{named}: {document}");
        // After a request that was one: first its whole answer.
        let heard = spoken(&shop, &[&[TIME, bytes].concat()]).await;
        let (first, second) = heard.split_at(heard.find("}HTTP/1.1 ").expect("two answers") + 1);
        assert!(first.starts_with("HTTP/1.1 200 OK\r\n") && first.ends_with('}'), "{heard:?}");
        problem(second, 400, "malformed_request");
    }
    unharmed(&shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_without_end() {
    let shop = hasty_shop().await;
    let start = &TIME[..TIME.len() - 2];
    let long = [start, b"x: ", &b"a".repeat(100_000)[..], b"\r\n\r\n"].concat();
    let many = [start, &b"x: y\r\n".repeat(200)[..], b"\r\n"].concat();
    let uri = [b"GET /", &b"a".repeat(100_000)[..], b" HTTP/1.1\r\n\r\n"].concat();
    for large in [long, many, uri] {
        problem(&spoken(&shop, &[&large]).await, 431, "headers_too_large");
    }
    problem(&spoken(&shop, &[start]).await, 408, "request_timeout");
    problem(&spoken(&shop, &[b"G"]).await, 408, "request_timeout");
    // Nothing was asked: nothing is answered.
    assert_eq!(spoken(&shop, &[]).await, "");
    let idle = spoken(&shop, &[TIME]).await;
    assert!(idle.starts_with("HTTP/1.1 200 OK\r\n") && idle.matches("HTTP/1.1").count() == 1, "{idle:?}");
    // Broken off by a client that still listens.
    let mut stream = TcpStream::connect(shop.address()).await.expect("a connection");
    stream.write_all(start).await.expect("it listens");
    stream.shutdown().await.expect("it listens");
    let document = problem(&heard(stream).await, 400, "malformed_request");
    assert!(document["detail"].as_str().is_some_and(|detail| detail.contains("ended")), "{document}");
    unharmed(&shop).await;
}

fn head(api: &Api, more: &str) -> Vec<u8> {
    let token = api.token().expect("a token");
    format!(
        "POST /api/v1/orders HTTP/1.1\r\nhost: shop\r\nauthorization: Bearer {token}\r\nidempotency-key: k\r\n\
         content-type: application/json\r\nconnection: close\r\n{more}\r\n\r\n"
    )
    .into_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_do_not_arrive() {
    let shop = hasty_shop().await;
    let buyer = shop.buyers(1).remove(0);
    // Larger than allowed, also when its size is not said before.
    for size in [70_000, 1_000_000] {
        let said = head(&buyer, &format!("content-length: {size}"));
        problem(&spoken(&shop, &[&said, &vec![b' '; size]]).await, 413, "body_too_large");
    }
    let chunked = head(&buyer, "transfer-encoding: chunked");
    let chunk = [b"4000\r\n", &vec![b' '; 0x4000][..], b"\r\n"].concat();
    let heard = spoken(&shop, &[&chunked, &chunk, &chunk, &chunk, &chunk, &chunk, b"0\r\n\r\n"]).await;
    problem(&heard, 413, "body_too_large");
    // Chunks that are none.
    for broken in
        ["zz\r\n", "-1\r\n", "5\r\nabc\r\n0\r\n\r\n", "ffffffffffffffffff\r\n", "\r\n", "2;\n\r\n{}\r\n0\r\n\r\n"]
    {
        let document = problem(&spoken(&shop, &[&chunked, broken.as_bytes()]).await, 400, "malformed_body");
        assert!(document["detail"].as_str().is_some_and(|detail| detail.contains("whole")), "{document}");
    }
    // Not at all.
    let heard = spoken(&shop, &[&head(&buyer, "content-length: 100"), b"{\"offer_id\""]).await;
    problem(&heard, 408, "request_timeout");
    // Headers that are no text.
    let odd = [&head(&buyer, "content-length: 2\r\nidempotency-key: \u{ff}")[..], b"{}"].concat();
    assert!(spoken(&shop, &[&odd]).await.contains("application/problem+json"));
    unharmed(&shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_under_way_at_the_stop_is_answered() {
    let mut shop = Shop::start().await;
    let buyer = shop.buyers(1).remove(0);
    let mut idle = TcpStream::connect(shop.address()).await.expect("a connection");
    idle.write_all(TIME).await.expect("it listens");
    let mut answer = [0; 17];
    idle.read_exact(&mut answer).await.expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 200 OK\r\n");
    let mut busy = TcpStream::connect(shop.address()).await.expect("a connection");
    let head = String::from_utf8(head(&buyer, "content-length: 2")).expect("text").replace("connection: close\r\n", "");
    busy.write_all(head.as_bytes()).await.expect("it listens");
    busy.write_all(b"{").await.expect("it listens");
    // Time for the program to begin with it; without, the test proves less but holds.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let finish = async {
        // The end of the idle one tells that the stop has begun.
        heard(idle).await;
        busy.write_all(b"}").await.expect("it listens");
        heard(busy).await
    };
    let (status, heard) = tokio::join!(shop.stop(), finish);
    assert!(status.success(), "{status}");
    problem(&heard, 422, "invalid_body");
    // Colours are for terminals.
    let log = shop.log();
    assert!(log.contains("stopping") && !log.contains('\u{1b}'), "{log:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn event_streams_end_at_the_stop() {
    // Longer than anybody waits for the stop: a stream that went on would be noticed.
    let environment = vec![("FIRSTCOME_SERVER_DRAIN_SECONDS".into(), "600".into())];
    let mut shop = Shop::start_with(ShopOptions { environment, ..ShopOptions::default() }).await;
    let offer = shop.seller().await.sell(&gift_card(50_000), &json!({"stock": 10})).await;
    let mut streams = Vec::new();
    for path in [format!("/api/v1/offers/{offer}/stock/stream"), format!("/offers/{offer}/stream")] {
        let mut stream = TcpStream::connect(shop.address()).await.expect("a connection");
        let request = format!("GET {path} HTTP/1.1\r\nhost: shop\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("it listens");
        let mut begun = Vec::new();
        while !String::from_utf8_lossy(&begun).contains("event: stock") {
            assert!(stream.read_buf(&mut begun).await.expect("an event") > 0, "{path}: {begun:?}");
        }
        streams.push(stream);
    }
    let status = shop.stop().await;
    assert!(status.success(), "{status}");
    for stream in streams {
        let rest = heard(stream).await;
        assert!(rest.ends_with("0\r\n\r\n"), "an end that a client can tell from a loss: {rest:?}");
    }
    assert!(!shop.log().contains("WARN"), "{}", shop.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_waits_for_nobody() {
    let mut shop = Shop::start().await;
    let buyer = shop.buyers(1).remove(0);
    let mut busy = TcpStream::connect(shop.address()).await.expect("a connection");
    busy.write_all(&head(&buyer, "content-length: 100\r\nexpect: 100-continue")).await.expect("it listens");
    // The program asks for the body: it is at work on the request.
    let mut asked = [0; 21];
    busy.read_exact(&mut asked).await.expect("an answer");
    assert_eq!(&asked, b"HTTP/1.1 100 Continue");
    shop.ask_to_stop();
    until("the stop begins", SOON, async || shop.log().contains("stopping")).await;
    shop.ask_to_stop();
    let status = shop.wait_end().await;
    assert_eq!(status.code(), Some(130), "{status}");
}
