//! Starting and ending sessions.

use firstcome_core::codes::ErrorCode;
use firstcome_core::events::RoleEvent;
use firstcome_core::ids::{SessionId, UserId};
use firstcome_core::ports::{Committed, PortError, random_bytes};
use firstcome_core::records::{Comparison, Query, Record as _, RecordsExt as _, Stored, Unit};
use firstcome_core::time::Time;

use super::Accounts;
use super::origin::Origin;
use super::records::{Session, User};
use super::tokens::{RefreshToken, Tokens};
use crate::http::{ClientAddress, Identity, Outcome, Problem, expiry};

/// Sessions that are ended in one commit.
const BATCH: u32 = 100;

impl Accounts {
    /// Logs a device in.
    pub(super) async fn start_session(
        &self,
        user: &User,
        device: Option<String>,
        address: ClientAddress,
    ) -> Outcome<Tokens> {
        let now = self.ports.clock.now();
        let random = self.ports.random.as_ref();
        let refresh = RefreshToken::first(SessionId::at(now, random_bytes(random)), random);
        let device = device.map(|device| device.trim().to_owned()).unwrap_or_default();
        let origin = Origin { device, address: Some(address.0) };
        let sealer = self.ports.keys.sealer();
        let session = Session {
            id: refresh.session,
            owner: user.id,
            device: String::new(),
            sealed_with: Some(sealer.key()),
            origin: Some(origin.seal(refresh.session, &sealer)),
            family: refresh.family_hash(),
            refresh: refresh.hash(),
            created_at: now,
            used_at: now,
            expires_at: now + self.options.session_lifetime,
            tokens_until: expiry(now, self.options.access_token_lifetime),
            ended_at: None,
        };
        match self.ports.records.commit(Unit::new().insert(&session)).await? {
            Committed::Done => {}
            Committed::Conflict(_) => return Err(PortError::Misused("a new session id was taken".to_owned()).into()),
        }
        // A password that was changed meanwhile has ended all sessions but this one, which it did not see yet.
        let known = self.ports.records.load::<User>(user.id).await?;
        if known.is_none_or(|known| known.record.password != user.password) {
            self.end_session(user.id, refresh.session).await?;
            return Err(Problem::new(ErrorCode::InvalidCredentials));
        }
        Ok(self.tokens(user, &refresh, now))
    }

    /// What a device gets.
    pub(super) fn tokens(&self, user: &User, refresh: &RefreshToken, now: Time) -> Tokens {
        let lifetime = self.options.access_token_lifetime;
        let identity = Identity { user: user.id, session: refresh.session, roles: user.roles, unlimited: false };
        Tokens {
            access_token: self.ports.keys.tokens.sign(&identity, now, lifetime),
            refresh_token: refresh.text(),
            token_type: "Bearer",
            expires_in: expiry(now, lifetime).since(now).as_secs_f64().round() as u64,
        }
    }

    /// Ends a session of this person, at once. False when they have no such session.
    pub(super) async fn end_session(&self, owner: UserId, id: SessionId) -> Result<bool, PortError> {
        loop {
            let session = self.ports.records.load::<Session>(id).await?;
            let Some(session) = session.filter(|session| session.record.owner == owner) else { return Ok(false) };
            if session.record.ended_at.is_some() || self.end(vec![session]).await? {
                return Ok(true);
            }
        }
    }

    /// Ends every session of this person.
    pub(super) async fn end_all_sessions(&self, owner: UserId) -> Result<(), PortError> {
        loop {
            let open = self.open_sessions(owner).await?;
            if open.is_empty() {
                return Ok(());
            }
            self.end(open).await?;
        }
    }

    /// Ends every session of this person in the same commit as something else; false when something has changed since it
    /// was read.
    pub(super) async fn end_all_sessions_with(&self, owner: UserId, unit: Unit) -> Result<bool, PortError> {
        let open = loop {
            let open = self.open_sessions(owner).await?;
            if open.len() < BATCH as usize {
                break open;
            }
            self.end(open).await?;
        };
        if !self.end_with(unit, open).await? {
            return Ok(false);
        }
        // One may have begun in between.
        self.end_all_sessions(owner).await?;
        Ok(true)
    }

    async fn open_sessions(&self, owner: UserId) -> Result<Vec<Stored<Session>>, PortError> {
        let open = Query::all(Session::TABLE, BATCH).is("owner", owner).filter("ended_at", Comparison::IsNull);
        self.ports.records.list::<Session>(open).await
    }

    /// Ends sessions in one commit; false when one of them has changed since it was read.
    pub(super) async fn end(&self, sessions: Vec<Stored<Session>>) -> Result<bool, PortError> {
        self.end_with(Unit::new(), sessions).await
    }

    /// Of an ended session nothing is kept but that it ended, for as long as one of its tokens could be used: gateways ask.
    async fn end_with(&self, mut unit: Unit, mut sessions: Vec<Stored<Session>>) -> Result<bool, PortError> {
        let now = self.ports.clock.now();
        for session in &mut sessions {
            let row = &mut session.record;
            row.ended_at = Some(now);
            row.expires_at = row.expires_at.min(row.tokens_until);
            (row.device, row.origin, row.sealed_with) = (String::new(), None, None);
            let Session { id, owner, tokens_until, .. } = session.record;
            unit =
                unit.update(session).event(&RoleEvent::SessionRevoked { session: id, user: owner, tokens_until }, now);
        }
        if self.ports.records.commit(unit).await? != Committed::Done {
            return Ok(false);
        }
        for session in &sessions {
            self.ports.revocations.revoke(session.record.id, session.record.tokens_until, now);
        }
        let told = sessions.iter().map(|session| {
            let Session { id, tokens_until, .. } = session.record;
            self.ports.revocations.tell(id, tokens_until)
        });
        futures_util::future::join_all(told).await;
        Ok(true)
    }
}
