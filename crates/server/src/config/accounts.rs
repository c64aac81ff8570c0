//! What the shop asks of the people who have accounts.

use serde::{Deserialize, Serialize};

/// Who needs a second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecondFactor {
    /// Whoever wants one.
    Optional,
    /// Sellers and operators.
    Staff,
}

/// Accounts.
#[derive(Debug, Clone, confique::Config, Serialize)]
pub struct Accounts {
    /// optional or staff. With staff, sellers and operators can only buy until they have set up a second factor.
    #[config(default = "optional", env = "FIRSTCOME_ACCOUNTS_SECOND_FACTOR")]
    pub second_factor: SecondFactor,
}
