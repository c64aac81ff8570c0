use std::time::Duration;

use firstcome_core::ids::UserId;
use firstcome_core::records::RecordsExt as _;
use serde_json::{Value, json};

use super::super::testing::{Answer, Device, PASSWORD, TestApp};
use super::super::{Options, totp};
use super::SecondFactor;
use crate::http::{AccountRole, Roles};

const PATH: &str = "/api/v1/me/second-factor";
const LOG_IN: &str = "/api/v1/auth/login";
const KIM: &str = "kim@example.com";
const STEP: Duration = Duration::from_secs(30);

/// Somebody with a second factor.
struct Owner {
    device: Device,
    secret: Vec<u8>,
    recovery: Vec<String>,
}

impl TestApp {
    /// The code that the app shows now.
    fn shown(&self, secret: &[u8]) -> String {
        use firstcome_core::ports::Clock as _;
        totp::code_of(secret, self.clock.now().as_secs() / 30)
    }

    async fn begin(&self, device: &Device) -> Vec<u8> {
        let begun = self.post(PATH, Some(&device.access), &json!({ "password": PASSWORD })).await;
        assert_eq!(begun.status, 201, "{}", begun.text);
        totp::from_text(begun.body["secret"].as_str().unwrap()).unwrap()
    }

    async fn protect(&self, device: Device) -> Owner {
        let secret = self.begin(&device).await;
        let code = json!({ "code": self.shown(&secret) });
        let on = self.post(&format!("{PATH}/confirm"), Some(&device.access), &code).await;
        assert_eq!(on.status, 200, "{}", on.text);
        let recovery = serde_json::from_value(on.body["recovery_codes"].clone()).unwrap();
        self.clock.advance(STEP);
        Owner { device, secret, recovery }
    }

    async fn owner(&self) -> Owner {
        self.sign_up(KIM).await;
        let device = self.log_in(KIM).await;
        self.protect(device).await
    }

    async fn log_in_with(&self, code: &str) -> Answer {
        self.post(LOG_IN, None, &json!({ "email": KIM, "password": PASSWORD, "code": code })).await
    }

    async fn state(&self, device: &Device) -> Value {
        self.get(PATH, Some(&device.access)).await.body
    }
}

#[tokio::test]
async fn it_counts_once_it_is_confirmed_and_ends_the_other_sessions() {
    let app = TestApp::new().await;
    app.sign_up(KIM).await;
    let (phone, laptop) = (app.log_in(KIM).await, app.log_in(KIM).await);
    let off = json!({ "enabled": false, "required": false, "enabled_at": null, "recovery_codes_left": 0 });
    assert_eq!(app.state(&phone).await, off);
    app.begin(&phone).await;
    assert_eq!(app.state(&phone).await, off);
    app.log_in(KIM).await;
    let owner = app.protect(phone).await;
    let on = app.state(&owner.device).await;
    assert_eq!((&on["enabled"], &on["recovery_codes_left"]), (&json!(true), &json!(10)));
    app.get("/api/v1/me", Some(&laptop.access)).await.is_problem(401, "unauthenticated");
    assert!(app.refresh(&laptop.refresh).await.is_none() && app.refresh(&owner.device.refresh).await.is_some());
    assert!(app.mailbox.newest(KIM).unwrap().contains("authentication is on"));
    app.post(LOG_IN, None, &json!({ "email": KIM, "password": PASSWORD }))
        .await
        .is_problem(401, "second_factor_required");
    app.post(LOG_IN, None, &json!({ "email": KIM, "password": "wrong", "code": app.shown(&owner.secret) }))
        .await
        .is_problem(401, "invalid_credentials");
    assert_eq!(app.log_in_with(&app.shown(&owner.secret)).await.status, 200);
    let again = app.post(PATH, Some(&owner.device.access), &json!({ "password": PASSWORD })).await;
    again.is_problem(409, "wrong_state");
}

