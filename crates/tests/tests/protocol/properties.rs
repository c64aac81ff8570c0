//! What must always hold.

use stateright::Property;

use super::Protocol;
use super::answers::gives;
use super::ledger::{Books, Event, Outcome, Stand};
use super::reader::{counted, events};
use super::state::{Call, Evidence, Lane, Message, World};

pub(super) const NEVER_OVERSOLD: &str = "never oversold";
pub(super) const LIMIT_PER_PERSON: &str = "limit per person";
pub(super) const DECIDED_ONCE: &str = "decided once";
pub(super) const PAYING_NEVER_EXPIRES: &str = "a hold in payment never expires";
pub(super) const READERS_AGREE: &str = "readers agree";
pub(super) const ANSWERED_STAYS: &str = "an answered event stays";
pub(super) const ANSWERED_WAS_TRUE: &str = "an answered state was true";
pub(super) const GRANTED_STAYS: &str = "a granted hold is not refused";
pub(super) const NOBODY_STUCK: &str = "nobody is stuck";
pub(super) const LATE_IS_LATE: &str = "late is late";
pub(super) const NEVER_EARLY: &str = "never early";

pub(super) fn always() -> Vec<Property<Protocol>> {
    vec![
        Property::always(NEVER_OVERSOLD, |protocol, world| {
            at_every_prefix(protocol, world, |_, books, _| {
                books.taken(&protocol.scope.sale, None) <= protocol.scope.sale.stock
            })
        }),
        Property::always(LIMIT_PER_PERSON, |protocol, world| {
            at_every_prefix(protocol, world, |_, books, _| {
                let sale = &protocol.scope.sale;
                sale.persons.iter().all(|person| books.taken(sale, Some(*person)) <= sale.limit)
            })
        }),
        Property::always(DECIDED_ONCE, |protocol, world| {
            at_every_prefix(protocol, world, |before, _, event| {
                matches!(event, Event::Expired(_)) || before.allows(event)
            })
        }),
        Property::always(PAYING_NEVER_EXPIRES, |protocol, world| {
            at_every_prefix(protocol, world, |before, _, event| {
                !matches!(event, Event::Expired(_)) || before.allows(event)
            })
        }),
        Property::always(READERS_AGREE, readers_agree),
        Property::always(ANSWERED_STAYS, |protocol, world| answers_hold(protocol, world, true)),
        Property::always(ANSWERED_WAS_TRUE, |protocol, world| answers_hold(protocol, world, false)),
        Property::always(GRANTED_STAYS, |_, world: &World| {
            let taken_back =
                |call: &Call| matches!(call, Call::Answered(answer) if answer.evidence == Evidence::Granted);
            !world.calls.iter().any(taken_back)
        }),
        Property::always(LATE_IS_LATE, late_is_late),
        Property::always(NEVER_EARLY, |protocol, world: &World| {
            let earliest = world.lanes.iter().map(|lane| lane.clock).min().unwrap_or_default();
            at_every_prefix(protocol, world, |before, _, event| match event {
                Event::Expired(order) => !matches!(before.stand(order), Stand::Held(until) if earliest < until),
                _ => true,
            })
        }),
        Property::always(NOBODY_STUCK, |protocol: &Protocol, world: &World| {
            world.lanes.iter().all(|lane| moves_on(protocol, world, lane))
        }),
    ]
}

/// Holds each event of the journal against the books before and after it.
fn at_every_prefix(protocol: &Protocol, world: &World, holds: impl Fn(&Books, &Books, Event) -> bool) -> bool {
    let mut books = Books::new();
    events(counted(&protocol.rules, &world.partition.log)).all(|(event, at)| {
        let before = books;
        books.evolve(event, at);
        holds(&before, &books, event)
    })
}

/// Every reader whose last entry is still there has made of the log what anyone would make of it. (One whose last entry is
/// gone has yet to notice; until it reads on it answers nothing.)
fn readers_agree(protocol: &Protocol, world: &World) -> bool {
    world.lanes.iter().map(|lane| &lane.reader).filter(|reader| reader.head_is_there(&world.partition)).all(|reader| {
        let log = world.partition.log.get(..reader.offset);
        log.is_some_and(|log| counted(&protocol.rules, log).eq(&reader.journal))
    })
}

/// What clients were told is so in the journal, whatever has happened to the log since.
fn answers_hold(protocol: &Protocol, world: &World, about_events: bool) -> bool {
    if !world.calls.iter().any(|call| matches!(call, Call::Answered(_))) {
        return true;
    }
    let truth = world.truth(protocol);
    world.calls.iter().zip(&protocol.scope.commands).all(|(call, command)| {
        let Call::Answered(answer) = call else { return true };
        match answer.evidence {
            Evidence::NotNeeded | Evidence::Granted => true,
            Evidence::Event(event, index) => {
                !about_events || truth.get(index).is_some_and(|(other, _)| *other == event)
            }
            Evidence::NoEvent(_) => !about_events,
            Evidence::NoState => about_events,
            Evidence::State(count) => {
                about_events
                    || truth
                        .get(..count)
                        .is_some_and(|truth| gives(protocol, truth, *command, answer.outcome, answer.at))
            }
        }
    })
}

/// Who was told that an order is too late never sees it paid, unless it was taken up again.
fn late_is_late(protocol: &Protocol, world: &World) -> bool {
    let expired = |call: &Call| match call {
        Call::Answered(answer) if answer.outcome == Outcome::Expired => match answer.evidence {
            Evidence::State(count) => Some(count),
            _ => None,
        },
        _ => None,
    };
    let truth = world.truth(protocol);
    world.calls.iter().zip(&protocol.scope.commands).all(|(call, command)| {
        let Some(count) = expired(call) else { return true };
        let later = truth.iter().skip(count).find_map(|(event, _)| begins_or_reclaims(*event, command.order()));
        later != Some(true)
    })
}

/// Whether what a lane waits for can still come, however the rest of the world stands still.
fn moves_on(protocol: &Protocol, world: &World, lane: &Lane) -> bool {
    let (Some(flight), partition) = (lane.flights.first(), &world.partition) else { return true };
    let is_it = |message: &Message| message.id() == flight.message.id();
    let coming = partition.log.iter().skip(lane.reader.offset).any(|entry| is_it(&entry.message));
    let read = flight.seen.is_some_and(|(offset, term)| {
        partition.log.get(offset).is_some_and(|entry| entry.term == term && is_it(&entry.message))
    });
    coming || read || partition.wire.iter().any(is_it) || lane.reader.notices_a_cut(&protocol.rules, partition)
}

/// Whether an event pays the order (true) or takes it up again (false); none for any other.
fn begins_or_reclaims(event: Event, order: u8) -> Option<bool> {
    match event {
        Event::Begun(other, _) if other == order => Some(true),
        Event::Reclaimed(other, _) if other == order => Some(false),
        _ => None,
    }
}
