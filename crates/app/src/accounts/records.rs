//! The rows of the role. Personal columns are sealed; `sealed_with` is the number of the key.

use firstcome_core::ids::{AddressId, SessionId, UserId};
use firstcome_core::record;
use firstcome_core::time::Time;

use crate::http::Roles;

record! {
    /// A person with an account.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct User in "users" {
        /// Names the person everywhere.
        pub(super) id: UserId,
        /// Keyed hash of the e-mail address: finds the account.
        pub(super) email_index: Vec<u8>,
        /// The key that sealed the columns below.
        pub(super) sealed_with: u32,
        /// Sealed e-mail address.
        pub(super) email: Vec<u8>,
        /// Sealed name.
        pub(super) name: Vec<u8>,
        /// Sealed phone number.
        pub(super) phone: Option<Vec<u8>>,
        /// Where parcels go.
        pub(super) address: Option<AddressId>,
        /// Hash of the password (PHC string); an account without one cannot log in.
        pub(super) password: Option<String>,
        /// What the account may do.
        pub(super) roles: Roles,
        /// When they signed up, with a verified e-mail address.
        pub(super) created_at: Time,
    }
    indexes [unique "users_by_email" ("email_index"), index "users_by_key" ("sealed_with")]
}

record! {
    /// An address that parcels go to. Never changed: orders refer to it.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct Address in "addresses" {
        /// Names the address in orders and events.
        pub(super) id: AddressId,
        /// Whose.
        pub(super) owner: UserId,
        /// The key that sealed it.
        pub(super) sealed_with: u32,
        /// Sealed JSON: name, phone and address.
        pub(super) label: Vec<u8>,
        /// When it was given.
        pub(super) created_at: Time,
    }
    indexes [index "addresses_by_owner" ("owner"), index "addresses_by_key" ("sealed_with")]
}

record! {
    /// Somebody whose account is gone, as long as rows of theirs are to be removed.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct Erasure in "erasures" {
        /// Whose rows.
        pub(super) owner: UserId,
        /// When the account went.
        pub(super) erased_at: Time,
    }
    indexes []
}

record! {
    /// A device that is logged in.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct Session in "sessions" {
        /// Names the session; access tokens carry it.
        pub(super) id: SessionId,
        /// Whose.
        pub(super) owner: UserId,
        /// What the device is called, if that says nothing about the person; else empty, and in `origin`.
        pub(super) device: String,
        /// The key that sealed `origin`.
        pub(super) sealed_with: Option<u32>,
        /// Sealed JSON: what the person calls the device, and from where it logged in.
        pub(super) origin: Option<Vec<u8>>,
        /// Hash of the part that all refresh tokens of the session share: it tells an old token from an invented one.
        pub(super) family: Vec<u8>,
        /// Hash of the part of the one refresh token that works.
        pub(super) refresh: Vec<u8>,
        /// When they logged in.
        pub(super) created_at: Time,
        /// When tokens were last given out.
        pub(super) used_at: Time,
        /// When the refresh token expires.
        pub(super) expires_at: Time,
        /// When the last access token expires.
        pub(super) tokens_until: Time,
        /// When it was logged out.
        pub(super) ended_at: Option<Time>,
    }
    indexes [
        index "sessions_by_owner" ("owner", "created_at"),
        index "sessions_by_expiry" ("expires_at"),
        index "sessions_by_end" ("ended_at"),
        index "sessions_by_key" ("sealed_with"),
    ]
}

record! {
    /// How far an e-mail address is on its way to being verified, or to a new password. Here and not in memory, so that a
    /// code outlives a restart.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct EmailCode in "email_codes" {
        /// Keyed hash of the e-mail address and of what the code is for.
        pub(super) email_index: Vec<u8>,
        /// Keyed hash of the code; none when it was used or tried too often.
        pub(super) code: Option<Vec<u8>>,
        /// When the code expires.
        pub(super) code_until: Time,
        /// Wrong tries that are left.
        pub(super) tries: u8,
        /// Hash of the verification token that a right code gave; none when it was used.
        pub(super) verification: Option<Vec<u8>>,
        /// When the verification token expires.
        pub(super) verification_until: Time,
        /// Since when codes are counted.
        pub(super) counted_since: Time,
        /// Codes sent since then.
        pub(super) sent: u32,
        /// When nothing of this matters any more.
        pub(super) expires_at: Time,
    }
    indexes [index "email_codes_by_expiry" ("expires_at")]
}
