//! What every running shop can be asked, whether it is one process or many.

use serde_json::Value;

use crate::{Api, Finished};

/// The password of every account that a test makes.
pub const PASSWORD: &str = "a long enough password 7";

/// A running shop.
#[expect(async_fn_in_trait, reason = "tests wait for it where they call it")]
pub trait Storefront {
    /// A caller that is not logged in.
    fn api(&self) -> Api;

    /// Every way in, nobody logged in: buyers come through all of them.
    fn doors(&self) -> Vec<Api> {
        vec![self.api()]
    }

    /// Runs a command of the program on this shop's data.
    fn run(&self, arguments: &[&str], input: &str) -> Finished;

    /// Makes an account with these roles (`"seller"`, `"buyer,merchant"`) and logs it in.
    async fn account(&self, roles: &str, email: &str) -> Api {
        self.add_account(roles, email);
        self.api().log_in(email, PASSWORD).await
    }

    /// Makes an account without logging it in, also while the shop is stopped; returns its password.
    fn add_account(&self, roles: &str, email: &str) -> &'static str {
        self.run(&["account", "add", "--role", roles, "--email", email, "--password-stdin"], PASSWORD).ok();
        PASSWORD
    }

    /// A seller, logged in.
    async fn seller(&self) -> Api {
        self.account("seller", "seller@shop.test").await
    }

    /// A merchant, logged in.
    async fn merchant(&self) -> Api {
        self.account("merchant", "merchant@shop.test").await
    }

    /// New buyers, logged in.
    fn buyers(&self, count: usize) -> Vec<Api> {
        let printed = self.run(&["dev", "tokens", "--count", &count.to_string()], "").ok();
        let doors = self.doors();
        let buyers = printed.lines().zip(doors.iter().cycle()).map(|(token, door)| door.with_token(token.trim()));
        let buyers: Vec<Api> = buyers.collect();
        assert_eq!(buyers.len(), count, "one token per line: {printed}");
        buyers
    }

    /// The audit's verdict: its exit code is 0 only if all books agree.
    fn audit(&self) -> Finished {
        self.run(&["audit"], "")
    }

    /// The audit as JSON.
    fn audit_json(&self) -> Value {
        serde_json::from_str(&self.run(&["audit", "--format", "json"], "").out).expect("the audit prints JSON")
    }
}
