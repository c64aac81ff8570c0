//! What must be reached, for what always holds to mean anything.

use stateright::Property;

use super::Protocol;
use super::ledger::Event;
use super::reader::counted;
use super::state::{Call, Evidence, World};

/// What explorations have to come to.
pub(super) const ALL_ANSWERED: &str = "all are answered";
pub(super) const RACE_LOST: &str = "a race is lost";
pub(super) const BARRIER_ANSWERS: &str = "a barrier answers";
pub(super) const ANOTHER_HISTORY: &str = "another history follows a failover";
pub(super) const READ_WHAT_IS_GONE: &str = "a reader has read what is gone";
pub(super) const REBUILT: &str = "a reader has begun anew";
pub(super) const EXPIRES: &str = "a hold expires";

/// What this exploration has to come to.
pub(super) fn sometimes(protocol: &Protocol) -> Vec<Property<Protocol>> {
    let all = vec![
        Property::sometimes(ALL_ANSWERED, |_, world: &World| {
            world.calls.iter().all(|call| matches!(call, Call::Answered(_)))
        }),
        Property::sometimes(RACE_LOST, |protocol: &Protocol, world: &World| {
            let records = world.partition.log.iter().filter(|entry| entry.message.record().is_some()).count();
            records > counted(&protocol.rules, &world.partition.log).count()
        }),
        Property::sometimes(BARRIER_ANSWERS, |_, world: &World| {
            let by_state =
                |call: &Call| matches!(call, Call::Answered(answer) if matches!(answer.evidence, Evidence::State(_)));
            world.calls.iter().any(by_state)
        }),
        Property::sometimes(ANOTHER_HISTORY, |_, world: &World| {
            world.partition.term > 0 && world.partition.log.iter().any(|entry| entry.term == world.partition.term)
        }),
        Property::sometimes(READ_WHAT_IS_GONE, |_, world: &World| {
            world.lanes.iter().any(|lane| !lane.reader.head_is_there(&world.partition))
        }),
        Property::sometimes(REBUILT, |_, world: &World| {
            let unavailable = world.calls.contains(&Call::Unavailable);
            unavailable && world.lanes.iter().any(|lane| lane.reader.offset == 0 && world.partition.term > 0)
        }),
        Property::sometimes(EXPIRES, |protocol: &Protocol, world: &World| {
            world.truth(protocol).iter().any(|(event, _)| matches!(event, Event::Expired(_)))
        }),
    ];
    all.into_iter().filter(|property| protocol.scope.reached.contains(&property.name)).collect()
}
