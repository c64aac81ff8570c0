//! What the gateway tells the roles of other processes about a request: who calls and from where, signed.
//!
//! One header, [`CALLER`], that holds for a few seconds, for one method and one path with its query, and for one shop. A
//! role believes nothing else: without it, or with one that is altered, too old or of another request, it refuses.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use aws_lc_rs::hmac;
use axum::http::{HeaderName, HeaderValue, Method, Uri};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use firstcome_core::ids::{SessionId, UserId};
use firstcome_core::time::Time;

use super::{Identity, Roles};

/// The header with who calls.
pub const CALLER: HeaderName = HeaderName::from_static("x-firstcome-caller");
/// The header with the milliseconds that are left for the answer.
pub const DEADLINE: HeaderName = HeaderName::from_static("x-firstcome-deadline");
/// The header of an answer from an instance that takes nothing new.
pub const DRAINING: HeaderName = HeaderName::from_static("x-firstcome-draining");

/// How long a signature holds: the time to send a request, and what the clocks of two machines may differ by.
const HOLDS_FOR: Duration = Duration::from_secs(10);
/// What is signed of the caller: flags, roles, person, session, address, end.
const CLAIMS: usize = 1 + 1 + 16 + 16 + 16 + 8;
/// HMAC with SHA-256.
const MAC: usize = 32;

const KNOWN: u8 = 1;
const UNLIMITED: u8 = 2;

/// What the gateway vouches for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Vouched {
    /// Who calls, if it is known.
    pub caller: Option<Identity>,
    /// From where.
    pub address: IpAddr,
}

/// Why a request is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotVouched {
    /// Not the gateway's, altered, or of another request.
    #[error("the request does not come from the gateway")]
    Foreign,
    /// The gateway's, but it waited too long, or the clocks of the two are apart.
    #[error("the request is too old")]
    TooOld,
}

/// Signs and checks, with the secret that the processes of a shop share.
pub struct Signatures(hmac::Key);

impl Signatures {
    /// With the secret of the shop of this name.
    pub fn new(secret: &[u8], shop: &str) -> Self {
        let root = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let purpose = hmac::sign(&root, format!("firstcome caller 1 {shop}").as_bytes());
        Self(hmac::Key::new(hmac::HMAC_SHA256, purpose.as_ref()))
    }

    /// The header for a request that is sent now.
    pub fn sign(&self, vouched: &Vouched, method: &Method, uri: &Uri, now: Time) -> HeaderValue {
        let mut bytes = [0; CLAIMS + MAC];
        let claims = Claims { vouched: *vouched, until: now + HOLDS_FOR }.encode();
        bytes[..CLAIMS].copy_from_slice(&claims);
        bytes[CLAIMS..].copy_from_slice(self.mac(&claims, method, uri).as_ref());
        let text = URL_SAFE_NO_PAD.encode(bytes);
        let mut value = HeaderValue::try_from(text).expect("base 64 fits into a header");
        value.set_sensitive(true);
        value
    }

    /// What the gateway said of this very request.
    pub fn verify(&self, header: &[u8], method: &Method, uri: &Uri, now: Time) -> Result<Vouched, NotVouched> {
        let bytes = URL_SAFE_NO_PAD.decode(header).map_err(|_| NotVouched::Foreign)?;
        let (claims, mac) = bytes.split_first_chunk::<CLAIMS>().ok_or(NotVouched::Foreign)?;
        hmac::verify(&self.0, &signed(claims, method, uri), mac).map_err(|_| NotVouched::Foreign)?;
        let claims = Claims::decode(claims);
        if claims.until <= now { Err(NotVouched::TooOld) } else { Ok(claims.vouched) }
    }

    fn mac(&self, claims: &[u8; CLAIMS], method: &Method, uri: &Uri) -> hmac::Tag {
        hmac::sign(&self.0, &signed(claims, method, uri))
    }
}

/// The claims, and the request that they are made for. A method has no space and the claims have one length, so that no
/// two requests read the same.
fn signed(claims: &[u8; CLAIMS], method: &Method, uri: &Uri) -> Vec<u8> {
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    [claims.as_slice(), method.as_str().as_bytes(), b" ", target.as_bytes()].concat()
}

struct Claims {
    vouched: Vouched,
    until: Time,
}

