//! Offers for people of whom it is verified who they are: one person, whatever accounts they have.

use std::net::SocketAddr;

use firstcome_tests::{Api, Shop, Storefront as _, ticket};
use hyper::Method;
use serde_json::{Value, json};

/// Begins a check. Returns its id and where the person goes.
pub(crate) async fn begin(shop: SocketAddr, person: &Api) -> (String, String) {
    let body = json!({"return_url": format!("http://{shop}/account")});
    let begun = person.post("/me/identity").json(&body).want(201).await;
    let text = |name: &str| begun[name].as_str().expect(name).to_owned();
    (text("check_id"), text("url"))
}

pub(crate) async fn confirm(person: &Api) -> firstcome_tests::Answer {
    person.post("/me/identity/confirm").send().await.expect("an answer")
}

/// The person passes the check, as tools say it.
pub(crate) async fn pass(api: &Api, check: &str, name: &str) {
    let body = json!({"identityVerificationId": check, "person": name});
    api.call(Method::POST, "/sandbox/identity/test/verifications").json(&body).want(200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_offer_for_verified_people_counts_them_by_person() {
    let mut shop = Shop::start().await;
    let conditions = json!([{"identity_verified": true}]);
    let offer = json!({"price": 0, "stock": 10, "limit_per_person": 1, "conditions": conditions});
    let offer = shop.seller().await.sell(&ticket("A show"), &offer).await;
    let one = shop.account("buyer", "one@shop.test").await;
    let two = shop.account("buyer", "two@shop.test").await;
    let shown = shop.api().get(&format!("/offers/{offer}")).want(200).await;
    assert_eq!(shown["conditions"], conditions, "it is said before");
    let refused = one.order("early", &offer, 1).await.expect("an answer").problem(403, "not_eligible");
    assert_eq!(refused["condition"], conditions[0]);

    // By the page, as a person does it.
    let (check, url) = begin(shop.address(), &one).await;
    confirm(&one).await.problem(409, "wrong_state");
    let page = shop.api().call(Method::GET, &url).send().await.expect("a page");
    assert!(page.status == 200 && String::from_utf8_lossy(&page.bytes).contains(&check), "{page}");
    let back = format!("http%3A%2F%2F{}%2Faccount", shop.address().to_string().replace(':', "%3A"));
    let form = format!("identityVerificationId={check}&redirectUrl={back}&person=Kim+Hana");
    let api = shop.api();
    let passed = api.call(Method::POST, "/sandbox/identity/check/pass").raw(form, "application/x-www-form-urlencoded");
    let passed = passed.send().await.expect("an answer");
    let location = passed.headers.get("location").and_then(|value| value.to_str().ok()).unwrap_or_default();
    assert_eq!(location, format!("http://{}/account?identityVerificationId={check}", shop.address()), "{passed}");
    assert_eq!(confirm(&one).await.want(200)["verified"], json!(true));
    one.order("mine", &offer, 1).await.expect("an answer").want(201);
    one.order("more", &offer, 1).await.expect("an answer").problem(409, "over_limit");

    // The same person in another account is refused, before and after a crash.
    let (check, _) = begin(shop.address(), &two).await;
    pass(&shop.api(), &check, "Kim Hana").await;
    confirm(&two).await.problem(409, "identity_in_use");
    shop.kill();
    shop.start_again().await;
    confirm(&two).await.problem(409, "identity_in_use");
    two.order("other", &offer, 1).await.expect("an answer").problem(403, "not_eligible");
    assert_eq!(one.get("/me/identity").want(200).await["verified"], Value::Bool(true));

    let (check, _) = begin(shop.address(), &two).await;
    pass(&shop.api(), &check, "Lee Dul").await;
    confirm(&two).await.want(200);
    two.order("mine", &offer, 1).await.expect("an answer").want(201);
    shop.audit().ok();
}
