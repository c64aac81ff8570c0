//! What people agreed to: in which version, when, by what way; and when they took it back.
//!
//! - A row tells how it is now, and changes in one commit with what the history says of it. The history is appended to, and stays.
//! - It names a person by id only, so it is kept when the account goes: it proves what was agreed to, by whom nobody can tell.
//! - Terms and privacy are agreed to at sign-up, if the shop names a version of them. Advertising is nobody's duty.

mod asked;
mod change;
mod link;
mod rows;
mod show;
mod sign_up;
#[cfg(test)]
mod tests;
mod unsubscribe;

use std::sync::Arc;

use firstcome_core::ids::{ConsentId, UserId};
use firstcome_core::ports::{Committed, PortError, random_bytes};
use firstcome_core::records::{RecordsExt as _, Stored, Unit};
use firstcome_core::time::Time;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) use link::address_to_unsubscribe;
pub use rows::ConsentEntry;
pub(super) use rows::{ConsentKind, ConsentState, ConsentWay};
pub(super) use sign_up::ConsentsGiven;

use super::{Accounts, wording};
use crate::http::{Outcome, Problem};

/// The texts that people agree to.
#[derive(Debug, Clone, Default)]
pub struct Versions {
    /// The terms of use, if nobody signs up without.
    pub terms: Option<String>,
    /// What is said about personal data, if nobody signs up without.
    pub privacy: Option<String>,
    /// What is said about advertising.
    pub advertising: String,
}

/// The endpoints.
pub(super) fn routes() -> OpenApiRouter<Arc<Accounts>> {
    OpenApiRouter::new()
        .routes(routes!(asked::get))
        .routes(routes!(show::get, change::put))
        .routes(routes!(unsubscribe::get, unsubscribe::post))
}

impl Accounts {
    /// How it is now, and the version to change it at; none when nothing was agreed to yet.
    pub(super) async fn consents(&self, owner: UserId) -> Result<Option<Stored<ConsentState>>, PortError> {
        self.ports.records.load::<ConsentState>(owner).await
    }

    /// The unit of work that makes it `after`, with an entry of the history for whatever is another then.
    fn consents_changed(
        &self,
        known: Option<Stored<ConsentState>>,
        after: &ConsentState,
        way: ConsentWay,
        now: Time,
    ) -> Unit {
        let before = known.as_ref().map_or_else(|| ConsentState::none(after.owner), |stored| stored.record.clone());
        let mut unit = match known {
            None => Unit::new().insert(after),
            Some(Stored { version, .. }) => Unit::new().update(&Stored { record: after.clone(), version }),
        };
        for what in ConsentKind::ALL {
            let (old, new) = (before.version_of(what), after.version_of(what));
            let Some(version) = new.or(old).filter(|_| new != old) else { continue };
            unit = unit.insert(&ConsentEntry {
                id: ConsentId::at(now, random_bytes(self.ports.random.as_ref())),
                owner: after.owner,
                what,
                edition: version.to_owned(),
                given: new.is_some(),
                way,
                at: now,
            });
        }
        unit
    }

    /// The unit of work that tells somebody what became of advertising, as the law says; empty when nothing did.
    fn told_of_advertising(&self, before: &ConsentState, after: &ConsentState, email: &str, now: Time) -> Unit {
        let told = |state: &ConsentState| (state.advertising.is_some(), state.advertising_at_night.is_some());
        if told(before) == told(after) {
            return Unit::new();
        }
        let day = now.date(&self.options.advertising.time_zone).map(|day| day.to_string()).unwrap_or_default();
        self.mails.queue_about(after.owner, wording::advertising_consent(email, told(after), &day))
    }

    /// Changes it for somebody who has an account, and tells them what became of advertising, as the law says. What was queued of
    /// it goes no more: of who agrees to days only from now on, none, since it may be for the night.
    pub(super) async fn change_consents(
        &self,
        known: Option<Stored<ConsentState>>,
        after: &ConsentState,
        way: ConsentWay,
    ) -> Outcome<Committed> {
        let before = known.as_ref().map_or_else(|| ConsentState::none(after.owner), |stored| stored.record.clone());
        let now = self.ports.clock.now();
        // Read and written: an account that goes in this moment takes the commit with it.
        let user = self.user(after.owner).await?;
        let mut unit = self.consents_changed(known, after, way, now).update(&user);
        if let Some(email) = self.written_to(&user.record) {
            unit.append(self.told_of_advertising(&before, after, &email, now));
        }
        let no_nights = before.advertising_at_night.is_some() && after.advertising_at_night.is_none();
        if !after.is_advertised || no_nights {
            unit.append(self.mails.withdrawn(after.owner).await?);
        }
        let committed = self.ports.records.commit(unit).await?;
        self.mails.wake();
        Ok(committed)
    }
}

impl Versions {
    /// The version that is agreed to now; none for what nobody is asked for.
    fn of(&self, what: ConsentKind) -> Option<&str> {
        match what {
            ConsentKind::Terms => self.terms.as_deref(),
            ConsentKind::Privacy => self.privacy.as_deref(),
            ConsentKind::Advertising | ConsentKind::AdvertisingAtNight => Some(&self.advertising),
        }
    }

    /// Refuses another version than the one that is shown now.
    fn check(&self, what: ConsentKind, version: &str) -> Outcome<()> {
        if self.of(what) == Some(version) {
            return Ok(());
        }
        let current = self.of(what).map_or_else(|| "none".to_owned(), |current| format!("`{current}`"));
        Err(Problem::field(what.as_str(), format!("must be the version that holds now, {current}")))
    }
}
