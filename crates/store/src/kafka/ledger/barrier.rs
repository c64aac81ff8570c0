//! Proof that what was read is current: a message that says nothing, appended after the question came, acknowledged and
//! read back. Whatever was acknowledged before the question stands before it in the topic. A record that is appended anyway
//! does as well.

use std::time::Instant;

use firstcome_core::ids::OfferNumber;
use firstcome_core::time::Time;

use super::shared::Current;

/// The key of such messages.
pub(super) const KEY: &[u8] = b"barrier";

/// Who waits for proof.
#[derive(Default)]
pub(super) struct Askers {
    /// Lanes with commands that did nothing.
    pub(super) lanes: Vec<OfferNumber>,
    pub(super) callers: Vec<Current>,
}

impl Askers {
    fn is_empty(&self) -> bool {
        self.lanes.is_empty() && self.callers.is_empty()
    }
}

/// A barrier under way.
pub(super) struct Barrier {
    pub(super) id: usize,
    pub(super) name: [u8; 16],
    pub(super) began: Instant,
    pub(super) sent: Time,
    pub(super) acknowledged: bool,
    pub(super) read: bool,
    pub(super) askers: Askers,
}

impl Barrier {
    pub(super) fn has_landed(&self) -> bool {
        self.acknowledged && self.read
    }
}

/// At most one barrier is under way; who asks meanwhile waits for the next.
#[derive(Default)]
pub(super) struct Barriers {
    pub(super) under_way: Option<Barrier>,
    pub(super) next: Askers,
    /// A record that they waited for lost its race; a barrier cannot.
    insist: bool,
}

impl Barriers {
    /// Who may wait for a record that is appended now, instead of a barrier.
    pub(super) fn ride(&mut self) -> Askers {
        if self.insist { Askers::default() } else { std::mem::take(&mut self.next) }
    }

    /// The record that these waited for proves nothing.
    pub(super) fn insist(&mut self, askers: Askers) {
        self.insist |= !askers.is_empty();
        self.next.lanes.extend(askers.lanes);
        self.next.callers.extend(askers.callers);
    }

    /// Who waits for the next barrier, if it is time to append it.
    pub(super) fn due(&mut self) -> Option<Askers> {
        (self.under_way.is_none() && !self.next.is_empty()).then(|| {
            self.insist = false;
            std::mem::take(&mut self.next)
        })
    }

    pub(super) fn is_idle(&self) -> bool {
        self.under_way.is_none() && self.next.is_empty()
    }

    /// Takes the barrier that has landed.
    pub(super) fn landed(&mut self) -> Option<Askers> {
        let barrier = self.under_way.take_if(|barrier| barrier.has_landed())?;
        Some(barrier.askers)
    }
}
