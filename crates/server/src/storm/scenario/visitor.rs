//! Somebody who signs up and logs in: with an e-mail address that was never seen before, its code, a password, and that password again.

use serde_json::{Value, json};

use crate::storm::client::json::{Answer, Call};
use crate::storm::client::{ClientError, Connection};

const PASSWORD: &str = "first come, first served";

/// What came of a visit: nothing, or the answer that ended it.
pub(super) type Visit = Result<(), Answer>;

/// Signs up under this address and logs in.
pub(super) async fn visit(connection: &mut Connection, email: &str) -> Result<Visit, ClientError> {
    let asked = post(connection, "/api/v1/auth/email-codes", &json!({ "email": email })).await?;
    if asked.status != 202 {
        return Ok(Err(asked));
    }
    let mailbox = Call::get(&format!("/dev/mailbox?to={email}")).send(connection).await?;
    let Some(code) = mailbox.body["items"][0]["body"].as_str().and_then(code_in) else { return Ok(Err(mailbox)) };
    let verified =
        post(connection, "/api/v1/auth/email-codes/verify", &json!({ "email": email, "code": code })).await?;
    let Some(token) = verified.text("verification_token") else { return Ok(Err(verified)) };
    let person = json!({ "email": email, "password": PASSWORD, "name": "Storm Visitor", "verification_token": token });
    let signed_up = post(connection, "/api/v1/auth/signup", &person).await?;
    if signed_up.status != 201 {
        return Ok(Err(signed_up));
    }
    let logged_in = post(connection, "/api/v1/auth/login", &json!({ "email": email, "password": PASSWORD })).await?;
    Ok(if logged_in.text("access_token").is_some() { Ok(()) } else { Err(logged_in) })
}

async fn post(connection: &mut Connection, path: &str, body: &Value) -> Result<Answer, ClientError> {
    Call::post(path, body).send(connection).await
}

/// The code of an e-mail: digits on a line of their own.
fn code_in(mail: &str) -> Option<&str> {
    mail.lines().map(str::trim).find(|line| line.len() == 6 && line.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_stands_on_a_line_of_its_own() {
        assert_eq!(code_in("Hello 123456\n\n  042137\n\nWithin 5 minutes"), Some("042137"));
        assert_eq!(code_in("12345\n1234567"), None);
    }
}
