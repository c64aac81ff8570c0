//! Taking events back: for a ledger that decides before it knows whether its record counts.
//!
//! A batch is decided and applied as always, and beside it a [`Undo`] keeps what was there before. If another's record
//! turns out to come first, [`Offer::undo`] leaves the offer as if it had never seen the batch.

use super::event::Event;
use super::hold::{Hold, HoldState};
use super::offer::{Offer, Stock};
use super::terms::Terms;
use crate::ids::{EventId, OrderId};
use crate::time::Time;

/// What an offer was before some events.
#[derive(Clone, Debug)]
pub struct Undo {
    terms: Option<Terms>,
    stock: Stock,
    frozen: bool,
    seq: u64,
    last_at: Time,
    adjustments: Vec<EventId>,
    /// The hold of each event's order before the event, in the order of the events.
    holds: Vec<(OrderId, Option<Hold>)>,
}

impl Undo {
    /// The sequence number that taking back leads to.
    pub fn seq(&self) -> u64 {
        self.seq
    }
}

impl Offer {
    /// The beginning of events that may be taken back.
    pub fn undo_point(&self) -> Undo {
        Undo {
            terms: self.terms,
            stock: self.stock,
            frozen: self.frozen,
            seq: self.seq,
            last_at: self.last_at,
            adjustments: Vec::new(),
            holds: Vec::new(),
        }
    }

    /// [`Offer::evolve`], noting what was there before.
    pub fn evolve_noting(&mut self, event: &Event, at: Time, undo: &mut Undo) {
        match event {
            Event::Adjusted { id, .. } => undo.adjustments.push(*id),
            other => undo.holds.extend(other.order().map(|order| (order, self.hold(order).cloned()))),
        }
        self.evolve(event, at);
    }

    /// Takes every event back that was applied since [`Offer::undo_point`], all of them with [`Offer::evolve_noting`].
    /// Holds may have been recalled meanwhile, none forgotten.
    pub fn undo(&mut self, undo: Undo) {
        for (order, before) in undo.holds.into_iter().rev() {
            self.put_back(order, before);
        }
        for id in undo.adjustments {
            self.adjustments.remove(&id);
        }
        self.terms = undo.terms;
        self.stock = undo.stock;
        self.frozen = undo.frozen;
        self.seq = undo.seq;
        self.last_at = undo.last_at;
        self.drop_stale_deadlines();
    }

    fn put_back(&mut self, order: OrderId, before: Option<Hold>) {
        let Some(place) = self.holds.position(order) else {
            debug_assert!(false, "what is taken back is in memory");
            return;
        };
        let Some(before) = before else {
            if let Some(gone) = self.holds.remove(order) {
                self.set_units(gone.person, gone.units(), 0);
                self.deadlines.remove(gone.expires_at, place);
            }
            return;
        };
        let (person, units) = (before.person, before.units());
        let deadline = (before.state == HoldState::Held).then_some(before.expires_at);
        let now = self.holds.at(place).map_or(0, Hold::units);
        self.set_units(person, now, units);
        self.holds.insert(before);
        if let Some(deadline) = deadline {
            self.deadlines.insert(deadline, place);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::ids::OfferNumber;
    use crate::ledger::{Command, Outcome};
    use crate::testkit::Model;
    use crate::testkit::history::{Sale, Step};

    const START: Time = Time::from_millis(1_763_703_200_000);

    type Script = [(Command, Time)];

    fn script(steps: Vec<[u8; 4]>) -> Vec<(Command, Time)> {
        let sale = Sale { number: OfferNumber(7), start: START };
        let mut now = START;
        let mut script = vec![(Command::SetTerms(sale.first_terms()), now)];
        for [wait, what, which, how] in steps {
            let step = Step { wait, what, which, how };
            now = now + Sale::wait(step);
            script.push((sale.command(step), now));
        }
        script
    }

    /// Decides a batch at the time of its first command, as a lane does.
    fn batch(offer: &mut Offer, commands: &Script, undo: &mut Undo) -> (Vec<Outcome>, Vec<Event>) {
        let (mut outcomes, mut all) = (Vec::new(), Vec::new());
        let at = commands[0].1.max(offer.last_at());
        for (command, _) in commands {
            let mut events = Vec::new();
            outcomes.push(offer.decide(command, at, &mut events));
            events.iter().for_each(|event| offer.evolve_noting(event, at, undo));
            all.extend(events);
        }
        (outcomes, all)
    }

    /// Everything that an offer knows, and whom it would release when.
    fn all(offer: &Offer) -> impl PartialEq + std::fmt::Debug + use<> {
        let holds: BTreeMap<_, _> = offer.holds().map(|hold| (hold.order, hold.clone())).collect();
        let persons: BTreeMap<_, _> = offer.persons().collect();
        let due: Vec<Vec<OrderId>> = (0..400_u32)
            .step_by(5)
            .map(|millis| offer.due(START + Duration::from_millis(1) * millis).collect())
            .collect();
        (offer.snapshot(), offer.seq(), offer.next_deadline(), persons, holds, due)
    }

    /// Every batch is decided, taken back, decided once more on a lost race's state, and then for good.
    fn taken_back(script: &Script, size: usize, stray: usize) -> Result<(), TestCaseError> {
        let (mut offer, mut never, mut model) = (Offer::default(), Offer::default(), Model::default());
        for commands in script.chunks(size) {
            let mut undo = offer.undo_point();
            let first = batch(&mut offer, commands, &mut undo);
            offer.undo(undo);
            prop_assert_eq!(all(&offer), all(&never));

            // Another batch of the same history, which is taken back as well.
            let mut undo = offer.undo_point();
            let other: Vec<_> = script.iter().skip(stray).step_by(3).take(size).cloned().collect();
            if !other.is_empty() {
                batch(&mut offer, &other, &mut undo);
            }
            offer.undo(undo);
            prop_assert_eq!(all(&offer), all(&never));

            let mut undo = offer.undo_point();
            let again = batch(&mut offer, commands, &mut undo);
            prop_assert_eq!(&again, &first);
            let at = commands[0].1.max(never.last_at());
            let mut expected = (Vec::new(), Vec::new());
            for (command, _) in commands {
                let (outcome, events) = model.apply(command, at);
                events.iter().for_each(|event| never.evolve(event, at));
                expected.0.push(outcome);
                expected.1.extend(events);
            }
            prop_assert_eq!(&again, &expected);
            prop_assert_eq!(all(&offer), all(&never));
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(1_000), ..ProptestConfig::default() })]

        #[test]
        fn what_is_taken_back_never_was(
            steps in vec(any::<[u8; 4]>(), 1..80), size in 1_usize..12, stray in 0_usize..60,
        ) {
            taken_back(&script(steps), size, stray)?;
        }
    }

    #[test]
    fn deadlines_do_not_pile_up() {
        let mut offer = Offer::default();
        let script: Vec<_> = script((0..6).map(|which| [0, 0, which, 0]).collect());
        for _ in 0..1_000 {
            let mut undo = offer.undo_point();
            batch(&mut offer, &script, &mut undo);
            assert!(offer.hold_count() > 0);
            offer.undo(undo);
        }
        assert_eq!((offer.next_deadline(), offer.deadlines.due(Time(i64::MAX)).count()), (None, 0));
    }
}
