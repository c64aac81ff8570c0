//! The small ledger is the real one made small: wherever both can come, they decide alike.

use std::collections::HashSet;
use std::time::Duration;

use firstcome_core::ids::{OfferId, OrderId, PaymentId, RefundId, UserId};
use firstcome_core::ledger::{
    Command as RealCommand, Event as RealEvent, Hold, HoldRequest, HoldState, Now, Offer, Outcome as RealOutcome,
    ReleaseReason, Terms,
};
use firstcome_core::money::{Currency, Money};
use firstcome_core::time::Time;

use super::explore::say;
use super::ledger::Command::{Begin, Commit, End, Hold as HoldUnit, Reclaim, Release, Return};
use super::ledger::{Attempt, Books, Command, Event, Moment, Order, Outcome, Sale, Stand};
use super::rules::{ALL, Rules};
use super::scopes::{ONE_PERSON, ONE_UNIT};

/// The orders that are tried, and the last moment.
const TRIED: Order = 2;
const LAST: Moment = 3;

const MOMENT: i64 = 1_000_000;

#[test]
fn the_small_ledger_decides_like_the_real_one() {
    let all = [true, false].map(|lateness_is_sure| Rules { lateness_is_sure, ..ALL });
    for (rules, sale) in all.iter().flat_map(|rules| [(rules, ONE_UNIT), (rules, ONE_PERSON)]) {
        let (states, decisions) = compare(rules, &sale);
        say(&format!("{states} states, {decisions} decisions alike"));
        assert!(states > 200, "only {states} states were compared");
    }
}

fn commands() -> impl Iterator<Item = Command> {
    (0..TRIED).flat_map(|order| {
        let with_attempt = [1, 2].map(|attempt| [Begin(order, attempt), End(order, attempt), Commit(order, attempt)]);
        let plain = [HoldUnit(order), Release(order), Reclaim(order), Return(order)];
        with_attempt.into_iter().flatten().chain(plain)
    })
}

/// Goes through every state that the commands reach; says how many, and how many decisions were compared.
fn compare(rules: &Rules, sale: &Sale) -> (usize, usize) {
    let mut seen = HashSet::from([Books::new()]);
    let mut waiting = vec![(Books::new(), opened(sale))];
    let mut decisions = 0;
    while let Some((books, offer)) = waiting.pop() {
        for now in books.last_at..=LAST {
            for command in commands() {
                decisions += 1;
                let (outcome, event) = books.decide(sale, command, now, rules.passed(now));
                let mut real_events = Vec::new();
                let real_outcome = offer.decide(&real_command(sale, command), real_now(rules, now), &mut real_events);
                assert_eq!(small_outcome(&real_outcome), outcome, "{command:?} at {now} on {books:?}");
                assert_eq!(real_events.iter().map(small_event).next(), event, "{command:?} at {now} on {books:?}");
                follow(sale, (&books, &offer), (event.as_slice(), &real_events), now, &mut seen, &mut waiting);
            }
            let due: Vec<Event> = books.due(rules.passed(now)).map(Event::Expired).collect();
            let mut real_events = Vec::new();
            offer.decide(&RealCommand::Expire, real_now(rules, now), &mut real_events);
            assert_eq!(offer.is_due(real_now(rules, now)), !real_events.is_empty(), "due at {now} on {books:?}");
            let mut real_due: Vec<Event> = real_events.iter().map(small_event).collect();
            real_due.sort_unstable();
            assert_eq!(real_due, due, "expiry at {now} on {books:?}");
            follow(sale, (&books, &offer), (&due, &real_events), now, &mut seen, &mut waiting);
        }
    }
    (seen.len(), decisions)
}

/// Applies the events to both; a new state is looked at later.
fn follow(
    sale: &Sale,
    (books, offer): (&Books, &Offer),
    (events, real_events): (&[Event], &[RealEvent]),
    now: Moment,
    seen: &mut HashSet<Books>,
    waiting: &mut Vec<(Books, Offer)>,
) {
    let (mut books, mut offer) = (*books, offer.clone());
    for event in events {
        assert!(books.allows(*event), "{event:?} on {books:?}");
        books.evolve(*event, now);
    }
    for event in real_events {
        offer.evolve(event, time(now));
    }
    for order in 0..TRIED {
        assert_eq!(offer.hold(order_id(order)).map_or(Stand::Unknown, stand), books.stand(order));
    }
    assert_eq!(offer.stock().held + offer.stock().sold, u64::from(books.taken(sale, None)));
    if seen.insert(books) {
        waiting.push((books, offer));
    }
}

fn real_now(rules: &Rules, now: Moment) -> Now {
    let doubt = u64::from(rules.lateness_is_sure) * MOMENT as u64;
    Now { at: time(now), doubt: Duration::from_micros(doubt) }
}

