//! The state machine against the model: random histories must give the same, command for command and event for event.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::history::{Sale, Seeded, Step};
use super::{Auditor, Model};
use crate::ids::{AddressId, EventId, OfferId, OfferNumber, OrderId, PaymentId, RefundId, UserId, VoucherId};
use crate::ledger::{
    CardPart, Command, Digest, EXPIRE_AT_MOST, Event, Facts, Granted, Hold, HoldRequest, Line, Offer, Outcome, Record,
    ReleaseReason, Return, TaxFacts, Terms,
};
use crate::money::{Currency, Money};
use crate::ports::JournalEntry;
use crate::time::Time;

const START: Time = Time::from_millis(1_763_703_200_000);

fn sale() -> Sale {
    Sale { number: OfferNumber(7), start: START }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = any::<[u8; 4]>().prop_map(|[wait, what, which, how]| Step { wait, what, which, how });
    vec(step, 0..120)
}

/// The commands of a history with their times. Now and then the clock is set back.
fn script(first: bool, steps: &[Step]) -> Vec<(Command, Time)> {
    let mut now = START;
    let mut script: Vec<_> = first.then(|| (Command::SetTerms(sale().first_terms()), now)).into_iter().collect();
    for step in steps {
        now = if step.wait == 255 { Time(now.0 - 7_000) } else { now + Sale::wait(*step) };
        script.push((sale().command(*step), now));
    }
    script
}

fn decide(offer: &mut Offer, command: &Command, now: Time) -> (Outcome, Vec<Event>) {
    let mut events = Vec::new();
    let now = now.max(offer.last_at());
    let outcome = offer.decide(command, now, &mut events);
    for event in &events {
        offer.evolve(event, now);
    }
    (outcome, events)
}

/// Everything that an offer knows, in an order that can be compared.
fn all(offer: &Offer) -> impl PartialEq + std::fmt::Debug + use<> {
    let holds: BTreeMap<_, _> = offer.holds().map(|hold| (hold.order, hold.clone())).collect();
    let persons: BTreeMap<_, _> = offer.persons().collect();
    (offer.snapshot(), offer.seq(), offer.last_at(), offer.next_deadline(), persons, holds)
}

/// A journal with one record per command that changed anything.
#[derive(Default)]
struct Journal {
    entries: Vec<JournalEntry>,
    seq: u64,
    last_at: Time,
    head: Digest,
}

impl Journal {
    fn push(&mut self, events: Vec<Event>, at: Time) -> Option<&JournalEntry> {
        if events.is_empty() {
            return None;
        }
        self.last_at = self.last_at.max(at);
        let first_seq = self.seq + 1;
        self.seq += events.len() as u64;
        let (offer, id) = (sale().number, EventId([1; 16]));
        let record = Record { offer, id, prev: self.head, first_seq, at: self.last_at, events };
        self.head = Record::hash(&record.encode());
        let position = self.entries.len() as i64 + 1;
        self.entries.push(JournalEntry { position, record: Arc::new(record), hash: self.head });
        self.entries.last()
    }
}

/// Runs a history on both; everything must be the same after every command, and every promise kept at every event.
fn same_as_the_model(first: bool, steps: &[Step]) -> Result<(), TestCaseError> {
    let (mut offer, mut model) = (Offer::default(), Model::default());
    let (mut journal, mut auditor) = (Journal::default(), Auditor::default());
    for (command, now) in script(first, steps) {
        let found = decide(&mut offer, &command, now);
        prop_assert_eq!(&found, &model.apply(&command, now), "at {:?} by {:?}", now, command);
        if let Some(entry) = journal.push(found.1, now) {
            auditor.take(entry);
        }
        if let Some(snapshot) = offer.snapshot() {
            auditor.compare(sale().number, &snapshot);
        }
        prop_assert_eq!(auditor.found(), 0, "{}", auditor.finish());
        prop_assert_eq!(offer.terms().copied(), model.terms());
        prop_assert_eq!((offer.stock().stock, offer.is_frozen()), (model.stock(), model.frozen()));
        prop_assert_eq!((offer.stock().held, offer.stock().sold), (model.held(), model.sold()));
        prop_assert_eq!(offer.stock().available() + offer.stock().held + offer.stock().sold, offer.stock().stock);
        let holds: BTreeMap<_, _> = offer.holds().map(|hold| (hold.order, hold)).collect();
        prop_assert!(holds.values().copied().eq(model.holds()), "{:?}", holds);
        for hold in model.holds() {
            prop_assert_eq!(u64::from(offer.owned(hold.person)), model.owned(hold.person));
        }
    }
    let audit = auditor.finish();
    prop_assert!(audit.check().is_ok(), "{}", audit);
    let mut replayed = Offer::default();
    for entry in &journal.entries {
        let read = Record::decode(&entry.record.encode()).expect("what was written can be read");
        read.events.iter().for_each(|event| replayed.evolve(event, read.at));
    }
    prop_assert_eq!(all(&replayed), all(&offer));
    Ok(())
}

