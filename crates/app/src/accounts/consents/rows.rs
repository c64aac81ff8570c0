//! How it is now, and how it came to be.

use firstcome_core::ids::{ConsentId, UserId};
use firstcome_core::time::Time;
use firstcome_core::{record, text_enum};

use crate::sheet::guarded;

text_enum! {
    /// What somebody agrees to.
    #[derive(utoipa::ToSchema)]
    pub enum ConsentKind {
        /// The terms of use.
        Terms = "terms",
        /// What is done with personal data.
        Privacy = "privacy",
        /// E-mails with advertising.
        Advertising = "advertising",
        /// Also at night.
        AdvertisingAtNight = "advertising_at_night",
    }
}

text_enum! {
    /// By what way.
    #[derive(utoipa::ToSchema)]
    pub enum ConsentWay {
        /// At sign-up.
        SignUp = "sign_up",
        /// Logged in.
        Account = "account",
        /// By the link of an e-mail, without logging in.
        Link = "link",
    }
}

record! {
    /// What somebody agrees to now. Each is the version; none for what they did not agree to, or took back.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(in crate::accounts) struct ConsentState in "consent_states" {
        /// Who.
        pub(in crate::accounts) owner: UserId,
        /// The terms of use.
        pub(in crate::accounts) terms: Option<String>,
        /// What is done with personal data.
        pub(in crate::accounts) privacy: Option<String>,
        /// E-mails with advertising.
        pub(in crate::accounts) advertising: Option<String>,
        /// Also at night.
        pub(in crate::accounts) advertising_at_night: Option<String>,
        /// Whether advertising is sent: finds those to whom it is.
        pub(in crate::accounts) is_advertised: bool,
    }
    indexes [index "consent_states_by_advertising" ("is_advertised", "owner")]
}

record! {
    /// Something that was agreed to, or taken back.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct ConsentEntry in "consents" {
        /// Names it.
        pub(in crate::accounts) id: ConsentId,
        /// Who; nobody, once the account is gone.
        pub(in crate::accounts) owner: UserId,
        /// What.
        pub(in crate::accounts) what: ConsentKind,
        /// Which text.
        pub(in crate::accounts) edition: String,
        /// Whether it was given; else it was taken back.
        pub(in crate::accounts) given: bool,
        /// By what way.
        pub(in crate::accounts) way: ConsentWay,
        /// When.
        pub(in crate::accounts) at: Time,
    }
    indexes [index "consents_by_owner" ("owner", "at")]
    append only
}

impl ConsentKind {
    /// Every one.
    pub(in crate::accounts) const ALL: [Self; 4] =
        [Self::Terms, Self::Privacy, Self::Advertising, Self::AdvertisingAtNight];
}

impl ConsentEntry {
    /// What is written of it in books.
    pub const COLUMNS: [&str; 7] = ["consent_id", "user_id", "what", "version", "given", "way", "at"];

    /// Its row.
    pub fn row(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.owner.to_string(),
            self.what.as_str().to_owned(),
            guarded(&self.edition),
            self.given.to_string(),
            self.way.as_str().to_owned(),
            self.at.to_string(),
        ]
    }
}

impl ConsentState {
    /// Nothing was agreed to.
    pub(in crate::accounts) fn none(owner: UserId) -> Self {
        Self { owner, terms: None, privacy: None, advertising: None, advertising_at_night: None, is_advertised: false }
    }

    /// The version that was agreed to.
    pub(in crate::accounts) fn version_of(&self, what: ConsentKind) -> Option<&str> {
        let version = match what {
            ConsentKind::Terms => &self.terms,
            ConsentKind::Privacy => &self.privacy,
            ConsentKind::Advertising => &self.advertising,
            ConsentKind::AdvertisingAtNight => &self.advertising_at_night,
        };
        version.as_deref()
    }

    /// Whether something is agreed to that was not before, or in another version.
    pub(in crate::accounts) fn gives_more_than(&self, before: &Self) -> bool {
        let is_given = |what| self.version_of(what).is_some() && self.version_of(what) != before.version_of(what);
        ConsentKind::ALL.into_iter().any(is_given)
    }

    /// The same with or without advertising; at night only with it.
    pub(in crate::accounts) fn advertised(mut self, version: &str, by_day: bool, at_night: bool) -> Self {
        let agreed = |before: Option<String>, given: bool| given.then(|| before.unwrap_or_else(|| version.to_owned()));
        self.advertising = agreed(self.advertising.take(), by_day);
        self.advertising_at_night = agreed(self.advertising_at_night.take(), by_day && at_night);
        self.is_advertised = by_day;
        self
    }
}
