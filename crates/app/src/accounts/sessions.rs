//! Starting and ending sessions.

use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::{SessionId, UserId};
use firstcome_core::ports::{Committed, PortError, random_bytes};
use firstcome_core::records::{RecordsExt as _, Stored, Unit};
use firstcome_core::time::Time;

use super::endings::Endings;
use super::origin::Origin;
use super::records::{Session, User};
use super::tokens::{RefreshToken, Tokens};
use super::{Accounts, Ports};
use crate::http::{ClientAddress, Identity, Outcome, Problem, expiry};

impl Accounts {
    /// Logs a device in, of somebody whose password was right. `has_proved` says that a second factor was too.
    pub(super) async fn start_session(
        &self,
        user: &User,
        device: &str,
        address: ClientAddress,
        has_proved: bool,
    ) -> Outcome<Tokens> {
        let now = self.ports.clock.now();
        let random = self.ports.random.as_ref();
        let refresh = RefreshToken::first(SessionId::at(now, random_bytes(random)), random);
        let origin = Origin { device: device.trim().to_owned(), address: Some(address.0) };
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
        // Nor did a second factor that was turned on meanwhile.
        if !has_proved && self.second_factor(user.id).await?.is_some() {
            self.end_session(user.id, refresh.session).await?;
            return Err(Problem::new(ErrorCode::SecondFactorRequired));
        }
        Ok(self.tokens(user, &refresh, now).await?)
    }

    /// What a device gets.
    pub(super) async fn tokens(&self, user: &User, refresh: &RefreshToken, now: Time) -> Result<Tokens, PortError> {
        let lifetime = self.options.access_token_lifetime;
        let roles = self.roles_of(user).await?;
        let identity = Identity { user: user.id, session: refresh.session, roles, unlimited: false };
        Ok(Tokens {
            access_token: self.ports.keys.tokens.sign(&identity, now, lifetime),
            refresh_token: refresh.text(),
            token_type: "Bearer",
            expires_in: expiry(now, lifetime).since(now).as_secs_f64().round() as u64,
        })
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
    pub(super) async fn end_sessions(&self, owner: UserId) -> Result<(), PortError> {
        self.endings().all(owner, None).await
    }

    /// See [`Endings::all_with`].
    pub(super) async fn end_sessions_with(
        &self,
        owner: UserId,
        but: Option<SessionId>,
        unit: Unit,
    ) -> Result<bool, PortError> {
        self.endings().all_with(owner, but, unit).await
    }

    /// See [`Endings::these`].
    pub(super) async fn end(&self, sessions: Vec<Stored<Session>>) -> Result<bool, PortError> {
        self.endings().these(sessions).await
    }

    fn endings(&self) -> Endings<'_> {
        let Ports { records, clock, revocations, .. } = &self.ports;
        Endings { records: records.as_ref(), clock: clock.as_ref(), revocations }
    }
}