#[tokio::test]
async fn a_code_is_used_once_also_by_twins_and_in_another_process() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let other = app.another_process().await;
    let code = app.shown(&owner.secret);
    let all = tokio::join!(app.log_in_with(&code), other.log_in_with(&code), app.log_in_with(&code));
    let mut statuses = [all.0.status, all.1.status, all.2.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401, 401]);
    other.log_in_with(&code).await.is_problem(401, "second_factor_wrong");
    app.clock.advance(STEP);
    // The one before is older than one that was used.
    app.log_in_with(&code).await.is_problem(401, "second_factor_wrong");
    assert_eq!(other.log_in_with(&app.shown(&owner.secret)).await.status, 200);
}

#[tokio::test]
async fn a_recovery_code_gets_in_once_and_is_nowhere_in_readable_form() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let twin = owner.recovery[0].to_uppercase().replace('-', " ");
    let (one, two) = tokio::join!(app.log_in_with(&owner.recovery[0]), app.log_in_with(&twin));
    assert_eq!(one.status.min(two.status), 200);
    assert_eq!(one.status.max(two.status), 401);
    assert_eq!(app.state(&owner.device).await["recovery_codes_left"], 9);
    let both = |code: &str| json!({ "password": PASSWORD, "code": code });
    let path = format!("{PATH}/recovery-codes");
    let new = app.post(&path, Some(&owner.device.access), &both(&owner.recovery[1])).await;
    assert_eq!((new.status, new.body["recovery_codes"].as_array().unwrap().len()), (200, 10));
    app.log_in_with(&owner.recovery[2]).await.is_problem(401, "second_factor_wrong");
    let bytes = app.all_bytes().await;
    for secret in [&totp::to_text(&owner.secret), &owner.recovery[3], &owner.recovery[3].replace('-', "")] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }
    assert!(!bytes.windows(owner.secret.len()).any(|window| window == owner.secret));
}

#[tokio::test]
async fn a_new_password_does_not_get_around_it() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    app.post("/api/v1/auth/password-reset", None, &json!({ "email": KIM })).await;
    let new = json!({ "email": KIM, "code": app.code(KIM), "password": "a new long password" });
    assert_eq!(app.post("/api/v1/auth/password-reset/confirm", None, &new).await.status, 204);
    let mut body = json!({ "email": KIM, "password": "a new long password" });
    app.post(LOG_IN, None, &body).await.is_problem(401, "second_factor_required");
    body["code"] = json!(app.shown(&owner.secret));
    assert_eq!(app.post(LOG_IN, None, &body).await.status, 200);
}

#[tokio::test]
async fn whoever_guesses_is_slowed_down_and_the_owner_is_told() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    for number in 0..6 {
        app.log_in_with(&format!("00000{number}")).await.is_problem(401, "second_factor_wrong");
    }
    assert!(app.mailbox.newest(KIM).unwrap().contains("wrong codes"));
    let refused = app.log_in_with(&app.shown(&owner.secret)).await;
    refused.is_problem(429, "rate_limited");
    // A right password forgives nothing, nor does a new one.
    app.post(LOG_IN, None, &json!({ "email": KIM, "password": PASSWORD }))
        .await
        .is_problem(401, "second_factor_required");
    app.post("/api/v1/auth/password-reset", None, &json!({ "email": KIM })).await;
    let same = json!({ "email": KIM, "code": app.code(KIM), "password": PASSWORD });
    assert_eq!(app.post("/api/v1/auth/password-reset/confirm", None, &same).await.status, 204);
    app.log_in_with(&app.shown(&owner.secret)).await.is_problem(429, "rate_limited");
    let wait = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    app.clock.advance(Duration::from_secs(wait));
    assert_eq!(app.log_in_with(&app.shown(&owner.secret)).await.status, 200);
}

#[tokio::test]
async fn it_is_turned_off_with_both_factors() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let path = format!("{PATH}/disable");
    let off = async |password: &str, code: &str| {
        app.post(&path, Some(&owner.device.access), &json!({ "password": password, "code": code })).await
    };
    off("wrong", &app.shown(&owner.secret)).await.is_problem(401, "invalid_credentials");
    off(PASSWORD, "000000").await.is_problem(401, "second_factor_wrong");
    let code = app.shown(&owner.secret);
    let twins = tokio::join!(off(PASSWORD, &code), off(PASSWORD, &code));
    assert_eq!(twins.0.status.min(twins.1.status), 204);
    assert_ne!(twins.0.status, twins.1.status);
    assert!(app.mailbox.newest(KIM).unwrap().contains("authentication is off"));
    off(PASSWORD, &code).await.is_problem(409, "wrong_state");
    app.log_in(KIM).await;
}

