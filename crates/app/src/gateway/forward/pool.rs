//! The instances of one role, and which of them gets a request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use firstcome_core::ports::Instance;
use parking_lot::RwLock;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::Options;
use super::breaker::Circuit;
use super::budget::Budget;
use super::instance::Target;
use super::routes::{hash, mix};

/// The instances of a role.
pub(super) struct Pool {
    targets: RwLock<Vec<Arc<Target>>>,
    /// Requests under way are bounded, so that a slow role takes no other down.
    pub(super) bulkhead: Arc<Semaphore>,
    pub(super) budget: Budget,
    chance: AtomicU64,
}

impl Pool {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            targets: RwLock::default(),
            bulkhead: Arc::new(Semaphore::new(options.max_in_flight)),
            budget: Budget::new(options.retry_percent),
            chance: AtomicU64::new(0),
        }
    }

    pub(super) fn targets(&self) -> Vec<Arc<Target>> {
        self.targets.read().clone()
    }

    /// Takes over what the registry lists. What it does not list any more is kept for a while: it may have forgotten.
    pub(super) fn update(&self, listed: &[&Instance], options: &Options, now: Instant) {
        let mut targets = self.targets.write();
        targets.retain(|target| {
            let here = listed.iter().find(|instance| instance.id == target.instance.id);
            target.is_listed.store(here.is_some(), Ordering::Relaxed);
            if let Some(instance) = here {
                target.is_given_up.send_replace(false);
                *target.listed.lock() = now;
                *target.waits.lock() = instance.load;
                if instance.draining {
                    target.drain();
                }
                // The same name at another address, or started again, is another.
                return instance.address == target.instance.address
                    && instance.started_at == target.instance.started_at;
            }
            let silent = now.saturating_duration_since(*target.listed.lock());
            // One that drains finishes what it has. If nobody is listed, it is the registry that has forgotten.
            let hangs = !target.is_draining() && !listed.is_empty() && silent >= options.give_up_after;
            target.is_given_up.send_replace(hangs);
            !target.is_draining() && silent < options.keep_unlisted && target.breaker.circuit(now) == Circuit::Closed
        });
        for instance in listed {
            if !targets.iter().any(|target| target.instance.id == instance.id) {
                targets.push(Target::new((*instance).clone(), options, now));
            }
        }
    }

    /// The instance for a request: the one that `affinity` belongs to, or the better one of two. None that drains, whose
    /// circuit is open, or that was tried already; one that the registry does not list only if it lists none, because one
    /// that hangs takes connections and answers nothing; one that may be back only for a request that can be `repeated`, unless
    /// there is no other. The breaker has admitted the request.
    pub(super) fn choose(
        &self,
        affinity: Option<u64>,
        tried: &[Arc<Target>],
        repeatable: bool,
        now: Instant,
    ) -> Option<Arc<Target>> {
        let targets = self.targets.read();
        let usable = |target: &&Arc<Target>| {
            let new = !tried.iter().any(|other| Arc::ptr_eq(other, target));
            new && !target.is_draining() && target.breaker.would_admit(now)
        };
        let mut candidates: Vec<&Arc<Target>> = targets.iter().filter(usable).collect();
        let is_listed = |target: &&Arc<Target>| target.is_listed.load(Ordering::Relaxed);
        if candidates.iter().any(is_listed) {
            candidates.retain(is_listed);
        }
        if !repeatable && candidates.iter().any(|target| target.breaker.circuit(now) == Circuit::Closed) {
            candidates.retain(|target| target.breaker.circuit(now) == Circuit::Closed);
        }
        while !candidates.is_empty() {
            let place = match affinity {
                Some(key) => belongs(&candidates, key),
                None => self.better_of_two(&candidates, now),
            };
            let chosen = candidates.swap_remove(place);
            // Another request may have taken the place of the probe.
            if chosen.breaker.admit(now) {
                return Some(Arc::clone(chosen));
            }
        }
        None
    }

    fn better_of_two(&self, candidates: &[&Arc<Target>], now: Instant) -> usize {
        let count = candidates.len() as u64;
        if count == 1 {
            return 0;
        }
        let chance = mix(self.chance.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed));
        let one = (chance >> 32) % count;
        let other = (one + 1 + (chance & 0xffff_ffff) % (count - 1)) % count;
        let (one, other) = (one as usize, other as usize);
        if candidates[other].load(now) < candidates[one].load(now) { other } else { one }
    }
}

/// Rendezvous hashing: when an instance comes or goes, only what belongs to it moves.
fn belongs(candidates: &[&Arc<Target>], key: u64) -> usize {
    let weight = |place: &usize| mix(hash(candidates[*place].instance.id.as_bytes()) ^ key);
    (0..candidates.len()).max_by_key(weight).unwrap_or_default()
}
