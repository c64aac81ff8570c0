//! Looks after the role's database: removes what has expired.

use std::sync::Arc;
use std::time::Duration;

use firstcome_core::ports::PortError;
use firstcome_core::records::{Comparison, Field as _, Query, Record, RecordsExt as _, Unit};

use super::Accounts;
use super::identity::IdentityCheck;
use super::records::{EmailCode, Session};
use crate::role::{Worker, WorkerFailed};

const INTERVAL: Duration = Duration::from_mins(1);
const BATCH: u32 = 500;

impl Accounts {
    /// Removes a batch of everything that has expired. Returns how many rows.
    pub(super) async fn sweep(&self) -> Result<usize, PortError> {
        self.attempts.clean();
        Ok(self.sweep_table::<EmailCode>().await?
            + self.sweep_table::<Session>().await?
            + self.sweep_table::<IdentityCheck>().await?
            + self.forget_identities(BATCH).await?)
    }

    async fn sweep_table<R: Record>(&self) -> Result<usize, PortError> {
        let now = self.ports.clock.now().to_value();
        let expired = Query::all(R::TABLE, BATCH).filter("expires_at", Comparison::AtMost(now));
        let expired = self.ports.records.list::<R>(expired).await?;
        if !expired.is_empty() {
            let unit = expired.iter().fold(Unit::new(), |unit, row| unit.delete(&row.record));
            self.ports.records.commit(unit).await?;
        }
        Ok(expired.len())
    }
}

/// Sweeps once a minute. What fails for a while is tried again then.
pub(super) fn worker(accounts: Arc<Accounts>) -> Worker {
    Worker::new("accounts-sweeper", move |stop| async move {
        while stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
            loop {
                match accounts.sweep().await {
                    Ok(0) => break,
                    Ok(_) if stop.is_cancelled() => break,
                    Ok(_) => {}
                    Err(error) if error.is_retryable() => {
                        tracing::warn!(%error, "what has expired is not removed yet");
                        break;
                    }
                    Err(error) => return Err(WorkerFailed(error.to_string())),
                }
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use firstcome_core::ports::Records as _;
    use firstcome_core::records::{Query, Record as _};

    use crate::accounts::records::User;
    use crate::accounts::testing::TestApp;

    #[tokio::test]
    async fn what_has_expired_goes_and_nothing_else() {
        let app = TestApp::new().await;
        app.sign_up("kim@example.com").await;
        app.log_in("kim@example.com").await;
        app.clock.advance(Duration::from_hours(1));
        let accounts = app.accounts();
        assert_eq!(accounts.sweep().await.unwrap(), 1);
        app.clock.advance(Duration::from_hours(30 * 24));
        assert_eq!(accounts.sweep().await.unwrap(), 1);
        assert_eq!(accounts.sweep().await.unwrap(), 0);
        assert_eq!(app.records.select(Query::all(User::TABLE, 10)).await.unwrap().len(), 1);
    }
}