/// An offer whose settled holds leave memory after every command, and which starts anew from its snapshot now and then.
struct Forgetful {
    offer: Offer,
    archive: BTreeMap<OrderId, Hold>,
}

impl Forgetful {
    fn decide(&mut self, command: &Command, now: Time) -> (Outcome, Vec<Event>) {
        let order = command.order().filter(|order| self.offer.hold(*order).is_none());
        if let Some(hold) = order.and_then(|order| self.archive.remove(&order)) {
            self.offer.recall(hold);
        }
        let decided = decide(&mut self.offer, command, now);
        for hold in self.offer.holds().cloned().collect::<Vec<_>>() {
            let open = hold.state.is_open();
            assert!(!self.offer.forget(hold.order, hold.seq - 1), "it changed since");
            assert_eq!(self.offer.forget(hold.order, hold.seq), !open);
            if !open {
                self.archive.insert(hold.order, hold);
            }
        }
        decided
    }

    fn restart(&mut self) {
        if let Some(snapshot) = self.offer.snapshot() {
            let holds: Vec<_> = self.offer.holds().cloned().collect();
            let persons = self.offer.persons().collect();
            self.offer = Offer::restore(snapshot, holds, persons);
        }
    }
}

fn forgetting_changes_nothing(steps: &[Step]) -> Result<(), TestCaseError> {
    let mut whole = Offer::default();
    let mut forgetful = Forgetful { offer: Offer::default(), archive: BTreeMap::new() };
    for (index, (command, now)) in script(true, steps).into_iter().enumerate() {
        prop_assert_eq!(forgetful.decide(&command, now), decide(&mut whole, &command, now), "by {:?}", command);
        if index % 7 == 6 {
            forgetful.restart();
        }
        prop_assert_eq!(forgetful.offer.next_deadline(), whole.next_deadline());
    }
    for hold in std::mem::take(&mut forgetful.archive).into_values() {
        forgetful.offer.recall(hold);
    }
    prop_assert_eq!(all(&forgetful.offer), all(&whole));
    Ok(())
}

fn money() -> impl Strategy<Value = Money> {
    (any::<i64>(), "[A-Z]{3}").prop_map(|(amount, currency)| Money::new(amount, currency.parse().expect("capitals")))
}

fn line() -> impl Strategy<Value = Line> {
    (any::<[u8; 16]>(), any::<u32>(), money(), any::<Option<u64>>())
        .prop_map(|(offer, quantity, unit_price, seq)| Line { offer: OfferId(offer), quantity, unit_price, seq })
}

fn facts() -> impl Strategy<Value = Facts> {
    let returned = (any::<[u8; 16]>(), any::<u32>(), any::<u64>()).prop_map(|(id, quantity, seq)| Return {
        id: RefundId(id),
        quantity,
        seq,
    });
    let (address, coupon) = (any::<Option<[u8; 16]>>(), any::<Option<[u8; 16]>>());
    let by_card = (any::<[u8; 16]>(), any::<u32>(), any::<i64>()).prop_map(|(card, account, amount)| CardPart {
        card: VoucherId(card),
        account: OfferNumber(account),
        amount,
    });
    let by_card = proptest::option::of(by_card);
    let tax = (any::<u8>(), vec(any::<u32>().prop_map(OfferNumber), 0..3));
    let tax = proptest::option::of(tax.prop_map(|(percent, free)| TaxFacts { percent, free }));
    let terms = (any::<Option<i64>>(), any::<Option<u16>>());
    (address, coupon, vec(line(), 0..3), vec(returned, 0..3), by_card, tax, terms).prop_map(
        |(address, coupon, other_lines, returns, by_card, tax, (shipping_fee, days_to_return))| {
            let (address, coupon) = (address.map(AddressId), coupon.map(VoucherId));
            Facts { address, coupon, other_lines, returns, by_card, tax, shipping_fee, days_to_return }
        },
    )
}

