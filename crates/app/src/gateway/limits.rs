//! How often one may ask: token buckets per account and per address.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::UserId;
use firstcome_core::ports::SharedLimits;
use governor::clock::Clock as _;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::shared::{Of, Shared};
use super::{Gateway, Options};
use crate::http::{ClientAddress, Identity, Problem};
use crate::role::Worker;

/// How often full buckets are forgotten. A bucket is full again soon, so that memory grows with who called lately.
const CLEANING: Duration = Duration::from_secs(10);

/// A token bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Requests that are allowed for long; 0 switches the limit off.
    pub per_second: u32,
    /// Requests that are allowed at once.
    pub burst: u32,
}

/// One kind of limit; none when it is switched off.
struct Limit<K: Hash + Eq + Clone>(Option<DefaultKeyedRateLimiter<K>>);

impl<K: Hash + Eq + Clone> Limit<K> {
    fn new(rate: Rate) -> Self {
        let quota = |per_second| {
            let burst = NonZeroU32::new(rate.burst).unwrap_or(per_second);
            Quota::per_second(per_second).allow_burst(burst)
        };
        Self(NonZeroU32::new(rate.per_second).map(|per_second| RateLimiter::keyed(quota(per_second))))
    }

    fn check(&self, key: &K) -> Result<(), Problem> {
        let Some(limiter) = &self.0 else { return Ok(()) };
        limiter.check_key(key).map_err(|refused| {
            let wait = refused.wait_time_from(limiter.clock().now());
            Problem::new(ErrorCode::RateLimited).retry_after(wait.as_secs() + 1)
        })
    }

    fn clean(&self) {
        if let Some(limiter) = &self.0 {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }
}

/// All limits of the gateway.
pub(super) struct Limits {
    users: Limit<UserId>,
    addresses: Limit<u128>,
    /// With other gateways, if there are any.
    shared: Option<Shared>,
    development: bool,
}

impl Limits {
    pub(super) fn new(options: &Options, shared: Option<Arc<dyn SharedLimits>>) -> Self {
        Self {
            shared: shared.map(|limits| Shared::new(limits, options.per_user, options.per_address)),
            users: Limit::new(options.per_user),
            addresses: Limit::new(options.per_address),
            development: options.development,
        }
    }

    /// A request of a known caller.
    pub(super) fn check_user(&self, identity: &Identity) -> Result<(), Problem> {
        if identity.unlimited && self.development {
            return Ok(());
        }
        self.users.check(&identity.user)?;
        self.shared.as_ref().map_or(Ok(()), |shared| shared.check(Of::User(identity.user)))
    }

    /// A request of nobody known.
    pub(super) fn check_address(&self, address: ClientAddress) -> Result<(), Problem> {
        if self.development && is_loopback(address.0) {
            return Ok(());
        }
        self.addresses.check(&address.network())?;
        self.shared.as_ref().map_or(Ok(()), |shared| shared.check(Of::Network(address.network())))
    }

    /// What is shared with other gateways.
    pub(super) fn shared(&self) -> Option<&Shared> {
        self.shared.as_ref()
    }

    fn clean(&self) {
        self.users.clean();
        self.addresses.clean();
    }
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// Forgets full buckets from time to time.
pub(super) fn worker(gateway: Arc<Gateway>) -> Worker {
    Worker::new("gateway-limits", move |stop| async move {
        while stop.run_until_cancelled(tokio::time::sleep(CLEANING)).await.is_some() {
            gateway.limits.clean();
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use firstcome_core::ids::SessionId;

    use super::*;
    use crate::http::Roles;

    fn limits(development: bool) -> Limits {
        let rate = Rate { per_second: 1, burst: 3 };
        Limits::new(&Options { per_user: rate, per_address: rate, development, ..Options::default() }, None)
    }

    fn identity(user: u8, unlimited: bool) -> Identity {
        Identity { user: UserId([user; 16]), session: SessionId::NIL, roles: Roles::default(), unlimited }
    }

    fn allowed(mut check: impl FnMut() -> Result<(), Problem>) -> usize {
        (0..100).filter(|_| check().is_ok()).count()
    }

    #[test]
    fn each_user_has_a_bucket() {
        let limits = limits(true);
        assert!(allowed(|| limits.check_user(&identity(1, false))) < 50);
        assert!(limits.check_user(&identity(2, false)).is_ok());
        assert_eq!(allowed(|| limits.check_user(&identity(3, true))), 100);
    }

    #[test]
    fn production_limits_everyone() {
        let limits = limits(false);
        assert!(allowed(|| limits.check_user(&identity(3, true))) < 50);
        assert!(allowed(|| limits.check_address(ClientAddress([127, 0, 0, 1].into()))) < 50);
    }

    #[test]
    fn loopback_is_free_in_development() {
        let limits = limits(true);
        assert_eq!(allowed(|| limits.check_address(ClientAddress([127, 0, 0, 1].into()))), 100);
        assert!(allowed(|| limits.check_address(ClientAddress([192, 0, 2, 1].into()))) < 50);
    }

    #[test]
    fn a_household_of_ipv6_has_one_bucket() {
        let limits = limits(false);
        let mut host = 0_u16;
        let next = || {
            host += 1;
            limits.check_address(ClientAddress([0x2001, 0xdb8, 0, 1, 0, 0, 0, host].into()))
        };
        assert!(allowed(next) < 50);
        assert!(limits.check_address(ClientAddress([0x2001, 0xdb8, 0, 2, 0, 0, 0, 1].into())).is_ok());
    }

    #[test]
    fn off_is_off() {
        let off = Rate { per_second: 0, burst: 0 };
        let limits = Limits::new(&Options { per_user: off, per_address: off, ..Options::default() }, None);
        assert_eq!(allowed(|| limits.check_user(&identity(1, false))), 100);
    }
}
