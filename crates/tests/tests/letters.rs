//! Events that nobody can handle: buried, listed, and replayed when their cause is mended.

use std::collections::BTreeSet;
use std::sync::Arc;

use firstcome_core::events::topics;
use firstcome_core::ids::EventId;
use firstcome_core::ports::{Committed, EventLog as _, LoggedEvent, Records};
use firstcome_core::records::{NewEvent, Unit};
use firstcome_core::time::Time;
use firstcome_store::sqlite::{SqliteEventLog, SqliteRecords};
use firstcome_tests::{Api, PASSWORD, SOON, Shop, Storefront, ticket, until};
use futures_util::future::join_all;
use hyper::Method;
use rusqlite::Connection;
use serde_json::{Value, json};

const LETTERS: &str = "/admin/dead-letters";

/// The catalogue's own database, beside the running shop: what is committed here the catalog has announced.
async fn announce(catalog: &dyn Records, subject: &str, data: &str) {
    let event = NewEvent {
        id: EventId::derived(&[data.as_bytes()]),
        kind: "offer.saved".to_owned(),
        subject: subject.to_owned(),
        at: Time(1),
        data: data.to_owned(),
    };
    let committed = catalog.commit(Unit { events: vec![event], ..Unit::new() }).await.expect("an announcement");
    assert_eq!(committed, Committed::Done);
}

fn catalog_of(shop: &Shop) -> Arc<SqliteRecords> {
    SqliteRecords::open(shop.data().join("catalog.db"), firstcome_app::catalog::TABLES).expect("the catalogue")
}

async fn announced(catalog: &Arc<SqliteRecords>) -> Vec<LoggedEvent> {
    let log = SqliteEventLog::new([(topics::CATALOG, catalog.clone())]);
    log.read(topics::CATALOG, 0, 1_000).await.expect("events")
}

/// Announces what nobody can read, and waits until it is buried. Returns the id of one letter.
pub(crate) async fn unreadable(shop: &Shop) -> String {
    announce(&*catalog_of(shop), "ofr_unreadable", "{").await;
    let operator = shop.account("operator", "letters@shop.test").await;
    let letters = waiting(&operator, "", |letters| letters.len() == 4).await;
    text(&letters[0], "id")
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("{field} in {value}")).to_owned()
}

async fn items(operator: &Api, query: &str) -> Vec<Value> {
    let list = operator.get(&format!("{LETTERS}?{query}")).want(200).await;
    list["items"].as_array().expect("a list").clone()
}

/// The letters that wait, when they are as expected.
async fn waiting(operator: &Api, query: &str, expected: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    until("the letters", SOON, async || {
        let letters = items(operator, &format!("replayed=false&{query}")).await;
        if expected(&letters) { Ok(letters) } else { Err(letters) }
    })
    .await
}

async fn replay(operator: &Api, id: &str) -> firstcome_tests::Answer {
    operator.post(&format!("{LETTERS}/{id}/replay")).send().await.expect("an answer")
}

/// The shop's tickets get a day that no calendar knows, told by the catalogue as an event of its own: one that can be read,
/// and whose delivery cannot be made. `last` is the catalogue's last announcement of the offer.
pub(crate) async fn a_delivery_is_buried_mended_and_replayed<S: Storefront>(
    shop: &S,
    catalog: &dyn Records,
    last: impl AsyncFn() -> LoggedEvent,
) {
    let seller = shop.seller().await;
    let product = seller.create_product(&ticket("Gate")).await;
    let price = json!({"amount": 9_000, "currency": "KRW"});
    let offer = seller.create_offer(&json!({"product_id": product, "price": price, "stock": 1_000})).await;
    let buyer = shop.buyers(1).remove(0);
    buyer.buy("well", &offer, 1).await;
    let operator = shop.account("operator", "night@shop.test").await;
    buyer.delivered(|_| true).await;
    assert!(items(&operator, "").await.is_empty());

    let mut poison: Value = serde_json::from_str(&last().await.data).expect("JSON");
    poison["offer"]["product"]["visit_date"] = json!("2030-02-31");
    announce(catalog, &offer, &poison.to_string()).await;
    // It is on its way to vouchers; what is bought before it arrives is delivered.
    let mut orders = Vec::new();
    let letter = loop {
        orders.push(buyer.buy(&format!("ill-{}", orders.len()), &offer, 1).await);
        let buried = until("the order is delivered or buried", SOON, async || {
            let buried = items(&operator, "role=vouchers&replayed=false").await.pop();
            let delivered = buyer.vouchers().await.expect("vouchers").len() == orders.len() + 1;
            (delivered || buried.is_some()).then_some(buried)
        });
        if let Some(letter) = buried.await {
            break letter;
        }
    };
    let delivered = buyer.vouchers().await.expect("vouchers").len();
    assert_eq!((text(&letter, "consumer"), text(&letter, "topic")), ("vouchers.delivery".into(), "journal".into()));
    assert!(text(&letter, "reason").contains("2030-02-31"), "{letter}");
    let id = text(&letter, "id");
    let failed = replay(&operator, &id).await.problem(409, "replay_failed");
    assert_eq!(failed["reason"], letter["reason"]);
    assert_eq!(items(&operator, "").await, std::slice::from_ref(&letter), "nothing has changed");
    replay(&buyer, &id).await.problem(403, "forbidden");

    let mended = json!({"description": "announced once more, with its own day"});
    seller.patch(&format!("/admin/products/{product}")).json(&mended).want(200).await;
    // The new announcement is on its way.
    let answers = until("it is replayed", SOON, async || {
        let answers = join_all([replay(&operator, &id), replay(&seller, &id)]).await;
        if answers.iter().any(|answer| answer.status == 200) {
            return Ok(answers);
        }
        assert!(answers.iter().all(|answer| ["replay_failed", "wrong_state"].contains(&answer.code())), "{answers:?}");
        Err(answers)
    })
    .await;
    for answer in answers {
        assert!(answer.status == 200 || answer.code() == "wrong_state", "{answer}");
    }
    let again = replay(&seller, &id).await.want(200);
    assert!(again["replayed_at"].is_string(), "{again}");
    assert_eq!(replay(&operator, &id).await.want(200), again, "what is");
    assert_eq!(items(&operator, "replayed=true").await, [again]);
    assert!(items(&operator, "replayed=false").await.is_empty());
    assert_eq!(buyer.vouchers().await.expect("vouchers").len(), delivered + 1, "delivered once");
    assert_eq!(orders.len() + 1, delivered + 1, "and to everyone");
}