#[tokio::test]
async fn an_operator_lets_in_who_has_lost_everything_but_nobody_else_does() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let role = |role| Roles::default().with(role);
    let seller = app.staff("seller@example.com", role(AccountRole::Seller)).await;
    let operator = app.staff("night@example.com", role(AccountRole::Operator)).await;
    let kim = app.user_of(&owner.device).await.to_string();
    let reset = async |who: &Device, whose: &str| {
        app.post(&format!("/api/v1/admin/accounts/{whose}/second-factor/reset"), Some(&who.access), &json!({})).await
    };
    reset(&owner.device, &kim).await.is_problem(403, "forbidden");
    reset(&seller, &kim).await.is_problem(403, "forbidden");
    reset(&operator, &UserId([9; 16]).to_string()).await.is_problem(404, "not_found");
    assert_eq!(reset(&operator, &kim).await.status, 204);
    reset(&operator, &kim).await.is_problem(409, "wrong_state");
    app.get("/api/v1/me", Some(&owner.device.access)).await.is_problem(401, "unauthenticated");
    assert!(app.mailbox.newest(KIM).unwrap().contains("operator"));
    app.log_in(KIM).await;
    let operator = app.protect(operator).await;
    let own = app.user_of(&operator.device).await.to_string();
    reset(&operator.device, &own).await.is_problem(409, "wrong_state");
}

#[tokio::test]
async fn staff_of_a_shop_that_asks_for_it_sells_nothing_without() {
    let app = TestApp::new().await;
    let seller = app.staff("seller@example.com", Roles::default().with(AccountRole::Seller)).await;
    let strict = app.configured(Options { second_factor_of_staff: true, ..Options::default() }).await;
    let may_sell = |device: &Device| {
        use firstcome_core::ports::Clock as _;
        let token = app.keys.tokens.verify(device.access.as_bytes(), app.clock.now()).expect("a token");
        token.identity.roles.contains(AccountRole::Seller)
    };
    assert!(may_sell(&seller));
    let seller = strict.refresh(&seller.refresh).await.unwrap();
    assert!(!may_sell(&seller) && !may_sell(&strict.log_in("seller@example.com").await));
    assert_eq!(strict.state(&seller).await["required"], true);
    let owner = strict.protect(seller).await;
    assert!(may_sell(&strict.refresh(&owner.device.refresh).await.unwrap()));
}

#[tokio::test]
async fn it_goes_with_the_account() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let user = app.user_of(&owner.device).await;
    assert!(app.records.load::<SecondFactor>(user).await.unwrap().is_some());
    assert_eq!(app.delete("/api/v1/me", Some(&owner.device.access)).await.status, 204);
    assert!(app.records.load::<SecondFactor>(user).await.unwrap().is_none());
}

#[tokio::test]
async fn odd_requests() {
    let app = TestApp::new().await;
    app.sign_up(KIM).await;
    let device = app.log_in(KIM).await;
    let token = Some(device.access.as_str());
    app.get(PATH, None).await.is_problem(401, "unauthenticated");
    app.post(PATH, token, &json!({ "password": "wrong" })).await.is_problem(401, "invalid_credentials");
    let confirm = format!("{PATH}/confirm");
    app.post(&confirm, token, &json!({ "code": "123456" })).await.is_problem(409, "wrong_state");
    app.begin(&device).await;
    for code in ["123456", "", "aaaaa-bbbbb"] {
        app.post(&confirm, token, &json!({ "code": code })).await.is_problem(401, "second_factor_wrong");
    }
    for body in [json!({}), json!({ "code": 123_456 }), json!({ "code": "1".repeat(33) }), json!([])] {
        app.post(&confirm, token, &body).await.is_problem(422, "invalid_body");
    }
    let both = json!({ "password": PASSWORD, "code": "123456" });
    for path in ["disable", "recovery-codes"] {
        app.post(&format!("{PATH}/{path}"), token, &both).await.is_problem(409, "wrong_state");
    }
}
