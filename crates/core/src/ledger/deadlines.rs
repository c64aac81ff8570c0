//! When holds expire, soonest first.
//!
//! Deadlines come almost in order, so a queue takes them at its end. All holds of a batch have the same deadline; such a
//! run is kept as it came, and whoever reads it puts it in order. A hold is named by its place in memory, which is a
//! quarter of its order's id. An entry is not removed when its hold is paid or released, so it can name a hold that does
//! not expire then, or another that took its place: whoever reads an entry looks at the hold.

use std::collections::VecDeque;

use crate::time::Time;

/// Packed: at an opening there are as many of these as holds.
#[derive(Clone, Copy)]
#[repr(C, packed(4))]
struct Entry {
    deadline: Time,
    place: u32,
}

impl Entry {
    // By value: nothing may refer into what is packed.
    fn deadline(self) -> Time {
        self.deadline
    }
}

/// A queue of deadlines, each with the place of its hold.
#[derive(Clone, Default)]
pub(super) struct Deadlines(VecDeque<Entry>);

impl Deadlines {
    /// Adds the deadline of a hold that has none yet.
    pub(super) fn insert_new(&mut self, deadline: Time, place: u32) {
        self.0.insert(self.first_after(deadline), Entry { deadline, place });
    }

    /// Adds a deadline; one that is there already stays once.
    pub(super) fn insert(&mut self, deadline: Time, place: u32) {
        let after = self.first_after(deadline);
        let mut run = self.0.range(..after).rev().take_while(|other| other.deadline() == deadline);
        if run.all(|other| other.place != place) {
            self.0.insert(after, Entry { deadline, place });
        }
    }

    /// Removes the deadline that was added last of this time and place, if it is there.
    pub(super) fn remove(&mut self, deadline: Time, place: u32) {
        let after = self.first_after(deadline);
        let mut run = self.0.range(..after).rev().take_while(|other| other.deadline() == deadline);
        if let Some(distance) = run.position(|other| other.place == place) {
            self.0.remove(after - 1 - distance);
        }
    }

    fn first_after(&self, deadline: Time) -> usize {
        if self.0.back().is_none_or(|last| last.deadline() <= deadline) {
            return self.0.len();
        }
        self.0.partition_point(|other| other.deadline() <= deadline)
    }

    pub(super) fn first(&self) -> Option<(Time, u32)> {
        self.0.front().map(|entry| (entry.deadline(), entry.place))
    }

    pub(super) fn drop_front(&mut self) {
        self.0.pop_front();
    }

    /// Every deadline up to and including `now`, soonest first, each with its places in no order.
    pub(super) fn due(&self, now: Time) -> impl Iterator<Item = (Time, Vec<u32>)> {
        let mut next = 0;
        std::iter::from_fn(move || {
            let deadline = self.0.get(next)?.deadline();
            let run = self.0.range(next..).take_while(|other| other.deadline() == deadline);
            let run: Vec<u32> = run.map(|entry| entry.place).collect();
            next += run.len();
            (deadline <= now).then_some((deadline, run))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorted_and_once() {
        let mut deadlines = Deadlines::default();
        for (millis, place) in [(5, 1), (1, 2), (3, 3), (5, 1), (3, 3), (9, 4), (3, 5)] {
            deadlines.insert(Time(millis), place);
        }
        deadlines.insert_new(Time(4), 6);
        let due: Vec<_> = deadlines.due(Time(5)).collect();
        assert_eq!(due, [(Time(1), vec![2]), (Time(3), vec![3, 5]), (Time(4), vec![6]), (Time(5), vec![1])]);
        deadlines.drop_front();
        assert_eq!(deadlines.first(), Some((Time(3), 3)));
        deadlines.remove(Time(3), 3);
        deadlines.remove(Time(3), 9);
        assert_eq!(deadlines.first(), Some((Time(3), 5)));
    }
}