/// Pages of one letter are the whole list.
pub(crate) async fn pages_are_the_list(operator: &Api, expected: usize) {
    let whole = items(operator, "limit=100").await;
    let (mut pages, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = operator.get(&format!("{LETTERS}?limit=1&cursor={cursor}")).want(200).await;
        pages.extend(page["items"].as_array().expect("a list").clone());
        let Some(next) = page["next_cursor"].as_str() else { break };
        next.clone_into(&mut cursor);
    }
    assert_eq!((pages.len(), &pages), (expected, &whole));
    let times: Vec<String> = whole.iter().map(|letter| text(letter, "at")).collect();
    assert!(times.is_sorted_by(|newer, older| newer >= older), "{times:?}");
}

/// Four consumers of as many databases meet an event that is no JSON.
pub(crate) async fn nobody_can_read(operator: &Api, catalog: &dyn Records) -> Vec<Value> {
    announce(catalog, "ofr_unreadable", "{").await;
    let letters = waiting(operator, "", |letters| letters.len() == 4).await;
    let consumers: BTreeSet<String> = letters.iter().map(|letter| text(letter, "consumer")).collect();
    assert_eq!(
        consumers,
        ["accounts.catalog", "catalog.terms", "orders.catalog", "vouchers.catalog"].map(str::to_owned).into()
    );
    for letter in &letters {
        assert_eq!((text(letter, "kind"), text(letter, "topic")), ("offer.saved".into(), topics::CATALOG.into()));
        assert!(letter.get("data").is_none(), "{letter}");
        let failed = replay(operator, &text(letter, "id")).await.problem(409, "replay_failed");
        assert_eq!(failed["reason"], letter["reason"]);
    }
    for role in ["accounts", "catalog", "orders", "vouchers"] {
        assert_eq!(items(operator, &format!("role={role}&replayed=false")).await.len(), 1);
    }
    assert!(items(operator, "role=payments").await.is_empty());
    replay(operator, &EventId([9; 16]).to_string()).await.problem(404, "not_found");
    replay(operator, "evt_none").await.problem(404, "not_found");
    letters
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery() {
    let shop = Shop::start().await;
    let catalog = catalog_of(&shop);
    let last = async || announced(&catalog).await.pop().expect("one");
    a_delivery_is_buried_mended_and_replayed(&shop, &*catalog, last).await;
    shop.audit().ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_can_read() {
    let mut shop = Shop::start().await;
    let seller = shop.seller().await;
    seller.sell(&ticket("Gate"), &json!({})).await;
    let operator = shop.account("operator", "night@shop.test").await;
    let catalog = catalog_of(&shop);
    let letters = nobody_can_read(&operator, &*catalog).await;
    pages_are_the_list(&operator, 4).await;
    metric(&shop, 1).await;

    // The program is started again, as for an update, and can read it now: here its words are mended.
    assert!(shop.stop().await.success());
    let events = announced(&catalog).await;
    let (poison, right) = (events.last().expect("one"), events.iter().find(|event| event.kind == "offer.saved"));
    let database = Connection::open(shop.data().join("catalog.db")).expect("a database");
    let data = &right.expect("the offer's own").data;
    database.execute("UPDATE outbox SET data = ?1 WHERE position = ?2", (data, poison.position)).expect("mended");
    shop.start_again().await;
    metric(&shop, 1).await;
    let operator = shop.api().log_in("night@shop.test", PASSWORD).await;
    assert_eq!(items(&operator, "replayed=false").await, letters, "as they were");
    for letter in &letters {
        let id = text(letter, "id");
        let replayed = replay(&operator, &id).await.want(200);
        assert_eq!(replay(&operator, &id).await.want(200), replayed);
    }
    assert!(items(&operator, "replayed=false").await.is_empty());
    pages_are_the_list(&operator, 4).await;
    metric(&shop, 0).await;
}

/// The gauge of each of the three consumers comes to this.
async fn metric(shop: &Shop, expected: i64) {
    let lines: Vec<String> = ["catalog.terms", "orders.catalog", "vouchers.catalog"]
        .map(|consumer| format!("firstcome_dead_letters_waiting{{consumer=\"{consumer}\"}} {expected}"))
        .into();
    until(format!("the metric of each is {expected}"), SOON, async || {
        let answer = shop.api().call(Method::GET, "/metrics").send().await.expect("an answer");
        let text = String::from_utf8_lossy(&answer.bytes).into_owned();
        lines.iter().all(|line| text.contains(line))
    })
    .await;
}
