//! Who is written to about what concerns them.

use super::Accounts;
use super::admin::LOAD_DOMAIN;
use super::records::User;

impl Accounts {
    /// Where e-mails to somebody go; none for the buyers of load tools, and where the address cannot be opened: all others
    /// are written to all the same.
    pub(super) fn written_to(&self, user: &User) -> Option<String> {
        match user.email(&self.ports.keys.sealer()) {
            Ok(email) => (!email.ends_with(&format!("@{LOAD_DOMAIN}"))).then_some(email),
            Err(error) => {
                tracing::warn!(user = %user.id, %error, "somebody is not written to: their e-mail address cannot be opened");
                None
            }
        }
    }
}
