//! What a gateway asks the accounts and no client can: which sessions ended lately.

use firstcome_core::ids::SessionId;
use firstcome_core::time::Time;
use serde::{Deserialize, Serialize};

/// Where the accounts are asked by gateways. No route of a gateway leads here.
pub const ENDED_SESSIONS: &str = "/internal/ended-sessions";

/// What is asked beside the page.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct EndedWithin {
    /// Sessions that ended in so many seconds before now.
    pub seconds: u64,
}

/// A session that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedSession {
    /// Which.
    pub session_id: SessionId,
    /// When the last access token of it expires.
    pub tokens_until: Time,
}
