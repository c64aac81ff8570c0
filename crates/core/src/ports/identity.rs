//! The provider that checks who somebody is, with their telephone company or bank.

use async_trait::async_trait;

use super::PortError;
use crate::ids::IdentityCheckId;

/// What the provider says of a check.
#[derive(Clone, PartialEq, Eq)]
pub enum IdentityAnswer {
    /// The person has not finished it, or not begun.
    Waiting,
    /// It is who they say.
    Verified {
        /// What is the same for one person at every check and at no other person's: in Korea the connecting information (CI).
        /// Personal: never stored, never logged.
        person: String,
    },
    /// The person failed it for good; another check may be begun.
    Failed,
}

/// Checks who somebody is. Reading may be repeated; an error says nothing about the check.
#[async_trait]
pub trait IdentityProvider: Send + Sync + 'static {
    /// Where the person goes to be checked, and `back` afterwards.
    fn page(&self, check: IdentityCheckId, back: &str) -> String;
    /// What came of a check.
    async fn ask(&self, check: IdentityCheckId) -> Result<IdentityAnswer, PortError>;
}
