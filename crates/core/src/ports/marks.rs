//! Log-outs, told to every process at once.

use async_trait::async_trait;

use super::PortError;
use crate::ids::SessionId;
use crate::time::Time;

/// Which sessions ended in the last minutes. Only makes faster what the `accounts` topic says: what is forgotten here is
/// there.
#[async_trait]
pub trait SessionMarks: Send + Sync + 'static {
    /// The session ended; its tokens hold until then.
    async fn mark(&self, session: SessionId, tokens_until: Time) -> Result<(), PortError>;
    /// What was marked since `after`, and what to ask after the next time. 0 asks for all; some may come twice.
    async fn marked(&self, after: i64) -> Result<(Vec<(SessionId, Time)>, i64), PortError>;
}
