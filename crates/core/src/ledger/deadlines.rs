//! When holds expire, soonest first.
//!
//! Deadlines come almost in order, so a sorted queue takes them at its end. An entry is not removed when its hold is paid
//! or released; whoever reads the queue skips it, and [`Deadlines::drop_front`] removes it when it reaches the front.

use std::collections::VecDeque;

use crate::ids::OrderId;
use crate::time::Time;

/// A sorted queue of deadlines, each with its order.
#[derive(Clone, Default)]
pub(super) struct Deadlines(VecDeque<(Time, OrderId)>);

impl Deadlines {
    /// Adds a deadline; one that is there already stays once.
    pub(super) fn insert(&mut self, deadline: Time, order: OrderId) {
        let entry = (deadline, order);
        if self.0.back().is_none_or(|last| *last < entry) {
            self.0.push_back(entry);
        } else if let Err(place) = self.0.binary_search(&entry) {
            self.0.insert(place, entry);
        }
    }

    pub(super) fn first(&self) -> Option<(Time, OrderId)> {
        self.0.front().copied()
    }

    pub(super) fn drop_front(&mut self) {
        self.0.pop_front();
    }

    /// Every deadline up to and including `now`, soonest first.
    pub(super) fn due(&self, now: Time) -> impl Iterator<Item = (Time, OrderId)> {
        self.0.iter().copied().take_while(move |(deadline, _)| *deadline <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorted_and_once() {
        let mut deadlines = Deadlines::default();
        for millis in [5, 1, 3, 5, 3, 9] {
            deadlines.insert(Time(millis), OrderId([millis as u8; 16]));
        }
        let due: Vec<i64> = deadlines.due(Time(5)).map(|(deadline, _)| deadline.0).collect();
        assert_eq!(due, [1, 3, 5]);
        deadlines.drop_front();
        assert_eq!(deadlines.first().map(|(deadline, _)| deadline), Some(Time(3)));
    }
}
