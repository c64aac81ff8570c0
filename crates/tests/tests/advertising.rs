//! Advertising through a real mail server: to those who agreed, once, across a crash, with a way out that mail programs know.

use std::collections::BTreeSet;

use firstcome_tests::{Api, Encryption, MailServer, Received, SOON, Shop, ShopOptions, Storefront as _, until};
use serde_json::json;

const BUYERS: usize = 6;

/// What makes a shop send advertising, whatever the hour is.
pub(crate) fn at_any_hour() -> Vec<(std::ffi::OsString, std::ffi::OsString)> {
    let all = [
        ("FIRSTCOME_ADVERTISING_SENDER", "The Shop"),
        ("FIRSTCOME_ADVERTISING_CONTACT", "02-123-4567"),
        ("FIRSTCOME_ADVERTISING_QUIET_FROM", "0"),
        ("FIRSTCOME_ADVERTISING_QUIET_UNTIL", "0"),
    ];
    all.map(|(name, value)| (name.into(), value.into())).into()
}

fn email(number: usize) -> String {
    format!("buyer-{number}@shop.test")
}

fn is_advertising(mail: &Received) -> bool {
    mail.text("subject") == "(광고) 겨울 티켓 · Winter tickets"
}

/// The mailing, when everybody was sent it.
pub(crate) async fn done(seller: &Api, mailing: &str) -> serde_json::Value {
    let path = format!("/admin/mailings/{mailing}");
    until("the mailing is done", SOON, async || {
        let view = seller.get(&path).want(200).await;
        if view["state"] == "done" { Ok(view) } else { Err(view) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn advertising_comes_once_to_those_who_agreed_and_ends_with_one_click() {
    let server = MailServer::start(Encryption::Starttls).await;
    let environment = server.environment().into_iter().chain(at_any_hour()).collect();
    let mut shop = Shop::start_with(ShopOptions { environment, ..ShopOptions::default() }).await;
    let seller = shop.seller().await;
    let mut buyers = Vec::new();
    for number in 0..BUYERS {
        let buyer = shop.account("buyer", &email(number)).await;
        if number > 0 {
            buyer.put("/me/consents").json(&json!({"advertising": true})).want(200).await;
        }
        buyers.push(buyer);
    }
    let body = json!({"subject": "겨울 티켓 · Winter tickets", "text": "12월 1일 오후 2시에 열립니다."});
    let made = seller.post("/admin/mailings").key("one").json(&body).want(202).await;
    shop.kill();
    shop.start_again().await;
    let again = seller.post("/admin/mailings").key("one").json(&body).want(202).await;
    let mailing = made["mailing_id"].as_str().expect("an id");
    assert_eq!(again["mailing_id"], mailing);
    assert_eq!(done(&seller, mailing).await["queued"], BUYERS - 1);
    let all = until("everybody has it", SOON, async || {
        let all: Vec<_> = server.received().into_iter().filter(is_advertising).collect();
        let people: BTreeSet<_> = all.iter().map(|mail| mail.text("to").to_owned()).collect();
        if people.len() == BUYERS - 1 { Ok(all) } else { Err(people) }
    })
    .await;
    // Who is cut off on the way delivers again, under the same id.
    let ids: BTreeSet<_> = all.iter().map(|mail| mail.text("id")).collect();
    assert_eq!(ids.len(), BUYERS - 1);
    let actions = seller.get("/admin/actions?role=accounts").want(200).await;
    let action = &actions["items"][0];
    assert_eq!((&action["action"], &action["object"]), (&json!("POST /admin/mailings"), &json!(mailing)));

    let mail = all.iter().find(|mail| mail.text("to") == email(1)).expect("an e-mail");
    let link = mail.text("unsubscribe").trim_matches(['<', '>']).to_owned();
    assert_eq!(mail.text("unsubscribe_post"), "List-Unsubscribe=One-Click");
    assert!(mail.text("body").contains(&link) && mail.text("body").contains("The Shop · 02-123-4567"), "{mail:?}");
    let path = link.split_once("/api/v1").expect("an address of the shop").1;
    let form = "application/x-www-form-urlencoded";
    shop.api().post(path).raw("List-Unsubscribe=One-Click", form).want(200).await;
    let consents = buyers[1].get("/me/consents").want(200).await;
    assert_eq!((&consents["history"][0]["way"], &consents["history"][0]["given"]), (&json!("link"), &json!(false)));

    let made = seller.post("/admin/mailings").key("two").json(&body).want(202).await;
    assert_eq!(done(&seller, made["mailing_id"].as_str().expect("an id")).await["queued"], BUYERS - 2);
    shop.audit().ok();
}