fn granted() -> impl Strategy<Value = Granted> {
    let ids = (any::<[u8; 16]>(), any::<[u8; 16]>());
    let numbers = (any::<u32>(), any::<i64>(), any::<u64>(), any::<i64>(), any::<u32>());
    (ids, numbers, money(), proptest::option::of(facts())).prop_map(
        |((order, person), (quantity, discount, digest, expires_at, terms_version), unit_price, facts)| Granted {
            order: OrderId(order),
            person: UserId(person),
            quantity,
            unit_price,
            discount,
            digest,
            expires_at: Time(expires_at),
            terms_version,
            facts: facts.map(Box::new),
        },
    )
}

fn terms() -> impl Strategy<Value = Terms> {
    let limits = (any::<u32>(), any::<u64>(), any::<Option<u32>>(), any::<u32>());
    let times = (any::<i64>(), any::<Option<i64>>(), any::<u32>(), any::<Option<i64>>());
    (any::<[u8; 16]>(), limits, money(), times).prop_map(
        |(offer, limits, price, (opens_at, closes_at, hold_for_ms, usable_until))| {
            let (version, initial_stock, limit_per_person, max_per_order) = limits;
            Terms {
                offer: OfferId(offer),
                version,
                initial_stock,
                price,
                limit_per_person,
                max_per_order,
                opens_at: Time(opens_at),
                closes_at: closes_at.map(Time),
                hold_for_ms,
                usable_until: usable_until.map(Time),
            }
        },
    )
}

fn reason() -> impl Strategy<Value = ReleaseReason> {
    prop_oneof![
        Just(ReleaseReason::Expired),
        Just(ReleaseReason::Canceled),
        Just(ReleaseReason::Failed),
        Just(ReleaseReason::Aborted),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let order = || any::<[u8; 16]>().prop_map(OrderId);
    let attempt = || any::<[u8; 16]>().prop_map(PaymentId);
    let time = || any::<i64>().prop_map(Time);
    let returned = (order(), any::<[u8; 16]>(), any::<u32>(), any::<bool>());
    prop_oneof![
        granted().prop_map(Event::Held),
        granted().prop_map(Event::Sold),
        granted().prop_map(Event::Prepared),
        (order(), time()).prop_map(|(order, expires_at)| Event::Promoted { order, expires_at }),
        (order(), any::<[u8; 16]>()).prop_map(|(order, person)| Event::OrderAborted { order, person: UserId(person) }),
        (order(), attempt()).prop_map(|(order, attempt)| Event::PaymentBegun { order, attempt }),
        (order(), attempt()).prop_map(|(order, attempt)| Event::PaymentEnded { order, attempt }),
        (order(), attempt()).prop_map(|(order, attempt)| Event::Committed { order, attempt }),
        (order(), reason()).prop_map(|(order, reason)| Event::Released { order, reason }),
        (order(), time()).prop_map(|(order, expires_at)| Event::Reclaimed { order, expires_at }),
        returned.prop_map(|(order, id, quantity, restock)| Event::Returned {
            order,
            return_id: RefundId(id),
            quantity,
            restock
        }),
        terms().prop_map(Event::TermsSet),
        (any::<[u8; 16]>(), any::<i64>()).prop_map(|(id, delta)| Event::Adjusted { id: EventId(id), delta }),
        Just(Event::Frozen),
        Just(Event::Unfrozen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(1_000), ..ProptestConfig::default() })]

    #[test]
    fn the_state_machine_and_the_model_agree(first in prop::bool::weighted(0.95), steps in steps()) {
        same_as_the_model(first, &steps)?;
    }

    #[test]
    fn to_forget_recall_and_restart_changes_nothing(steps in steps()) {
        forgetting_changes_nothing(&steps)?;
    }

    #[test]
    fn records_are_read_as_they_were_written(
        events in vec(event(), 1..6),
        (offer, id, prev) in (any::<u32>(), any::<[u8; 16]>(), any::<[u8; 32]>()),
        (first_seq, at) in (1..u64::MAX / 2, any::<i64>()),
    ) {
        let record = Record { offer: OfferNumber(offer), id: EventId(id), prev, first_seq, at: Time(at), events };
        let bytes = record.encode();
        prop_assert_eq!(Record::decode(&bytes), Ok(record));
        prop_assert!(Record::decode(&bytes[..bytes.len() - 1]).is_err());
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in vec(any::<u8>(), 0..200)) {
        let _ = Record::decode(&bytes);
    }
}

