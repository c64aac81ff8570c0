//! Ending sessions: a log-out, a new password, an account that goes; by a request, or by the command line.

use firstcome_core::events::RoleEvent;
use firstcome_core::ids::{SessionId, UserId};
use firstcome_core::ports::{Clock, Committed, PortError, Records};
use firstcome_core::records::{Comparison, Query, Record as _, RecordsExt as _, Stored, Unit};

use super::records::Session;
use crate::http::Revocations;

/// Sessions that are ended in one commit.
const BATCH: u32 = 100;

/// What it takes.
pub(super) struct Endings<'a> {
    pub(super) records: &'a dyn Records,
    pub(super) clock: &'a dyn Clock,
    pub(super) revocations: &'a Revocations,
}

impl Endings<'_> {
    /// Ends every session of this person, but for one that is to go on.
    pub(super) async fn all(&self, owner: UserId, but: Option<SessionId>) -> Result<(), PortError> {
        loop {
            let open = self.open(owner, but).await?;
            if open.is_empty() {
                return Ok(());
            }
            self.these(open).await?;
        }
    }

    /// The same, in the same commit as something else; false when something has changed since it was read.
    pub(super) async fn all_with(&self, owner: UserId, but: Option<SessionId>, unit: Unit) -> Result<bool, PortError> {
        let open = loop {
            let open = self.open(owner, but).await?;
            if open.len() < BATCH as usize {
                break open;
            }
            self.these(open).await?;
        };
        if !self.these_with(unit, open).await? {
            return Ok(false);
        }
        // One may have begun in between.
        self.all(owner, but).await?;
        Ok(true)
    }

    async fn open(&self, owner: UserId, but: Option<SessionId>) -> Result<Vec<Stored<Session>>, PortError> {
        // One more, for the one that goes on.
        let open = Query::all(Session::TABLE, BATCH + 1).is("owner", owner).filter("ended_at", Comparison::IsNull);
        let mut open = self.records.list::<Session>(open).await?;
        open.retain(|session| Some(session.record.id) != but);
        open.truncate(BATCH as usize);
        Ok(open)
    }

    /// Ends sessions in one commit; false when one of them has changed since it was read.
    pub(super) async fn these(&self, sessions: Vec<Stored<Session>>) -> Result<bool, PortError> {
        self.these_with(Unit::new(), sessions).await
    }

    /// Of an ended session nothing is kept but that it ended, for as long as one of its tokens could be used: gateways ask.
    async fn these_with(&self, mut unit: Unit, mut sessions: Vec<Stored<Session>>) -> Result<bool, PortError> {
        let now = self.clock.now();
        for session in &mut sessions {
            let row = &mut session.record;
            row.ended_at = Some(now);
            row.expires_at = row.expires_at.min(row.tokens_until);
            (row.device, row.origin, row.sealed_with) = (String::new(), None, None);
            let Session { id, owner, tokens_until, .. } = session.record;
            unit =
                unit.update(session).event(&RoleEvent::SessionRevoked { session: id, user: owner, tokens_until }, now);
        }
        if self.records.commit(unit).await? != Committed::Done {
            return Ok(false);
        }
        for session in &sessions {
            self.revocations.revoke(session.record.id, session.record.tokens_until, now);
        }
        let told = sessions.iter().map(|session| {
            let Session { id, tokens_until, .. } = session.record;
            self.revocations.tell(id, tokens_until)
        });
        futures_util::future::join_all(told).await;
        Ok(true)
    }
}
