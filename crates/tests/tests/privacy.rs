//! What is personal is nowhere in readable form: not in a database, a journal, a log, a topic or a metric; and it stays
//! readable to the shop while its keys change.

use std::fs;
use std::path::Path;
use std::time::Duration;

use firstcome_tests::{Api, Encryption, MailServer, Shop, Storefront};
use hyper::Method;
use serde_json::{Value, json};

const EMAIL: &str = "zebulon.quartermain@unmistakable.test";
const OTHER_EMAIL: &str = "zq@elsewhere-entirely.test";
const PASSWORD: &str = "ostrich umbrella pancake";
const NEW_PASSWORD: &str = "pancake umbrella ostrich";
const PRODUCT: &str = "A thing that anyone may read about";

/// What nobody may find: everything that the person has told the shop.
const SECRETS: [&str; 10] = [
    "zebulon",
    "quartermain",
    "unmistakable.test",
    "elsewhere-entirely",
    PASSWORD,
    NEW_PASSWORD,
    "010-9182-7364",
    "Nightingale Crescent",
    "Receiving Reception",
    "tablet in the kitchen",
];

/// A person does everything that tells the shop about them. Returns them, logged in.
pub(crate) async fn live(shop: &impl Storefront) -> Api {
    let seller = shop.seller().await;
    let goods = json!({"kind": "goods", "name": PRODUCT});
    let offer = seller.sell(&goods, &json!({"price": 0, "stock": 10})).await;
    let api = shop.api();
    let token = verified(&api, EMAIL).await;
    let body = json!({"email": EMAIL, "password": PASSWORD, "name": "Zebulon Quartermain", "phone": "010-9182-7364",
        "address": "77 Nightingale Crescent", "verification_token": token});
    api.post("/auth/signup").json(&body).want(201).await;
    let wrong = json!({"email": EMAIL, "password": "ostrich umbrella pancake?"});
    api.post("/auth/login").json(&wrong).want(401).await;
    let body = json!({"email": EMAIL, "password": PASSWORD, "device": "the tablet in the kitchen"});
    let tokens = api.post("/auth/login").json(&body).want(200).await;
    let person = api.with_token(tokens["access_token"].as_str().expect("a token"));
    let ship_to = json!({"name": "Receiving Reception", "phone": "010-9182-7364", "address": "9 Nightingale Crescent"});
    for (key, body) in [
        ("profile", json!({"offer_id": offer, "quantity": 1})),
        ("own", json!({"offer_id": offer, "quantity": 1, "ship_to": ship_to})),
    ] {
        person.post("/orders").key(key).json(&body).want(201).await;
    }
    let proofs = (verified(&api, OTHER_EMAIL).await, verified(&api, EMAIL).await);
    let body = json!({"name": "Quartermain", "address": "78 Nightingale Crescent", "email": OTHER_EMAIL,
        "verification_token": proofs.0, "current_verification_token": proofs.1});
    person.patch("/me").json(&body).want(200).await;
    api.post("/auth/password-reset").json(&json!({"email": OTHER_EMAIL})).want(202).await;
    let body = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
    person.call(Method::PUT, "/api/v1/me/password").json(&body).want(204).await;
    // Bodies that are refused must not end up in a log either.
    api.post("/auth/signup").json(&json!({"email": EMAIL, "password": PASSWORD, "zebulon": true})).want(422).await;
    api.log_in(OTHER_EMAIL, NEW_PASSWORD).await
}

async fn verified(api: &Api, email: &str) -> Value {
    api.post("/auth/email-codes").json(&json!({"email": email})).want(202).await;
    // The newest may be on its way still, behind one that is used up.
    for _ in 0..200 {
        let code = api.mailed_code(email).await;
        let body = json!({"email": email, "code": code});
        let answer = api.post("/auth/email-codes/verify").json(&body).send().await.expect("an answer");
        if answer.status == 200 {
            return answer.json["verification_token"].clone();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        api.post("/auth/email-codes").json(&json!({"email": email})).send().await.expect("an answer");
    }
    panic!("no code for {email} is right")
}

/// Everything under a folder, and what it holds, in lower case.
fn files(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if path.is_file() {
            let bytes = fs::read(&path).unwrap_or_default().to_ascii_lowercase();
            found.push((path.display().to_string(), bytes));
        }
    }
}

/// Where a text is, whatever the case of its letters.
fn places<'a>(found: &'a [(String, Vec<u8>)], text: &str) -> Vec<&'a str> {
    let text = text.to_ascii_lowercase().into_bytes();
    let holds = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text);
    found.iter().filter(|(_, bytes)| holds(bytes)).map(|(name, _)| name.as_str()).collect()
}

/// Searches folders, and what the shop says of itself. What is no secret is found, so the search is one.
pub(crate) async fn search(folders: &[&Path], api: &Api) {
    let mut found = Vec::new();
    for folder in folders {
        files(folder, &mut found);
    }
    let metrics = api.call(Method::GET, "/metrics").send().await.expect("metrics");
    found.push(("/metrics".to_owned(), metrics.bytes.to_ascii_lowercase()));
    assert!(!places(&found, PRODUCT).is_empty(), "the search finds nothing at all");
    for secret in SECRETS {
        assert_eq!(places(&found, secret), Vec::<&str>::new(), "{secret}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn privacy_nothing_personal_can_be_read_in_files_logs_and_metrics() {
    let mut shop = Shop::start().await;
    let person = live(&shop).await;
    search(&[shop.scratch()], &shop.api()).await;
    // E-mails that wait, because the mail server is away.
    let away = MailServer::prepare(Encryption::None);
    shop.stop().await;
    shop.options.environment = away.environment();
    shop.start_again().await;
    for path in ["/auth/email-codes", "/auth/password-reset"] {
        shop.api().post(path).json(&json!({"email": OTHER_EMAIL})).want(202).await;
    }
    search(&[shop.scratch()], &shop.api()).await;
    person.delete("/me").want(204).await;
    person.get("/me").want(401).await;
    shop.audit().ok();
    shop.kill();
    shop.start_again().await;
    search(&[shop.scratch()], &shop.api()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn privacy_keys_change_while_the_shop_runs() {
    let mut shop = Shop::start().await;
    let person = live(&shop).await;
    let (me, devices) = (person.get("/me").want(200).await, person.sessions().await);
    let rotate = |shop: &Shop| shop.run(&["keys", "rotate", "--delay", "5"], "");
    assert!(rotate(&shop).ok().contains("data-2.key"));
    let refused = rotate(&shop);
    assert!(refused.code == Some(2) && refused.err.contains("key 2 is there already"), "{refused:?}");
    // Killed on the way, it goes on where it was.
    shop.kill();
    shop.start_again().await;
    let done = |status: &str| status.lines().any(|line| line.contains("data-1.key") && line.contains("not needed"));
    while !done(&shop.run(&["keys", "status"], "").ok()) {
        assert_eq!(person.get("/me").want(200).await, me);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    shop.stop().await;
    fs::remove_file(shop.data().join("keys/data-1.key")).expect("it is there");
    shop.start_again().await;
    assert_eq!((person.get("/me").want(200).await, person.sessions().await), (me, devices));
    shop.api().log_in(OTHER_EMAIL, NEW_PASSWORD).await;
    search(&[shop.scratch()], &shop.api()).await;
}