fn opened(sale: &Sale) -> Offer {
    let terms = Terms {
        offer: OfferId([1; 16]),
        version: 1,
        initial_stock: u64::from(sale.stock),
        price: Money::new(1000, Currency::KRW),
        limit_per_person: Some(u32::from(sale.limit)),
        max_per_order: 1,
        opens_at: Time(0),
        closes_at: None,
        hold_for_ms: (MOMENT / 1000) as u32,
        usable_until: None,
    };
    let mut offer = Offer::default();
    offer.evolve(&RealEvent::TermsSet(terms), Time(0));
    offer
}

fn time(moment: Moment) -> Time {
    Time(i64::from(moment) * MOMENT)
}

fn moment(time: Time) -> Moment {
    (time.0 / MOMENT) as Moment
}

fn order_id(order: Order) -> OrderId {
    OrderId([order + 1; 16])
}

fn order(id: OrderId) -> Order {
    id.0[0] - 1
}

fn payment(attempt: Attempt) -> PaymentId {
    PaymentId([attempt; 16])
}

fn attempt(id: PaymentId) -> Attempt {
    id.0[0]
}

fn real_command(sale: &Sale, command: Command) -> RealCommand {
    let order = order_id(command.order());
    match command {
        HoldUnit(number) => RealCommand::Hold(HoldRequest {
            order,
            person: UserId([sale.persons[usize::from(number)] + 1; 16]),
            quantity: 1,
            unit_price: None,
            digest: 1,
            discount: 0,
            facts: None,
        }),
        Begin(_, number) => RealCommand::BeginPayment { order, attempt: payment(number) },
        End(_, number) => RealCommand::EndPayment { order, attempt: payment(number) },
        Commit(_, number) => RealCommand::Commit { order, attempt: payment(number) },
        Release(_) => RealCommand::Release { order, reason: ReleaseReason::Canceled },
        Reclaim(_) => RealCommand::Reclaim { order, attempt: None },
        Return(_) => RealCommand::Return { order, return_id: RefundId([1; 16]), quantity: 1, restock: true },
    }
}

fn stand(hold: &Hold) -> Stand {
    let (attempt, until) = (attempt(hold.attempt), moment(hold.expires_at));
    match hold.state {
        HoldState::Prepared => unreachable!("nothing is prepared here"),
        HoldState::Held => Stand::Held(until),
        HoldState::Paying => Stand::Paying(attempt, until),
        HoldState::Sold => Stand::Sold(attempt),
        HoldState::Returned => Stand::Returned(attempt),
        HoldState::Released if hold.reason == ReleaseReason::Expired => Stand::Expired,
        HoldState::Released => Stand::Canceled,
    }
}

fn small_outcome(outcome: &RealOutcome) -> Outcome {
    match outcome {
        RealOutcome::Held(hold) => Outcome::Held(moment(hold.expires_at)),
        RealOutcome::AlreadyHeld(hold) => Outcome::AlreadyHeld(stand(hold)),
        RealOutcome::Refused(_) => Outcome::Refused,
        RealOutcome::Paying(hold) => Outcome::Paying(attempt(hold.attempt)),
        RealOutcome::PaymentInProgress { attempt: live } => Outcome::InProgress(attempt(*live)),
        RealOutcome::PaymentEnded(_) => Outcome::Ended,
        RealOutcome::Committed { .. } => Outcome::Committed,
        RealOutcome::AlreadyCommitted { attempt: paid, .. } => Outcome::AlreadyCommitted(attempt(*paid)),
        RealOutcome::AlreadySold { attempt: paid } => Outcome::AlreadySold(attempt(*paid)),
        RealOutcome::Released { .. } => Outcome::Released,
        RealOutcome::AlreadyReleased { .. } => Outcome::AlreadyReleased,
        RealOutcome::InPayment { attempt: live } => Outcome::InPayment(attempt(*live)),
        RealOutcome::Returned { .. } => Outcome::Returned,
        RealOutcome::NotSold => Outcome::NotSold,
        RealOutcome::Expired => Outcome::Expired,
        RealOutcome::Gone => Outcome::Gone,
        RealOutcome::Unknown => Outcome::Unknown,
        other => unreachable!("not in this model: {other:?}"),
    }
}

fn small_event(event: &RealEvent) -> Event {
    match event {
        RealEvent::Held(granted) => Event::Held(order(granted.order), moment(granted.expires_at)),
        RealEvent::PaymentBegun { order: id, attempt: number } => Event::Begun(order(*id), attempt(*number)),
        RealEvent::PaymentEnded { order: id, attempt: number } => Event::Ended(order(*id), attempt(*number)),
        RealEvent::Committed { order: id, attempt: number } => Event::Committed(order(*id), attempt(*number)),
        RealEvent::Released { order: id, reason: ReleaseReason::Expired } => Event::Expired(order(*id)),
        RealEvent::Released { order: id, .. } => Event::Canceled(order(*id)),
        RealEvent::Reclaimed { order: id, expires_at } => Event::Reclaimed(order(*id), moment(*expires_at)),
        RealEvent::Returned { order: id, .. } => Event::Returned(order(*id)),
        other => unreachable!("not in this model: {other:?}"),
    }
}
