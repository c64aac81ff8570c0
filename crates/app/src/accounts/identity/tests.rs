use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use firstcome_core::ids::IdentityCheckId;
use firstcome_core::ports::{IdentityAnswer, IdentityProvider, PortError};
use parking_lot::Mutex;
use serde_json::json;

use super::super::Options;
use super::super::testing::{Answer, Device, TestApp};
use super::IdentityChecks;

const PATH: &str = "/api/v1/me/identity";
const DAY: Duration = Duration::from_hours(24);

/// A provider that says what it is told to.
#[derive(Default)]
struct Provider {
    answers: Mutex<HashMap<String, IdentityAnswer>>,
    is_away: Mutex<bool>,
}

#[async_trait]
impl IdentityProvider for Provider {
    fn page(&self, check: IdentityCheckId, back: &str) -> String {
        format!("https://provider.example/{check}?{back}")
    }

    async fn ask(&self, check: IdentityCheckId) -> Result<IdentityAnswer, PortError> {
        if *self.is_away.lock() {
            return Err(PortError::Unavailable("away".to_owned()));
        }
        Ok(self.answers.lock().get(&check.to_string()).cloned().unwrap_or(IdentityAnswer::Waiting))
    }
}

struct Desk {
    app: TestApp,
    provider: Arc<Provider>,
}

impl Desk {
    async fn open() -> Self {
        let provider = Arc::new(Provider::default());
        let identity = IdentityChecks { provider: Some(provider.clone()), ..IdentityChecks::default() };
        let app = TestApp::new().await.configured(Options { identity, ..Options::default() }).await;
        Self { app, provider }
    }

    async fn person(&self, email: &str) -> Device {
        self.app.sign_up(email).await;
        self.app.log_in(email).await
    }

    async fn begin(&self, device: &Device) -> String {
        let body = json!({ "return_url": "https://shop.example/account" });
        let begun = self.app.post(PATH, Some(&device.access), &body).await;
        assert_eq!(begun.status, 201, "{}", begun.text);
        let check = begun.body["check_id"].as_str().unwrap().to_owned();
        assert_eq!(begun.body["url"], format!("https://provider.example/{check}?https://shop.example/account"));
        check
    }

    fn says(&self, check: String, answer: IdentityAnswer) {
        self.provider.answers.lock().insert(check, answer);
    }

    async fn confirm(&self, device: &Device) -> Answer {
        self.app.post(&format!("{PATH}/confirm"), Some(&device.access), &json!({})).await
    }

    async fn verify(&self, device: &Device, person: &str) -> Answer {
        let check = self.begin(device).await;
        self.says(check, IdentityAnswer::Verified { person: person.to_owned() });
        self.confirm(device).await
    }
}

#[tokio::test]
async fn it_is_verified_when_the_provider_says_so_and_the_person_is_kept_as_a_hash_only() {
    let desk = Desk::open().await;
    let kim = desk.person("kim@example.com").await;
    let view = desk.app.get(PATH, Some(&kim.access)).await.body;
    assert_eq!(view, json!({ "verified": false, "verified_at": null }));
    desk.confirm(&kim).await.is_problem(409, "wrong_state");
    let check = desk.begin(&kim).await;
    desk.confirm(&kim).await.is_problem(409, "wrong_state");
    *desk.provider.is_away.lock() = true;
    desk.confirm(&kim).await.is_problem(503, "unavailable");
    *desk.provider.is_away.lock() = false;
    desk.says(check, IdentityAnswer::Failed);
    desk.confirm(&kim).await.is_problem(409, "wrong_state");
    let verified = desk.verify(&kim, "connecting information").await;
    assert_eq!((verified.status, &verified.body["verified"]), (200, &json!(true)));
    assert_eq!(desk.confirm(&kim).await.body, verified.body);
    let again = desk.app.post(PATH, Some(&kim.access), &json!({ "return_url": "https://shop.example/" })).await;
    again.is_problem(409, "wrong_state");
    let told: Vec<_> = desk.app.records.events().into_iter().map(|event| event.kind).collect();
    assert_eq!(told.iter().filter(|kind| *kind == "user.identified").count(), 1);
    let bytes = desk.app.all_bytes().await;
    assert!(!bytes.windows(22).any(|window| window == b"connecting information"));
}

#[tokio::test]
async fn one_person_verifies_one_account_also_in_the_same_moment() {
    let desk = Desk::open().await;
    let (one, two) = (desk.person("one@example.com").await, desk.person("two@example.com").await);
    for device in [&one, &two] {
        let check = desk.begin(device).await;
        desk.says(check, IdentityAnswer::Verified { person: "kim".to_owned() });
    }
    let (first, second) = tokio::join!(desk.confirm(&one), desk.confirm(&two));
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    let refused = if first.status == 409 { first } else { second };
    refused.is_problem(409, "identity_in_use");
}

#[tokio::test]
async fn who_deletes_the_account_comes_back_later_but_not_at_once() {
    let desk = Desk::open().await;
    let kim = desk.person("kim@example.com").await;
    assert_eq!(desk.verify(&kim, "kim").await.status, 200);
    assert_eq!(desk.app.delete("/api/v1/me", Some(&kim.access)).await.status, 204);
    let kim = desk.person("kim@example.com").await;
    desk.verify(&kim, "kim").await.is_problem(409, "identity_in_use");
    desk.app.clock.advance(DAY * 29);
    desk.app.accounts().sweep().await.unwrap();
    let kim = desk.app.log_in("kim@example.com").await;
    desk.verify(&kim, "kim").await.is_problem(409, "identity_in_use");
    desk.app.clock.advance(DAY);
    let kim = desk.app.log_in("kim@example.com").await;
    assert_eq!(desk.verify(&kim, "kim").await.status, 200);
    desk.app.accounts().sweep().await.unwrap();
    let me = desk.app.get(PATH, Some(&kim.access)).await;
    assert_eq!(me.body["verified"], true);
}

#[tokio::test]
async fn odd_requests() {
    let desk = Desk::open().await;
    let kim = desk.person("kim@example.com").await;
    desk.app.get(PATH, None).await.is_problem(401, "unauthenticated");
    for body in [json!({}), json!({ "return_url": "javascript:alert(1)" }), json!({ "return_url": "/account" })] {
        desk.app.post(PATH, Some(&kim.access), &body).await.is_problem(422, "invalid_body");
    }
    let check = desk.begin(&kim).await;
    desk.says(check, IdentityAnswer::Verified { person: "kim".to_owned() });
    desk.app.clock.advance(Duration::from_hours(1));
    let kim = desk.app.log_in("kim@example.com").await;
    desk.confirm(&kim).await.is_problem(409, "wrong_state");
    let nobody = desk.app.configured(Options::default()).await;
    let begun = nobody.post(PATH, Some(&kim.access), &json!({ "return_url": "https://shop.example/" })).await;
    begun.is_problem(409, "wrong_state");
}
