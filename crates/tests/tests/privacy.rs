//! What is personal is nowhere in readable form: not in a database, a journal, a log, a topic or a metric; and it stays
//! readable to the shop while its keys change.

use std::path::Path;
use std::{fs, io};

use firstcome_tests::{Api, Encryption, MailServer, SOON, Shop, Storefront, ticket, totp, until};
use hyper::Method;
use memchr::memmem::Finder;
use serde_json::{Value, json};

const EMAIL: &str = "zebulon.quartermain@unmistakable.test";
const OTHER_EMAIL: &str = "zq@elsewhere-entirely.test";
const PASSWORD: &str = "ostrich umbrella pancake";
const NEW_PASSWORD: &str = "pancake umbrella ostrich";
pub(crate) const PRODUCT: &str = "A thing that anyone may read about";

/// What nobody may find: everything that the person has told the shop.
const SECRETS: [&str; 16] = [
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
    "Deirdre Depositor",
    "1002998877665",
    "1002-998-877665",
    "Hortensia Holder",
    "01055667788",
    "010-5566-7788",
];

/// What the shop has told the person, and keeps for them.
pub(crate) struct Told {
    secret: String,
    recovery: Vec<String>,
}

impl Told {
    /// A recovery code that was not used yet.
    fn unused(&mut self) -> String {
        self.recovery.pop().expect("a recovery code")
    }

    /// As it must not be found.
    fn secrets(&self) -> Vec<String> {
        let plain = self.recovery.iter().map(|code| code.replace('-', ""));
        self.recovery.iter().cloned().chain(plain).chain([self.secret.clone()]).collect()
    }
}

/// A person does everything that tells the shop about them. Returns them, logged in, and what they were told.
pub(crate) async fn live(shop: &impl Storefront) -> (Api, Told) {
    let seller = shop.seller().await;
    let goods = json!({"kind": "goods", "name": PRODUCT});
    let offer = seller.sell(&goods, &json!({"price": 0, "stock": 10})).await;
    let gate = seller.sell(&ticket(PRODUCT), &json!({"price": 0, "stock": 10})).await;
    let stranger = shop.buyers(1).remove(0);
    stranger.order("gate", &gate, 1).await.expect("an answer").want(201);
    stranger.delivered(|voucher| voucher["product_name"] == PRODUCT).await;
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
    transfer(&api, &person, &seller).await;
    let proofs = (verified(&api, OTHER_EMAIL).await, verified(&api, EMAIL).await);
    let body = json!({"name": "Quartermain", "address": "78 Nightingale Crescent", "email": OTHER_EMAIL,
        "verification_token": proofs.0, "current_verification_token": proofs.1});
    person.patch("/me").json(&body).want(200).await;
    api.post("/auth/password-reset").json(&json!({"email": OTHER_EMAIL})).want(202).await;
    let body = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
    person.call(Method::PUT, "/api/v1/me/password").json(&body).want(204).await;
    // Bodies that are refused must not end up in a log either.
    api.post("/auth/signup").json(&json!({"email": EMAIL, "password": PASSWORD, "zebulon": true})).want(422).await;
    let person = api.log_in(OTHER_EMAIL, NEW_PASSWORD).await;
    let told = protect(&person).await;
    (person, told)
}

/// Turns the second factor on.
async fn protect(person: &Api) -> Told {
    let begun = person.post("/me/second-factor").json(&json!({"password": NEW_PASSWORD})).want(201).await;
    let secret = begun["secret"].as_str().expect("a secret").to_owned();
    let body = json!({"code": totp(&secret)});
    let codes = person.post("/me/second-factor/confirm").json(&body).want(200).await["recovery_codes"].clone();
    Told { secret, recovery: serde_json::from_value(codes).expect("codes") }
}

/// The person pays by bank transfer, twice, and one of the two goes back.
async fn transfer(api: &Api, person: &Api, seller: &Api) {
    let paid = seller.sell(&ticket(PRODUCT), &json!({"price": 5_000, "stock": 10})).await;
    for key in ["kept", "back"] {
        let order = person.order(key, &paid, 1).await.expect("an answer").want(201);
        let order = order["order_id"].as_str().expect("an id").to_owned();
        let body = json!({"order_id": order, "bank": "88", "depositor_name": "Deirdre Depositor",
            "refund_account": {"bank": "20", "account_number": "1002-998-877665", "holder_name": "Hortensia Holder"},
            "cash_receipt": {"type": "deduction", "number": "010-5566-7788"}});
        person.post("/payments/virtual-accounts").key(key).json(&body).want(201).await;
        api.deposit_at_sandbox(&order).await.expect("an answer").want(200);
        let receipt = async |state: &str| {
            until(format!("the receipt is {state}"), SOON, async || {
                let payment = person.payment_of(&order).await.expect("an answer").want(200);
                assert_eq!(payment["virtual_account"]["depositor_name"], "Deirdre Depositor", "{payment}");
                if payment["cash_receipt"]["state"] == state { Ok(()) } else { Err(payment) }
            })
            .await;
        };
        receipt("ISSUED").await;
        if key == "back" {
            person.cancel(key, &order).await.expect("an answer").want(200);
            receipt("CANCELED").await;
        }
    }
}

