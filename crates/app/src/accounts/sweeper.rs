//! Looks after the role's database: checks at the start that the keys are its own, and removes what has expired.

use std::sync::Arc;
use std::time::Duration;

use firstcome_core::ports::PortError;
use firstcome_core::records::{Comparison, Field as _, Query, Record, RecordsExt as _, Unit};

use super::records::{EmailCode, Session, User};
use super::{Accounts, EmailAddress, SEALED};
use crate::role::{Worker, WorkerFailed};
use crate::secrets::oldest_key;

const INTERVAL: Duration = Duration::from_mins(1);
const BATCH: u32 = 500;

impl Accounts {
    /// Removes a batch of everything that has expired. Returns how many rows.
    async fn sweep(&self) -> Result<usize, PortError> {
        self.attempts.clean();
        Ok(self.sweep_table::<EmailCode>().await? + self.sweep_table::<Session>().await?)
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

impl Accounts {
    /// Whether an account that is there can be read and found with these keys. With others, new accounts would be added
    /// that the right keys could not read.
    async fn keys_fit(&self) -> Result<bool, PortError> {
        let users = self.ports.records.list::<User>(Query::all(User::TABLE, 1)).await?;
        let Some(user) = users.first() else { return Ok(true) };
        let Ok(person) = user.record.person(self.ports.records.as_ref(), &self.ports.keys).await else {
            return Ok(false);
        };
        let email = EmailAddress::try_from(person.email);
        let found = email.is_ok_and(|email| email.index(&self.ports.keys.index) == user.record.email_index);
        let oldest = oldest_key(self.ports.records.as_ref(), SEALED).await?;
        Ok(found && oldest.is_none_or(|oldest| self.ports.keys.sealer().numbers().contains(&oldest)))
    }
}

/// Checks, then sweeps once a minute. What fails for a while is tried again then.
pub(super) fn worker(accounts: Arc<Accounts>) -> Worker {
    Worker::new("accounts-sweeper", move |stop| async move {
        if let Ok(false) = accounts.keys_fit().await {
            let reason =
                "the accounts were encrypted with keys that are not there; put the folder `keys` back from a backup";
            return Err(WorkerFailed(reason.to_owned()));
        }
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
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::accounts::testing::TestApp;

    #[tokio::test]
    async fn other_keys_are_refused() {
        let app = TestApp::new().await;
        let stopped = CancellationToken::new();
        stopped.cancel();
        assert!(worker(app.accounts()).start(stopped.clone()).await.is_ok());
        app.sign_up("kim@example.com").await;
        assert!(worker(app.accounts()).start(stopped.clone()).await.is_ok());
        let others = app.with_other_keys().await;
        assert!(worker(others.accounts()).start(stopped).await.is_err());
    }

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
