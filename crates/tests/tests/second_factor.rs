//! The second factor in a running shop: across a crash, and written down where an operator takes it off.

use firstcome_tests::{Api, PASSWORD, Shop, Storefront as _, totp, totp_later};
use serde_json::{Value, json};

/// Who has a second factor.
pub(crate) const KIM: &str = "night@shop.test";

pub(crate) async fn log_in(api: &Api, code: &str) -> firstcome_tests::Answer {
    let body = json!({"email": KIM, "password": PASSWORD, "code": code});
    api.post("/auth/login").json(&body).send().await.expect("an answer")
}

/// Turns it on. Returns the secret and the recovery codes.
pub(crate) async fn protect(person: &Api) -> (String, Value) {
    let begun = person.post("/me/second-factor").json(&json!({"password": PASSWORD})).want(201).await;
    let secret = begun["secret"].as_str().expect("a secret").to_owned();
    let code = json!({"code": totp(&secret)});
    let codes = person.post("/me/second-factor/confirm").json(&code).want(200).await;
    (secret, codes["recovery_codes"].clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_factor_outlives_a_crash_and_an_operator_takes_it_off() {
    let mut shop = Shop::start().await;
    let person = shop.account("seller", KIM).await;
    let (secret, recovery) = protect(&person).await;
    shop.kill();
    shop.start_again().await;
    let api = shop.api();
    let body = json!({"email": KIM, "password": PASSWORD});
    api.post("/auth/login").json(&body).send().await.expect("an answer").problem(401, "second_factor_required");
    let next = totp_later(&secret, 1);
    log_in(&api, &next).await.want(200);
    log_in(&api, &next).await.problem(401, "second_factor_wrong");
    log_in(&api, recovery[0].as_str().expect("a code")).await.want(200);
    log_in(&api, recovery[0].as_str().expect("a code")).await.problem(401, "second_factor_wrong");

    let operator = shop.account("operator", "day@shop.test").await;
    let account = person.get("/me").want(200).await["user_id"].as_str().expect("an id").to_owned();
    operator.post(&format!("/admin/accounts/{account}/second-factor/reset")).want(204).await;
    person.get("/me").want(401).await;
    let actions = operator.get("/admin/actions?role=accounts").want(200).await;
    let action = &actions["items"][0];
    assert_eq!(action["action"], "POST /admin/accounts/{id}/second-factor/reset");
    assert_eq!(action["object"], json!(account));
    api.log_in(KIM, PASSWORD).await;
    shop.audit().ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_may_ask_its_staff_for_a_second_factor() {
    let mut shop = Shop::start().await;
    let seller = shop.seller().await;
    seller.get("/admin/products").want(200).await;
    shop.stop().await;
    shop.options.environment = vec![("FIRSTCOME_ACCOUNTS_SECOND_FACTOR".into(), "staff".into())];
    shop.start_again().await;
    let seller = shop.account("seller", KIM).await;
    seller.get("/admin/products").send().await.expect("an answer").problem(403, "forbidden");
    let (secret, _) = protect(&seller).await;
    let tokens = log_in(&shop.api(), &totp_later(&secret, 1)).await.want(200);
    let seller = seller.with_token(tokens["access_token"].as_str().expect("a token"));
    seller.get("/admin/products").want(200).await;
}
