//! Sign-up, log-in, sessions.

use hyper::Method;
use serde_json::{Value, json};

use super::{Answer, Api, NoAnswer};
use crate::until::{SOON, until};

impl Api {
    /// Signs up with the code from the development mailbox and logs in.
    pub async fn sign_up(&self, email: &str, password: &str) -> Self {
        self.post("/auth/email-codes").json(&json!({"email": email})).want(202).await;
        let code = self.mailed_code(email).await;
        let verified =
            self.post("/auth/email-codes/verify").json(&json!({"email": email, "code": code})).want(200).await;
        let token = &verified["verification_token"];
        let body = json!({"email": email, "password": password, "name": "Kim Buyer", "phone": "010-1234-5678",
            "address": "1 Sejong-daero, Seoul", "verification_token": token});
        self.post("/auth/signup").json(&body).want(201).await;
        self.log_in(email, password).await
    }

    /// The newest code mailed to this address, looked up in the development mailbox until it is there.
    pub async fn mailed_code(&self, email: &str) -> String {
        until(format!("a code for {email}"), SOON, async || self.newest_code(email).await).await
    }

    /// The newest code in the development mailbox for this address, if there is one.
    pub async fn newest_code(&self, email: &str) -> Option<String> {
        let path = format!("/dev/mailbox?to={}", email.replace('@', "%40").replace('+', "%2B"));
        six_digits(&self.call(Method::GET, &path).want(200).await)
    }

    /// The answer to a log-in: `access_token`, `refresh_token`, ...
    pub async fn tokens(&self, email: &str, password: &str) -> Result<Answer, NoAnswer> {
        self.anonymous().post("/auth/login").json(&json!({"email": email, "password": password})).send().await
    }

    /// Logs in.
    pub async fn log_in(&self, email: &str, password: &str) -> Self {
        let tokens = self.tokens(email, password).await.expect("an answer").want(200);
        self.with_token(tokens["access_token"].as_str().expect("an access token"))
    }

    /// Rotates a refresh token.
    pub async fn refresh(&self, token: &str) -> Result<Answer, NoAnswer> {
        self.anonymous().post("/auth/refresh").json(&json!({"refresh_token": token})).send().await
    }

    /// Ends this session.
    pub async fn log_out(&self) -> Result<Answer, NoAnswer> {
        self.post("/auth/logout").send().await
    }

    /// Ends every session of this person.
    pub async fn log_out_everywhere(&self) -> Result<Answer, NoAnswer> {
        self.post("/auth/logout-all").send().await
    }

    /// The devices that are logged in.
    pub async fn sessions(&self) -> Value {
        self.get("/me/sessions").want(200).await
    }
}

/// The six digits that stand alone in the first e-mail, which is the newest, that has any.
fn six_digits(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => text
            .split(|letter: char| !letter.is_ascii_alphanumeric())
            .find(|word| word.len() == 6 && word.bytes().all(|byte| byte.is_ascii_digit()))
            .map(str::to_owned),
        Value::Array(items) => items.iter().find_map(six_digits),
        Value::Object(fields) => fields.values().rev().find_map(six_digits),
        _ => None,
    }
}