impl Claims {
    fn encode(&self) -> [u8; CLAIMS] {
        let mut bytes = [0; CLAIMS];
        if let Some(caller) = self.vouched.caller {
            bytes[0] = KNOWN | if caller.unlimited { UNLIMITED } else { 0 };
            bytes[1] = caller.roles.bits();
            bytes[2..18].copy_from_slice(&caller.user.0);
            bytes[18..34].copy_from_slice(&caller.session.0);
        }
        let address = match self.vouched.address {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
        bytes[34..50].copy_from_slice(&address.octets());
        bytes[50..].copy_from_slice(&self.until.0.to_be_bytes());
        bytes
    }

    fn decode(bytes: &[u8; CLAIMS]) -> Self {
        let sixteen = |from: usize| std::array::from_fn::<u8, 16, _>(|place| bytes[from + place]);
        let identity = || Identity {
            user: UserId(sixteen(2)),
            session: SessionId(sixteen(18)),
            roles: Roles::from_bits(bytes[1]),
            unlimited: bytes[0] & UNLIMITED != 0,
        };
        let caller = (bytes[0] & KNOWN != 0).then(identity);
        let address = Ipv6Addr::from(sixteen(34)).to_canonical();
        let until = i64::from_be_bytes(std::array::from_fn(|place| bytes[50 + place]));
        Self { vouched: Vouched { caller, address }, until: Time(until) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::AccountRole;

    const NOW: Time = Time::from_millis(1_763_703_200_000);

    fn signatures() -> Signatures {
        Signatures::new(b"0123456789abcdef0123456789abcdef", "shop")
    }

    fn vouched() -> Vouched {
        let roles = [AccountRole::Buyer, AccountRole::Seller].into_iter().collect();
        let identity = Identity { user: UserId([1; 16]), session: SessionId([2; 16]), roles, unlimited: true };
        Vouched { caller: Some(identity), address: [192, 0, 2, 1].into() }
    }

    fn uri(text: &'static str) -> Uri {
        Uri::from_static(text)
    }

    #[test]
    fn says_who_calls_for_this_request_only() {
        let signatures = signatures();
        let nobody = Vouched { caller: None, address: "2001:db8::1".parse().unwrap() };
        for vouched in [vouched(), nobody] {
            let header = signatures.sign(&vouched, &Method::POST, &uri("/api/v1/orders?a=1"), NOW);
            let verify = |method, target, now| signatures.verify(header.as_bytes(), &method, &uri(target), now);
            assert_eq!(verify(Method::POST, "/api/v1/orders?a=1", NOW), Ok(vouched));
            assert_eq!(verify(Method::POST, "http://orders-1:81/api/v1/orders?a=1", NOW), Ok(vouched));
            assert_eq!(verify(Method::GET, "/api/v1/orders?a=1", NOW), Err(NotVouched::Foreign));
            assert_eq!(verify(Method::POST, "/api/v1/orders?a=2", NOW), Err(NotVouched::Foreign));
            assert_eq!(verify(Method::POST, "/api/v1/orders", NOW), Err(NotVouched::Foreign));
            let last = NOW + HOLDS_FOR - Duration::from_micros(1);
            assert!(verify(Method::POST, "/api/v1/orders?a=1", last).is_ok());
            assert_eq!(verify(Method::POST, "/api/v1/orders?a=1", NOW + HOLDS_FOR), Err(NotVouched::TooOld));
        }
    }

    #[test]
    fn altered_anywhere_or_of_another_shop() {
        let (signatures, target) = (signatures(), uri("/api/v1/me"));
        let header = signatures.sign(&vouched(), &Method::GET, &target, NOW);
        for place in 0..header.len() {
            let mut altered = header.as_bytes().to_vec();
            altered[place] = if altered[place] == b'A' { b'B' } else { b'A' };
            assert_eq!(signatures.verify(&altered, &Method::GET, &target, NOW), Err(NotVouched::Foreign), "at {place}");
        }
        for text in ["", "A", "AAAA", &"A".repeat(CLAIMS * 2), &"x".repeat(100_000)] {
            assert_eq!(signatures.verify(text.as_bytes(), &Method::GET, &target, NOW), Err(NotVouched::Foreign));
        }
        for other in [Signatures::new(b"0123456789abcdef0123456789abcdef", "other"), Signatures::new(b"x", "shop")] {
            assert_eq!(other.verify(header.as_bytes(), &Method::GET, &target, NOW), Err(NotVouched::Foreign));
        }
    }
}
