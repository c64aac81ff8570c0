//! When the next hold of each offer expires, soonest first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use firstcome_core::ids::OfferNumber;
use firstcome_core::time::Time;
use hashbrown::HashMap;

/// One alarm per offer at most. An alarm may ring too early for its offer, never too late: a deadline that moves away
/// leaves it where it is, so that the common case costs nothing.
#[derive(Default)]
pub(crate) struct Alarms {
    heap: BinaryHeap<Reverse<(Time, OfferNumber)>>,
    set: HashMap<OfferNumber, Time>,
}

impl Alarms {
    /// Sees to it that the alarm of an offer rings at `deadline` at the latest.
    pub(crate) fn set(&mut self, offer: OfferNumber, deadline: Option<Time>) {
        let Some(deadline) = deadline else { return };
        if self.set.get(&offer).is_none_or(|present| deadline < *present) {
            self.set.insert(offer, deadline);
            self.heap.push(Reverse((deadline, offer)));
        }
    }

    /// Takes an offer whose alarm rings at `now`.
    pub(crate) fn take(&mut self, now: Time) -> Option<OfferNumber> {
        while let Some(Reverse((deadline, offer))) = self.heap.peek().copied() {
            if deadline > now {
                return None;
            }
            self.heap.pop();
            // Another entry of the same offer rang before; this one is spent.
            if self.set.get(&offer) == Some(&deadline) {
                self.set.remove(&offer);
                return Some(offer);
            }
        }
        None
    }

    /// When the next one rings.
    pub(crate) fn next(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse((deadline, _))| *deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_once_and_never_late() {
        let mut alarms = Alarms::default();
        alarms.set(OfferNumber(1), Some(Time(50)));
        alarms.set(OfferNumber(1), Some(Time(30)));
        alarms.set(OfferNumber(1), Some(Time(40)));
        alarms.set(OfferNumber(2), Some(Time(35)));
        alarms.set(OfferNumber(3), None);
        assert_eq!(alarms.next(), Some(Time(30)));
        assert_eq!(alarms.take(Time(29)), None);
        assert_eq!(alarms.take(Time(60)), Some(OfferNumber(1)));
        assert_eq!(alarms.take(Time(60)), Some(OfferNumber(2)));
        assert_eq!(alarms.take(Time(60)), None);
    }
}
