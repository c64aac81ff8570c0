//! What is agreed to at sign-up.

use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::UserId;
use firstcome_core::records::Unit;
use firstcome_core::time::Time;
use garde::Validate;
use serde::Deserialize;
use serde_json::{Map, json};
use utoipa::ToSchema;

use super::super::Accounts;
use super::{ConsentKind, ConsentState, ConsentWay, Versions};
use crate::http::{Outcome, Problem};

/// What somebody agrees to; what is left out they do not.
#[derive(Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(in crate::accounts) struct ConsentsGiven {
    /// The version of the terms that they read.
    #[schema(example = "2026-11")]
    pub(super) terms: Option<String>,
    /// The version of what is said about personal data that they read.
    #[schema(example = "2026-11")]
    pub(super) privacy: Option<String>,
    /// E-mails with advertising.
    pub(super) advertising: Option<bool>,
    /// Also at night; only with `advertising`.
    pub(super) advertising_at_night: Option<bool>,
}

impl ConsentsGiven {
    /// Refuses versions that do not hold, and nights without days.
    pub(super) fn check(&self, versions: &Versions, is_advertised: bool) -> Outcome<()> {
        for (what, version) in [(ConsentKind::Terms, &self.terms), (ConsentKind::Privacy, &self.privacy)] {
            if let Some(version) = version {
                versions.check(what, version)?;
            }
        }
        if self.advertising_at_night == Some(true) && !self.advertising.unwrap_or(is_advertised) {
            return Err(Problem::field("advertising_at_night", "must go with advertising"));
        }
        Ok(())
    }

    /// How it is after it.
    pub(super) fn applied(&self, mut state: ConsentState, versions: &Versions) -> ConsentState {
        state.terms = self.terms.clone().or(state.terms);
        state.privacy = self.privacy.clone().or(state.privacy);
        let by_day = self.advertising.unwrap_or(state.advertising.is_some());
        let at_night = self.advertising_at_night.unwrap_or(state.advertising_at_night.is_some());
        // Who says yes says it to the text that holds now.
        if self.advertising == Some(true) {
            state.advertising = None;
        }
        if self.advertising_at_night == Some(true) {
            state.advertising_at_night = None;
        }
        state.advertised(&versions.advertising, by_day, at_night)
    }
}

impl Accounts {
    /// Refuses a sign-up without what the shop asks for.
    pub(in crate::accounts) fn require_consents(&self, given: Option<&ConsentsGiven>) -> Outcome<()> {
        let nothing = ConsentsGiven::default();
        let (given, versions) = (given.unwrap_or(&nothing), &self.options.consents);
        given.check(versions, false)?;
        let missing = |what: ConsentKind, given: &Option<String>| {
            let version = versions.of(what).filter(|_| given.is_none())?;
            Some((what.as_str().to_owned(), json!(version)))
        };
        let missing = [missing(ConsentKind::Terms, &given.terms), missing(ConsentKind::Privacy, &given.privacy)];
        let missing: Map<_, _> = missing.into_iter().flatten().collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Problem::new(ErrorCode::ConsentMissing).with("required", missing))
    }

    /// The unit of work that keeps what was agreed to at sign-up, and tells them what became of advertising.
    pub(in crate::accounts) fn consents_of_new(
        &self,
        owner: UserId,
        email: &str,
        given: Option<&ConsentsGiven>,
        now: Time,
    ) -> Unit {
        let Some(given) = given else { return Unit::new() };
        let nothing = ConsentState::none(owner);
        let state = given.applied(nothing.clone(), &self.options.consents);
        let mut unit = self.consents_changed(None, &state, ConsentWay::SignUp, now);
        unit.append(self.told_of_advertising(&nothing, &state, email, now));
        unit
    }
}
