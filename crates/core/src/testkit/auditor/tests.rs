//! The auditor must find what is wrong, and nothing else.

use super::*;
use crate::ledger::Command;
use crate::testkit::history::{Sale, Seeded, Step};
use crate::testkit::{LedgerHarness as _, MemoryHarness, runtime};

/// A journal in which much happened.
fn journal() -> Vec<JournalEntry> {
    let harness = MemoryHarness::create();
    let (ledger, clock) = (harness.ledger(), harness.clock());
    let mut seeded = Seeded::new(3);
    runtime::block_on(async {
        for number in (1..=60).map(OfferNumber) {
            let sale = Sale { number, start: crate::ports::Clock::now(&clock) };
            ledger.decide(number, Command::SetTerms(sale.first_terms())).await.expect("decided");
            for _ in 0..100 {
                let step = Step::draw(&mut seeded);
                clock.advance(Sale::wait(step));
                ledger.decide(number, sale.command(step)).await.expect("decided");
            }
        }
        ledger.entries(0, 10_000).await.expect("entries")
    })
}

/// The journal with other events, numbered and chained as if it had been written so.
fn rewritten(change: impl Fn(&mut Vec<Event>)) -> Vec<JournalEntry> {
    let mut ends: HashMap<OfferNumber, (u64, Digest)> = HashMap::new();
    let rewrite = |(entry, position): (JournalEntry, i64)| {
        let (seq, head) = ends.entry(entry.record.offer).or_default();
        let mut record = Record { first_seq: *seq + 1, prev: *head, ..(*entry.record).clone() };
        change(&mut record.events);
        if record.events.is_empty() {
            return None;
        }
        (*seq, *head) = (record.last_seq(), Record::hash(&record.encode()));
        Some(JournalEntry { position, record: record.into(), hash: *head })
    };
    journal().into_iter().zip(1..).filter_map(rewrite).collect()
}

fn finds(entries: &[JournalEntry], wanted: impl Fn(&Breach) -> bool) {
    let audit = audit(entries);
    assert!(audit.violations.iter().any(|violation| wanted(&violation.breach)), "{audit}");
}

/// A clock that may be off says of no payment that it was late before that is sure.
#[test]
fn late_without_a_doubt() {
    let journal = rewritten(|events| {
        for event in events {
            if let Event::Held(granted) | Event::Prepared(granted) = event {
                granted.expires_at = granted.expires_at - Duration::from_mins(1);
            }
        }
    });
    let found = |doubt| {
        let mut auditor = Auditor::with_doubt(doubt);
        journal.iter().for_each(|entry| auditor.take(entry));
        let audit = auditor.finish();
        audit.violations.iter().filter(|violation| matches!(violation.breach, Breach::PaidLate { .. })).count()
    };
    assert!(found(Duration::ZERO) > 0);
    assert_eq!(found(Duration::from_mins(1)), 0);
}

#[test]
fn finds_nothing_wrong_with_what_is_right() {
    let audit = audit(&journal());
    assert!(audit.check().is_ok() && audit.events > 50, "{audit}");
}

#[test]
fn finds_records_that_are_not_what_was_written() {
    let mut missing = journal();
    missing.remove(5);
    finds(&missing, |breach| matches!(breach, Breach::Gap { .. }));
    finds(&missing, |breach| *breach == Breach::Unchained);
    let mut swapped = journal();
    swapped.swap(5, 6);
    finds(&swapped, |breach| matches!(breach, Breach::Position { .. }));
    let mut altered = journal();
    let record = &altered[7].record;
    altered[7].record = Record { at: Time(record.at.0 - 1_000_000_000), ..(**record).clone() }.into();
    finds(&altered, |breach| *breach == Breach::Altered);
    finds(&altered, |breach| matches!(breach, Breach::ClockBack { .. }));
    finds(&journal()[1..], |breach| *breach == Breach::NoTerms);
}

#[test]
fn finds_promises_that_were_broken() {
    let twice = |pick: fn(&Event) -> bool| {
        rewritten(move |events| {
            let again = events.iter().find(|event| pick(event)).cloned();
            events.extend(again);
        })
    };
    let without = |pick: fn(&Event) -> bool| rewritten(move |events| events.retain(|event| !pick(event)));
    let with = |edit: fn(&mut Event)| rewritten(move |events| events.iter_mut().for_each(edit));

    assert!(audit(&rewritten(|_| {})).check().is_ok(), "rewriting alone breaks nothing");
    finds(&twice(|event| matches!(event, Event::Held(_))), |breach| matches!(breach, Breach::DecidedTwice { .. }));
    finds(&twice(|event| matches!(event, Event::Sold(_))), |breach| matches!(breach, Breach::DecidedTwice { .. }));
    let returned = twice(|event| matches!(event, Event::Returned { .. }));
    finds(&returned, |breach| matches!(breach, Breach::ReturnedTwice { .. }));
    let adjusted = twice(|event| matches!(event, Event::Adjusted { .. }));
    finds(&adjusted, |breach| matches!(breach, Breach::AdjustedTwice(_)));
    let released = twice(|event| matches!(event, Event::Released { .. }));
    finds(&released, |breach| matches!(breach, Breach::NotConserved { .. }));
    finds(&released, |breach| matches!(breach, Breach::Impossible { .. }));
    let terms = twice(|event| matches!(event, Event::TermsSet(_)));
    finds(&terms, |breach| matches!(breach, Breach::OldTerms { .. }));
    let unheld = without(|event| matches!(event, Event::Held(_)));
    finds(&unheld, |breach| matches!(breach, Breach::NoSuchOrder { .. }));
    let unpaid = without(|event| matches!(event, Event::PaymentBegun { .. }));
    finds(&unpaid, |breach| matches!(breach, Breach::Impossible { state: HoldState::Held, .. }));
    let frozen = without(|event| matches!(event, Event::Unfrozen));
    finds(&frozen, |breach| matches!(breach, Breach::GrantedFrozen { .. }));
    finds(
        &rewritten(|events| {
            if let Some(Event::PaymentBegun { order, .. }) = events.first() {
                events.push(Event::Released { order: *order, reason: ReleaseReason::Expired });
            }
        }),
        |breach| matches!(breach, Breach::ReleasedInPayment { .. }),
    );
    finds(
        &with(|event| {
            if let Event::Held(granted) = event {
                granted.quantity *= 10;
            }
        }),
        |breach| matches!(breach, Breach::Oversold { .. }),
    );
    for (limit, opens_at, wanted) in [(Some(0), Time(0), "OverLimit"), (None, Time(i64::MAX), "OutsideWindow")] {
        let entries = rewritten(|events| {
            for event in events {
                if let Event::TermsSet(terms) = event {
                    *terms = Terms { limit_per_person: limit, opens_at, ..*terms };
                }
            }
        });
        finds(&entries, |breach| format!("{breach:?}").starts_with(wanted));
    }
}

#[test]
fn finds_a_ledger_that_says_something_else() {
    let mut entries = journal();
    entries.retain(|entry| entry.record.offer == OfferNumber(1));
    let mut offer = crate::ledger::Offer::default();
    let records = entries.iter().map(|entry| &entry.record);
    records.for_each(|record| record.events.iter().for_each(|event| offer.evolve(event, record.at)));
    let mut claim = offer.snapshot().expect("terms");
    for (sold, found) in [(0, 0), (1, 1)] {
        let mut auditor = Auditor::default();
        for entry in &entries {
            auditor.take(entry);
        }
        claim.stock.sold += sold;
        auditor.compare(OfferNumber(1), &claim);
        assert_eq!(auditor.finish().found, found);
    }
}
