//! When holds expire, soonest first; among equals by order, so that the same history always releases in the same way.
//!
//! Deadlines come almost in order, so a queue takes them at its end. All holds of a batch have the same deadline: such a
//! run is kept as it came and sorted only when it is due. An entry is not removed when its hold is paid or released;
//! whoever reads the queue skips it, and [`Deadlines::drop_front`] removes it when it reaches the front.

use std::collections::VecDeque;

use crate::ids::OrderId;
use crate::time::Time;

/// A queue of deadlines, each with its order.
#[derive(Clone, Default)]
pub(super) struct Deadlines(VecDeque<(Time, OrderId)>);

impl Deadlines {
    /// Adds the deadline of an order that has none yet.
    pub(super) fn insert_new(&mut self, deadline: Time, order: OrderId) {
        if self.0.back().is_none_or(|(last, _)| *last <= deadline) {
            self.0.push_back((deadline, order));
        } else {
            self.0.insert(self.first_after(deadline), (deadline, order));
        }
    }

    /// Adds a deadline; one that is there already stays once.
    pub(super) fn insert(&mut self, deadline: Time, order: OrderId) {
        let after = self.first_after(deadline);
        let mut run = self.0.range(..after).rev().take_while(|(other, _)| *other == deadline);
        if run.all(|(_, other)| *other != order) {
            self.0.insert(after, (deadline, order));
        }
    }

    fn first_after(&self, deadline: Time) -> usize {
        if self.0.back().is_none_or(|(last, _)| *last <= deadline) {
            return self.0.len();
        }
        self.0.partition_point(|(other, _)| *other <= deadline)
    }

    pub(super) fn first(&self) -> Option<(Time, OrderId)> {
        self.0.front().copied()
    }

    pub(super) fn drop_front(&mut self) {
        self.0.pop_front();
    }

    /// Every deadline up to and including `now`, soonest first.
    pub(super) fn due(&self, now: Time) -> impl Iterator<Item = (Time, OrderId)> {
        let mut next = 0;
        let runs = std::iter::from_fn(move || {
            let (deadline, _) = *self.0.get(next).filter(|(deadline, _)| *deadline <= now)?;
            let mut run: Vec<_> = self.0.range(next..).take_while(|(other, _)| *other == deadline).copied().collect();
            next += run.len();
            run.sort_unstable();
            Some(run)
        });
        runs.flatten()
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

    #[test]
    fn equals_by_order() {
        let mut deadlines = Deadlines::default();
        for (millis, order) in [(7, 3), (7, 1), (7, 2), (4, 9), (8, 0), (4, 8)] {
            deadlines.insert_new(Time(millis), OrderId([order; 16]));
        }
        deadlines.insert(Time(7), OrderId([1; 16]));
        let due: Vec<u8> = deadlines.due(Time(7)).map(|(_, order)| order.0[0]).collect();
        assert_eq!(due, [8, 9, 1, 2, 3]);
    }
}
