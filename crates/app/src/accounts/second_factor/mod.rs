//! The second factor: beside the password, a code of an authenticator app, or one of ten recovery codes.
//!
//! - It counts from the moment that a code confirms its set-up. All other sessions end with that commit, so every session of an
//!   account with a second factor was begun with a code.
//! - A code is used up by the commit that takes it, and so is every older one: of twins, also in several processes, one gets in.
//! - Wrong codes are slowed down like wrong passwords but counted apart: neither a right password nor a new one forgives them.
//!   They are also counted in the row, and the owner is told: whoever types codes knows the password.
//! - A new password, by whatever way, leaves it as it is.

mod confirm;
mod disable;
mod recovery;
mod reset;
mod set_up;
mod show;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::UserId;
use firstcome_core::ports::{Committed, PortError};
use firstcome_core::record;
use firstcome_core::records::{RecordsExt as _, Stored, Unit};
use firstcome_core::time::Time;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::records::User;
use super::{Accounts, totp, wording};
use crate::http::{AccountRole, ClientAddress, Outcome, Problem, Roles};
use crate::secrets::{Keys, Sealed, Sealer, Unreadable};

/// Wrong codes in a row at which the owner is told.
const TOLD_AT: u32 = 5;

record! {
    /// What somebody proves beside the password who they are with.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct SecondFactor in "second_factors" {
        /// Whose.
        pub(super) owner: UserId,
        /// The key that sealed the secret.
        pub(super) sealed_with: u32,
        /// Sealed secret, in base 32.
        pub(super) secret: Vec<u8>,
        /// The last step of which a code was used.
        pub(super) used_step: i64,
        /// Keyed hashes of the recovery codes that are left, one behind the other.
        pub(super) recovery: Vec<u8>,
        /// Wrong codes since the last right one.
        pub(super) wrong: u32,
        /// Since when it counts; none while its set-up is not confirmed.
        pub(super) enabled_at: Option<Time>,
        /// When its set-up began.
        pub(super) created_at: Time,
    }
    indexes [index "second_factors_by_key" ("sealed_with")]
}

/// The endpoints.
pub(super) fn routes() -> OpenApiRouter<Arc<Accounts>> {
    OpenApiRouter::new()
        .routes(routes!(show::get, set_up::post))
        .routes(routes!(confirm::post))
        .routes(routes!(recovery::post))
        .routes(routes!(disable::post))
        .routes(routes!(reset::post))
}

impl Accounts {
    /// The second factor of an account, if it has one that counts.
    pub(super) async fn second_factor(&self, user: UserId) -> Result<Option<Stored<SecondFactor>>, PortError> {
        let stored = self.ports.records.load::<SecondFactor>(user).await?;
        Ok(stored.filter(|stored| stored.record.enabled_at.is_some()))
    }

    /// Asks whoever logs in with the right password for a code, if the account has a second factor. Returns whether it has.
    pub(super) async fn prove_log_in(&self, user: &User, code: Option<&str>, address: ClientAddress) -> Outcome<bool> {
        if self.second_factor(user.id).await?.is_none() {
            return Ok(false);
        }
        let code = code.ok_or_else(|| Problem::new(ErrorCode::SecondFactorRequired))?;
        self.prove(user, code, address, |used| Unit::new().update(used)).await?;
        Ok(true)
    }

    /// Uses up a code in the commit of what it is for, which is given the row as it is then.
    async fn prove(
        &self,
        user: &User,
        code: &str,
        address: ClientAddress,
        then: impl Fn(&Stored<SecondFactor>) -> Unit + Send,
    ) -> Outcome<()> {
        let counted_by = [b"second factor", user.id.0.as_slice()].concat();
        let attempt = self.attempts.begin(&counted_by, address, self.ports.clock.now())?;
        let used = self.use_up(user, code, then).await;
        match &used {
            Ok(()) => self.attempts.succeeded(attempt, self.ports.clock.now()),
            Err(problem) if problem.code() == ErrorCode::SecondFactorWrong => {}
            Err(_) => self.attempts.unchecked(attempt),
        }
        used
    }

    async fn use_up(&self, user: &User, code: &str, then: impl Fn(&Stored<SecondFactor>) -> Unit) -> Outcome<()> {
        let wrong = || Problem::new(ErrorCode::SecondFactorWrong);
        loop {
            let Stored { record, version } = self.second_factor(user.id).await?.ok_or_else(wrong)?;
            if let Some(record) = record.using(code, &self.ports.keys, self.ports.clock.now())? {
                if self.ports.records.commit(then(&Stored { record, version })).await? == Committed::Done {
                    self.mails.wake();
                    return Ok(());
                }
                continue;
            }
            // Counted before anyone learns that it was wrong; of twins that guess at once, each counts.
            let record = SecondFactor { wrong: record.wrong.saturating_add(1), ..record };
            let mut unit = Unit::new().update(&Stored { record: record.clone(), version });
            if record.wrong == TOLD_AT {
                let email = user.email(&self.ports.keys.sealer())?;
                unit.append(self.mails.queue_about(user.id, wording::second_factor_guessed(&email)));
            }
            if self.ports.records.commit(unit).await? == Committed::Done {
                self.mails.wake();
                return Err(wrong());
            }
        }
    }

    /// What somebody may do who logs in now: where the shop asks its staff for a second factor, whoever has none sells and
    /// operates nothing until they have.
    pub(super) async fn roles_of(&self, user: &User) -> Result<Roles, PortError> {
        if !self.is_required(user.roles) || self.second_factor(user.id).await?.is_some() {
            return Ok(user.roles);
        }
        Ok(user.roles.without(AccountRole::Seller).without(AccountRole::Operator))
    }

    /// Whether the shop asks who has these roles for a second factor.
    fn is_required(&self, roles: Roles) -> bool {
        let is_staff = roles.contains(AccountRole::Seller) || roles.contains(AccountRole::Operator);
        self.options.second_factor_of_staff && is_staff
    }
}

impl SecondFactor {
    /// The row when this code is used up; none when it is no code of about now, or was used.
    fn using(&self, code: &str, keys: &Keys, now: Time) -> Result<Option<Self>, Unreadable> {
        let code: String = code.chars().filter(|letter| !letter.is_whitespace()).collect();
        if code.len() == totp::DIGITS && code.bytes().all(|byte| byte.is_ascii_digit()) {
            let secret = self.secret(&keys.sealer())?;
            let step = totp::step_of(&secret, &code, self.used_step, now);
            return Ok(step.map(|used_step| Self { used_step, wrong: 0, ..self.clone() }));
        }
        let left = recovery::without(&self.recovery, &recovery::hash(self.owner, &code, &keys.index));
        Ok(left.map(|recovery| Self { recovery, wrong: 0, ..self.clone() }))
    }

    fn secret(&self, sealer: &Sealer) -> Result<Vec<u8>, Unreadable> {
        let text = sealer.open(self.sealed_with, &place(&self.owner), &self.secret)?;
        totp::from_text(&text).ok_or(Unreadable)
    }
}

impl Sealed for SecondFactor {
    const KEY: &'static str = "sealed_with";

    fn reseal(&mut self, sealer: &Sealer) -> Result<(), Unreadable> {
        self.secret = sealer.reseal(self.sealed_with, &place(&self.owner), &self.secret)?;
        self.sealed_with = sealer.key();
        Ok(())
    }
}

/// There is no second factor that counts.
fn is_off() -> Problem {
    Problem::new(ErrorCode::WrongState).detail("The account has no second factor")
}

fn place(owner: &UserId) -> [&[u8]; 2] {
    [b"second_factors.secret", &owner.0]
}