async fn verified(api: &Api, email: &str) -> Value {
    // One that is used up may be there already.
    let before = api.newest_code(email).await;
    api.post("/auth/email-codes").json(&json!({"email": email})).want(202).await;
    let code = until(format!("a new code for {email}"), SOON, async || {
        api.newest_code(email).await.filter(|code| Some(code) != before.as_ref())
    });
    let body = json!({"email": email, "code": code.await});
    api.post("/auth/email-codes/verify").json(&body).want(200).await["verification_token"].clone()
}

/// Everything under a folder, by its path there, and what it holds, in lower case. What cannot be read fails: nobody knows
/// what is in it. Only what is gone again is gone.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        let Some(entries) = unless_gone(&next, fs::read_dir(&next)) else { continue };
        for path in entries.map(|entry| entry.expect("a folder that can be read").path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file()
                && let Some(bytes) = unless_gone(&path, fs::read(&path))
            {
                let name = path.strip_prefix(folder).expect("it is in there").display().to_string();
                found.push((name, bytes.to_ascii_lowercase()));
            }
        }
    }
    found
}

fn unless_gone<T>(path: &Path, read: io::Result<T>) -> Option<T> {
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        read => Some(read.unwrap_or_else(|error| panic!("{}: {error}", path.display()))),
    }
}

/// Where a text is, whatever the case of its letters.
fn places<'a>(found: &'a [(String, Vec<u8>)], text: &str) -> Vec<&'a str> {
    let text = text.to_ascii_lowercase();
    let finder = Finder::new(&text);
    found.iter().filter(|(_, bytes)| finder.find(bytes).is_some()).map(|(name, _)| name.as_str()).collect()
}

/// What the shop says of itself.
pub(crate) async fn metrics(api: &Api) -> Vec<u8> {
    let metrics = api.call(Method::GET, "/metrics").send().await.expect("metrics");
    assert_eq!(metrics.status, 200, "{metrics}");
    metrics.bytes.to_ascii_lowercase()
}

/// Searches a folder, and what the shop says of itself. Of each part of the folder, named by how its paths begin, it is said
/// what the shop has written there that is no secret: that is found, so what is secret would be as well.
pub(crate) fn search(folder: &Path, known: &[(&str, &str)], metrics: Vec<u8>, told: &Told) {
    let mut found = files(folder);
    for (part, text) in known {
        let places = places(&found, text);
        assert!(
            places.iter().any(|place| place.starts_with(part)),
            "the search does not find {text} in {part}: {places:?}"
        );
    }
    found.push(("/metrics".to_owned(), metrics));
    for secret in SECRETS.map(str::to_owned).into_iter().chain(told.secrets()) {
        assert_eq!(places(&found, &secret), Vec::<&str>::new(), "{secret}");
    }
}

/// Searches everything that a shop in one process has.
async fn search_shop(shop: &Shop, told: &Told) {
    let metrics = metrics(&shop.api()).await;
    let known = [("data/catalog.db", PRODUCT), ("data/vouchers.db", PRODUCT), ("log", "is open")];
    search(shop.scratch(), &known, metrics, told);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn privacy_nothing_personal_can_be_read_in_files_logs_and_metrics() {
    let mut shop = Shop::start().await;
    let (person, told) = live(&shop).await;
    search_shop(&shop, &told).await;
    // E-mails that wait, because the mail server is away.
    let away = MailServer::prepare(Encryption::None);
    shop.stop().await;
    shop.options.environment = away.environment();
    shop.start_again().await;
    for path in ["/auth/email-codes", "/auth/password-reset"] {
        shop.api().post(path).json(&json!({"email": OTHER_EMAIL})).want(202).await;
    }
    search_shop(&shop, &told).await;
    person.delete("/me").want(204).await;
    person.get("/me").want(401).await;
    shop.audit().ok();
    shop.kill();
    shop.start_again().await;
    search_shop(&shop, &told).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn privacy_keys_change_while_the_shop_runs() {
    let mut shop = Shop::start().await;
    let (person, mut told) = live(&shop).await;
    let (me, devices) = (person.get("/me").want(200).await, person.sessions().await);
    let rotate = |shop: &Shop| shop.run(&["keys", "rotate", "--delay", "5"], "");
    assert!(rotate(&shop).ok().contains("data-2.key"));
    let refused = rotate(&shop);
    assert!(refused.code == Some(2) && refused.err.contains("key 2 is there already"), "{refused:?}");
    // Killed on the way, it goes on where it was.
    shop.kill();
    shop.start_again().await;
    let done = |status: &str| status.lines().any(|line| line.contains("data-1.key") && line.contains("not needed"));
    until("nothing is sealed with the first key", SOON, async || {
        assert_eq!(person.get("/me").want(200).await, me);
        let status = shop.run(&["keys", "status"], "").ok();
        if done(&status) { Ok(()) } else { Err(status) }
    })
    .await;
    shop.stop().await;
    fs::remove_file(shop.data().join("keys/data-1.key")).expect("it is there");
    shop.start_again().await;
    assert_eq!((person.get("/me").want(200).await, person.sessions().await), (me, devices));
    let body = json!({"email": OTHER_EMAIL, "password": NEW_PASSWORD, "code": told.unused()});
    shop.api().post("/auth/login").json(&body).want(200).await;
    search_shop(&shop, &told).await;
}