#[test]
fn expiry_stops_at_its_bound_and_goes_on() {
    let (mut offer, mut model) = (Offer::default(), Model::default());
    let terms = Terms { initial_stock: 1_000, limit_per_person: None, max_per_order: 1, ..sale().first_terms() };
    let requests = (0..EXPIRE_AT_MOST as u64 + 88).map(|number| {
        let person = UserId([1; 16]);
        Command::Hold(HoldRequest {
            order: OrderId::of_request(person, &number.to_string(), 0, sale().number),
            person,
            quantity: 1,
            unit_price: None,
            digest: 0,
            discount: 0,
            facts: None,
        })
    });
    let due = START + Duration::from_millis(u64::from(terms.hold_for_ms));
    let mut script: Vec<_> =
        std::iter::once(Command::SetTerms(terms)).chain(requests).map(|one| (one, START)).collect();
    script.extend([(Command::Expire, Time(due.0 - 1)), (Command::Expire, due), (Command::Expire, due)]);
    let mut released = Vec::new();
    for (command, now) in script {
        let decided = decide(&mut offer, &command, now);
        assert_eq!(decided, model.apply(&command, now));
        if let Outcome::ReleasedByTime(orders) = decided.0 {
            released.push(orders.len());
        }
    }
    assert_eq!(released, [0, EXPIRE_AT_MOST, 88]);
}

#[test]
fn a_late_commit_of_money_that_went_back_takes_nothing() {
    let (mut offer, person, number) = (Offer::default(), UserId([1; 16]), sale().number);
    let order = OrderId::of_request(person, "key", 0, number);
    let (first, second) = (PaymentId([1; 16]), PaymentId([2; 16]));
    let request = HoldRequest { order, person, quantity: 1, unit_price: None, digest: 0, discount: 0, facts: None };
    let late = START + Duration::from_millis(10);
    let price = Money::new(1_000, Currency::KRW);
    decide(&mut offer, &Command::SetTerms(Terms { price, ..sale().first_terms() }), START);
    decide(&mut offer, &Command::Hold(request), START);
    assert_eq!(decide(&mut offer, &Command::Commit { order, attempt: first }, late).0, Outcome::Gone);
    assert!(matches!(decide(&mut offer, &Command::Reclaim { order, attempt: None }, late).0, Outcome::Held(_)));
    assert_eq!(decide(&mut offer, &Command::Commit { order, attempt: first }, late).0, Outcome::Gone);
    assert!(matches!(
        decide(&mut offer, &Command::BeginPayment { order, attempt: second }, late).0,
        Outcome::Paying(_)
    ));
    assert!(matches!(
        decide(&mut offer, &Command::Commit { order, attempt: second }, late).0,
        Outcome::Committed { .. }
    ));
}

/// A history that never gets anywhere proves nothing.
#[test]
fn histories_meet_every_outcome_and_every_event() {
    let mut seeded = Seeded::new(1);
    let (mut outcomes, mut happened) = (BTreeSet::new(), BTreeSet::new());
    let name = |debug: String| debug.split(['(', ' ', '{']).next().unwrap_or_default().to_owned();
    for _ in 0..300 {
        let steps: Vec<_> = (0..100).map(|_| Step::draw(&mut seeded)).collect();
        let mut model = Model::default();
        for (command, now) in script(!seeded.next_number().is_multiple_of(8), &steps) {
            let (outcome, events) = model.apply(&command, now);
            if let Outcome::Refused(refusal) = &outcome {
                outcomes.insert(name(format!("{refusal:?}")));
            }
            outcomes.insert(name(format!("{outcome:?}")));
            happened.extend(events.iter().map(|event| name(format!("{event:?}"))));
        }
    }
    // 24 outcomes, one of them with 7 reasons; 15 events.
    assert_eq!((outcomes.len(), happened.len()), (24 + 7, 15), "{outcomes:?} {happened:?}");
}
