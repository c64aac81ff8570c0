//! Rate limits that several processes share.

use std::time::Duration;

use async_trait::async_trait;

use super::PortError;

/// What was taken from a bucket of tokens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Taken {
    /// Whose bucket, for example of a user or an address.
    pub key: String,
    /// How many.
    pub tokens: u32,
    /// How many come back in a second; at least one.
    pub per_second: u32,
    /// How many there are at the most.
    pub burst: u32,
}

/// Buckets of tokens of all processes together.
#[async_trait]
pub trait SharedLimits: Send + Sync + 'static {
    /// Takes tokens that were granted already, also where there are none left, and says of each bucket, in order, for how
    /// long nothing more should be taken from it.
    async fn take(&self, taken: &[Taken]) -> Result<Vec<Duration>, PortError>;
}
