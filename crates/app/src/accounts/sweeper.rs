//! Looks after the role's database: removes what has expired.

use std::sync::Arc;
use std::time::Duration;

use firstcome_core::ports::PortError;
use firstcome_core::records::{Comparison, Field as _, Query, Record, RecordsExt as _, Stored, Unit};

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
            + self.forget_identities(BATCH).await?
            + self.sweep_erased(BATCH).await?)
    }

    async fn sweep_table<R: Record>(&self) -> Result<usize, PortError> {
        let now = self.ports.clock.now().to_value();
        let expired = Query::all(R::TABLE, BATCH).filter("expires_at", Comparison::AtMost(now));
        let expired = self.ports.records.list::<R>(expired).await?;
        self.remove_unchanged(&expired).await?;
        Ok(expired.len())
    }

    /// Removes rows that are still as they were read. If one is another by now all stay, to be looked at again.
    pub(super) async fn remove_unchanged<R: Record>(&self, rows: &[Stored<R>]) -> Result<(), PortError> {
        if !rows.is_empty() {
            // Updated before they are deleted: a change that came in between is noticed.
            let unit = rows.iter().fold(Unit::new(), |unit, row| unit.update(row).delete(&row.record));
            self.ports.records.commit(unit).await?;
        }
        Ok(())
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

    use firstcome_core::ids::{IdentityCheckId, UserId};
    use firstcome_core::ports::{Clock as _, Records as _};
    use firstcome_core::records::{Query, Record as _, RecordsExt as _, Stored, Unit};

    use crate::accounts::identity::IdentityCheck;
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

    #[tokio::test]
    async fn what_began_anew_since_it_was_read_stays() {
        let app = TestApp::new().await;
        let (owner, now) = (UserId([1; 16]), app.clock.now());
        let check = IdentityCheck { owner, check: IdentityCheckId([1; 16]), expires_at: now };
        app.records.commit(Unit::new().insert(&check)).await.unwrap();
        let read = app.records.list::<IdentityCheck>(Query::all(IdentityCheck::TABLE, 10)).await.unwrap();
        let anew =
            IdentityCheck { check: IdentityCheckId([2; 16]), expires_at: now + Duration::from_hours(1), ..check };
        let changed = Stored { record: anew.clone(), version: read[0].version };
        app.records.commit(Unit::new().update(&changed)).await.unwrap();
        let accounts = app.accounts();
        accounts.remove_unchanged(&read).await.unwrap();
        let left = app.records.load::<IdentityCheck>(owner).await.unwrap().unwrap();
        assert_eq!(left.record, anew);
        accounts.remove_unchanged(&[left]).await.unwrap();
        assert!(app.records.load::<IdentityCheck>(owner).await.unwrap().is_none());
    }
}
