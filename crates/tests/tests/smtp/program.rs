//! The program with a mail server: what it owes arrives although the server is down, and no request waits for it.

use firstcome_tests::{Api, Encryption, MailServer, PASSWORD, SOON, Shop, ShopOptions, until};
use hyper::Method;
use serde_json::json;

async fn shop_with(server: &MailServer) -> Shop {
    Shop::start_with(ShopOptions { environment: server.environment(), ..ShopOptions::default() }).await
}

async fn ask(api: &Api, email: &str) {
    api.post("/auth/email-codes").json(&json!({"email": email})).want(202).await;
}

/// Waits until a counter stands at a number.
async fn counted(api: &Api, name: &str, number: u64) {
    let line = format!("{name}_total {number}\n");
    until(format!("`{line}`"), SOON, async || {
        let answer = api.call(Method::GET, "/metrics").send().await.expect("metrics");
        String::from_utf8_lossy(&answer.bytes).contains(&line)
    })
    .await;
}

#[tokio::test]
async fn smtp_code_arrives_although_the_server_is_down_and_the_shop_is_killed() {
    let mut server = MailServer::prepare(Encryption::Starttls);
    let mut shop = shop_with(&server).await;
    let api = Api::new(&format!("http://{}", shop.address()));
    ask(&api, "kim@shop.test").await;
    counted(&api, "firstcome_mails_postponed", 1).await;
    shop.kill();
    shop.start_again().await;
    server.go_on().await;
    let mails = server.wait_for("kim@shop.test", 1).await;
    assert!(mails[0].0["encrypted"] == true && mails[0].0["logged_in"] == true, "{mails:?}");
    let body = json!({"email": "kim@shop.test", "code": mails[0].code()});
    let verified = api.post("/auth/email-codes/verify").json(&body).want(200).await;
    let body = json!({"email": "kim@shop.test", "password": PASSWORD, "name": "Kim",
        "verification_token": verified["verification_token"]});
    api.post("/auth/signup").json(&body).want(201).await;
    api.log_in("kim@shop.test", PASSWORD).await;
    assert!(!shop.log().contains("kim@shop.test"), "an address is logged:\n{}", shop.log());
    assert_eq!(api.call(Method::GET, "/dev/mailbox").send().await.expect("an answer").status, 404);
}

#[tokio::test]
async fn smtp_refused_address_is_given_up_and_said_so() {
    let server = MailServer::start(Encryption::Tls).await;
    let shop = shop_with(&server).await;
    let api = Api::new(&format!("http://{}", shop.address()));
    ask(&api, "refused@shop.test").await;
    counted(&api, "firstcome_mails_given_up", 1).await;
    ask(&api, "kim@shop.test").await;
    server.wait_for("kim@shop.test", 1).await;
    let log = shop.log();
    assert!(log.contains("was given up") && log.contains("550") && !log.contains("refused@"), "{log}");
}

#[tokio::test]
async fn smtp_no_request_waits_for_a_slow_server() {
    let server = MailServer::start(Encryption::None).await;
    let shop = shop_with(&server).await;
    let api = Api::new(&format!("http://{}", shop.address()));
    for number in 0..3 {
        ask(&api, &format!("held{number}@shop.test")).await;
    }
    // All of them are answered, and the server takes none of their e-mails until now.
    assert!(server.received().is_empty());
    server.release();
    for number in 0..3 {
        server.wait_for(&format!("held{number}@shop.test"), 1).await;
    }
}
