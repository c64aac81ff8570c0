//! Who calls. The gateway sets the identity; roles only read it, and refuse a request that has none.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::{SessionId, UserId};
use firstcome_core::text_enum;

use super::Problem;

text_enum! {
    /// What an account may do.
    pub enum AccountRole {
        /// Buys. Everybody is one.
        Buyer = "buyer",
        /// Redeems vouchers.
        Merchant = "merchant",
        /// Runs the shop.
        Seller = "seller",
        /// Runs the program.
        Operator = "operator",
    }
}

/// A set of roles.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Roles(u8);

impl Roles {
    /// The set with one more role.
    #[must_use]
    pub fn with(self, role: AccountRole) -> Self {
        Self(self.0 | 1 << role as u8)
    }

    /// Whether the role is in the set.
    pub fn contains(self, role: AccountRole) -> bool {
        self.0 & (1 << role as u8) != 0
    }

    /// The roles in the set.
    pub fn iter(self) -> impl Iterator<Item = AccountRole> {
        [AccountRole::Buyer, AccountRole::Merchant, AccountRole::Seller, AccountRole::Operator]
            .into_iter()
            .filter(move |role| self.contains(*role))
    }
}

impl FromIterator<AccountRole> for Roles {
    fn from_iter<I: IntoIterator<Item = AccountRole>>(roles: I) -> Self {
        roles.into_iter().fold(Self::default(), Self::with)
    }
}

/// A checked caller, put into a request's extensions by the gateway and by nothing else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The account.
    pub user: UserId,
    /// The device.
    pub session: SessionId,
    /// What the account may do.
    pub roles: Roles,
    /// A load tool's token: no rate limit. Only development issues and honours it.
    pub unlimited: bool,
}

fn identity(parts: &Parts) -> Result<Identity, Problem> {
    parts.extensions.get::<Identity>().copied().ok_or_else(|| {
        Problem::new(ErrorCode::Unauthenticated).detail("Send a valid access token as Authorization: Bearer <token>")
    })
}

macro_rules! caller {
    ($(#[$doc:meta])* $name:ident: $($role:ident)|*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name(pub Identity);

        impl<S: Send + Sync> FromRequestParts<S> for $name {
            type Rejection = Problem;
            async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
                let identity = identity(parts)?;
                let allowed: &[AccountRole] = &[$(AccountRole::$role),*];
                if allowed.is_empty() || allowed.iter().any(|role| identity.roles.contains(*role)) {
                    return Ok(Self(identity));
                }
                Err(Problem::new(ErrorCode::Forbidden))
            }
        }
    };
}

caller!(/// Anyone with an account.
    Buyer:);
caller!(/// Someone who redeems vouchers; a seller may too.
    Merchant: Merchant | Seller);
caller!(/// Someone who runs the shop.
    Seller: Seller);
caller!(/// Someone who runs the program; a seller may all that an operator may.
    Operator: Operator | Seller);
