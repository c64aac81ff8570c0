//! Who calls. The gateway sets the identity; roles only read it, and refuse a request that has none.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::Extensions;
use axum::http::request::Parts;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::{SessionId, UserId};
use firstcome_core::records::{Field, Kind, Value, WrongValue};
use firstcome_core::text_enum;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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

    /// The set without a role.
    #[must_use]
    pub fn without(self, role: AccountRole) -> Self {
        Self(self.0 & !(1 << role as u8))
    }

    /// Whether the role is in the set.
    pub fn contains(self, role: AccountRole) -> bool {
        self.0 & (1 << role as u8) != 0
    }

    /// One bit per role.
    pub(crate) fn bits(self) -> u8 {
        self.0
    }

    /// The set of these bits.
    pub(super) fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// The roles in the set.
    pub fn iter(self) -> impl Iterator<Item = AccountRole> {
        [AccountRole::Buyer, AccountRole::Merchant, AccountRole::Seller, AccountRole::Operator]
            .into_iter()
            .filter(move |role| self.contains(*role))
    }
}

/// A list of the roles' names.
impl Serialize for Roles {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Roles {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<AccountRole>::deserialize(deserializer)?.into_iter().collect())
    }
}

/// In a column: one bit per role.
impl Field for Roles {
    const KIND: Kind = Kind::Integer;
    fn to_value(&self) -> Value {
        self.0.to_value()
    }
    fn from_value(value: Value) -> Result<Self, WrongValue> {
        u8::from_value(value).map(Self)
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

/// The address that a request comes from: the connection's, or the one that a trusted proxy in front named, which the
/// gateway then puts into the request's extensions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// The address, from what the server and the gateway put there.
    pub fn of(extensions: &Extensions) -> Self {
        let connection = || extensions.get::<ConnectInfo<SocketAddr>>().map(|info| Self(info.0.ip().to_canonical()));
        extensions.get::<Self>().copied().or_else(connection).unwrap_or(Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))
    }

    /// What limits count by: a household or a machine has a whole /64 of IPv6.
    pub fn network(self) -> u128 {
        match self.0 {
            IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
            IpAddr::V6(address) => address.to_bits() >> 64 << 64,
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = std::convert::Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::of(&parts.extensions))
    }
}

fn identity(parts: &Parts) -> Result<Identity, Problem> {
    parts.extensions.get::<Identity>().copied().ok_or_else(|| {
        Problem::new(ErrorCode::Unauthenticated).detail("Send one valid access token as Authorization: Bearer <token>")
    })
}

/// What a caller may want to do beyond what anyone may.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Permission {
    /// Buy, and look after what is one's own.
    Buy,
    /// See any voucher by its code, and redeem it.
    Redeem,
    /// See every order and payment, the live view of a sale, the audit; act where the program needs a person.
    Operate,
    /// Run the shop: products, offers, stock.
    Sell,
    /// Act on the accounts of others.
    Administer,
}

impl Permission {
    /// Who may do what: the one table. What names no role may be done by any account; a seller is no merchant unless the
    /// account is both.
    const fn roles(self) -> &'static [AccountRole] {
        match self {
            Self::Buy => &[],
            Self::Redeem => &[AccountRole::Merchant],
            Self::Operate => &[AccountRole::Seller, AccountRole::Operator],
            Self::Sell => &[AccountRole::Seller],
            Self::Administer => &[AccountRole::Operator],
        }
    }
}

impl Roles {
    /// Whether one of these roles may do this.
    pub fn may(self, permission: Permission) -> bool {
        let roles = permission.roles();
        roles.is_empty() || roles.iter().any(|role| self.contains(*role))
    }
}

macro_rules! caller {
    ($(#[$doc:meta])* $name:ident: $permission:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name(pub Identity);

        impl<S: Send + Sync> FromRequestParts<S> for $name {
            type Rejection = Problem;
            async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
                let identity = identity(parts)?;
                if identity.roles.may(Permission::$permission) {
                    return Ok(Self(identity));
                }
                Err(Problem::new(ErrorCode::Forbidden))
            }
        }
    };
}

caller!(/// Anyone with an account.
    Buyer: Buy);
caller!(/// Someone who redeems vouchers.
    Merchant: Redeem);
caller!(/// Someone who runs the shop.
    Seller: Sell);
caller!(/// Someone who runs the program.
    Operator: Operate);
caller!(/// Someone who looks after accounts.
    Administrator: Administer);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_of_roles_may_what_the_contract_says_and_no_more() {
        use AccountRole::{Merchant, Operator, Seller};
        for bits in 0..16 {
            let roles = Roles::from_bits(bits);
            let has = |role| roles.contains(role);
            assert!(roles.may(Permission::Buy), "{roles:?}");
            assert_eq!(roles.may(Permission::Redeem), has(Merchant), "{roles:?}");
            assert_eq!(roles.may(Permission::Operate), has(Operator) || has(Seller), "{roles:?}");
            assert_eq!(roles.may(Permission::Sell), has(Seller), "{roles:?}");
            assert_eq!(roles.may(Permission::Administer), has(Operator), "{roles:?}");
        }
    }
}
