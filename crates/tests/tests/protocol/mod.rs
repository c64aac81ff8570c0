//! The cluster's protocol as a model, explored breadth first by `stateright`.
//!
//! **The world.** One partition: messages land in the leader's log whenever they like, or never, or twice; enough replicas
//! have a part of the log, and a failover cuts off the rest, after which another history may follow. Readers see what enough
//! replicas have; in a `lonely` scope also what the leader alone has, as in a Kafka whose replicas in sync became too few.
//! Two or three lanes, each with what it has read and made of it, an archive, a queue, batches that wait. Clients ask any lane
//! at any time. A lane may die at any step, stop waiting for an append, and its clock may differ from the others'.
//!
//! **Redis is not here**, and that is the point: what it advises is whose turn it is, and here every lane appends whenever it
//! likes. So nothing that Redis does can do harm: not when it is emptied, split, rolled back or dead.
//!
//! **What is claimed** is in `properties.rs`, the rules that bring it about in `rules.rs`. `check.rs` explores with every rule
//! on and finds nothing; `controls.rs` takes out one rule at a time and finds what it prevents; `real.rs` holds the model's
//! small ledger to the real one. `FIRSTCOME_MODEL_DEPTH=24` explores larger scopes, to that depth (one test at a time, with
//! some memory: `-- --test-threads=1`).
//!
//! The model leaves out: several offers, orders over several of them, changes of terms, several partitions.

mod answers;
mod broker;
mod check;
mod controls;
mod explore;
mod lane;
mod ledger;
mod properties;
mod reached;
mod reader;
mod reading;
mod real;
mod rules;
mod scopes;
mod state;
mod steps;
mod story;

use stateright::{Model, Property};

use self::rules::{Rules, Scope};
use self::state::{Call, Lane, Luck, Partition, World};
use self::steps::Step;

/// The model: which rules hold, and how far it goes.
#[derive(Clone, Debug)]
struct Protocol {
    rules: Rules,
    scope: Scope,
    /// The one property to look at; all when none is named.
    watched: Option<&'static str>,
}

impl Model for Protocol {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        let Scope { commands, lanes, failovers, crashes, give_ups, duplicates, .. } = &self.scope;
        vec![World {
            partition: Partition::default(),
            lanes: vec![Lane::default(); *lanes],
            calls: vec![Call::Planned; commands.len()],
            told: 0,
            luck: Luck { failovers: *failovers, crashes: *crashes, give_ups: *give_ups, duplicates: *duplicates },
        }]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        self.steps(world, steps);
    }

    fn next_state(&self, world: &World, step: Step) -> Option<World> {
        let mut next = self.after(world, step);
        // Lanes are alike, so worlds that differ in their order are one. A trace for people keeps the order.
        if self.watched.is_none() {
            next.lanes.sort_unstable();
        }
        (next != *world).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = properties::always();
        if let Some(watched) = self.watched {
            properties.retain(|property| property.name == watched);
        } else {
            properties.extend(reached::sometimes(self));
        }
        properties
    }
}
