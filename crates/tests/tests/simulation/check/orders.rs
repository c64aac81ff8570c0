//! Orders: what was answered is there, and nothing else is.

use std::collections::BTreeMap;

use firstcome_core::ids::OrderId;
use firstcome_core::ledger::{Hold, HoldState, ReleaseReason};

use super::Checker;
use crate::simulation::story::{Told, Wish};

impl Checker<'_> {
    pub(super) fn orders(&mut self) {
        for wish in self.story {
            self.answered(wish);
            self.canceled(wish);
        }
        self.nothing_else();
        self.in_turn();
        for (order, hold) in &self.books.orders {
            if hold.state.is_open() {
                self.report("unfinished", format!("{order} is {:?}", hold.state));
            }
        }
    }

    pub(super) fn hold_of(&self, wish: &Wish) -> Option<&Hold> {
        let order: OrderId = wish.order.ok()?.id.parse().ok()?;
        self.books.orders.get(&order)
    }

    fn answered(&mut self, wish: &Wish) {
        if wish.order.is_unknown() {
            self.report("never_answered", format!("{wish:?}"));
        }
        let Some(placed) = wish.order.ok() else { return };
        let Some(hold) = self.hold_of(wish) else {
            return self.report("lost_order", format!("{wish:?}"));
        };
        let offer = &self.offers[wish.offer];
        let told = (wish.buyer, offer.number(), wish.quantity, placed.amount, placed.seq);
        let found = (hold.person, hold.order.home(), hold.quantity, hold.total().amount, hold.granted_seq);
        if told != found {
            self.report("changed_order", format!("told {told:?}, found {found:?}"));
        }
        for again in &wish.again {
            match again {
                Told::Ok(same) if same != placed => self.report("another_answer", format!("{wish:?}")),
                Told::No(_) => self.report("another_answer", format!("{wish:?}")),
                _ => {}
            }
        }
        match &wish.changed {
            Told::Ok(_) => self.report("key_reused", format!("{wish:?}")),
            Told::No(code) if code != "idempotency_key_reused" => self.report("key_reused", format!("{wish:?}")),
            _ => {}
        }
    }

    fn nothing_else(&mut self) {
        let mut known: BTreeMap<&str, usize> = BTreeMap::new();
        for wish in self.story {
            let Some(placed) = wish.order.ok() else { continue };
            if known.insert(&placed.id, wish.number).is_some() {
                self.report("shared_order", format!("{wish:?}"));
            }
        }
        for order in self.books.orders.keys() {
            if !known.contains_key(order.to_string().as_str()) {
                self.report("phantom_order", format!("nobody was told of {order}"));
            }
        }
    }

    /// Whoever had an answer before another one asked is earlier in line.
    fn in_turn(&mut self) {
        for earlier in self.story {
            for later in self.story.iter().filter(|later| later.offer == earlier.offer) {
                let (Some(first), Some(second)) = (earlier.order.ok(), later.order.ok()) else { continue };
                if earlier.answered < later.sent && first.seq > second.seq {
                    self.report("out_of_turn", format!("{earlier:?} and {later:?}"));
                }
            }
        }
    }

    fn canceled(&mut self, wish: &Wish) {
        let Some(hold) = self.hold_of(wish) else { return };
        let over = match hold.state {
            HoldState::Returned => true,
            HoldState::Released => hold.reason == ReleaseReason::Canceled,
            _ => false,
        };
        let was_used = wish.uses.values().any(|told| !matches!(told, Told::No(_)));
        let (hold, state) = (hold.order, hold.state);
        match &wish.cancel {
            Told::Ok(_) if !over && !was_used => self.report("cancel_lost", format!("{hold} is {state:?}: {wish:?}")),
            Told::No(_) if over && !wish.console => {
                self.report("canceled_after_refusal", format!("{hold} is {state:?}: {wish:?}"));
            }
            _ => {}
        }
    }
}
