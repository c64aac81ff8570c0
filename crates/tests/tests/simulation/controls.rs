//! Negative controls: a checker that has never caught anything proves nothing. Each harm must be noticed, by name.

use firstcome_core::testkit::broken::Fault;

use super::director::{Script, play};
use super::faults::Harm;
use super::world::Storage;

/// Histories in which a harm has time to show.
const HISTORIES: u64 = 40;

#[track_caller]
fn is_noticed(harm: Harm, rule: &str) {
    let mut others = Vec::new();
    for seed in 1..=HISTORIES {
        let findings = play(Script { seed, storage: Storage::Memory, harm: Some(harm) }).findings;
        if findings.iter().any(|finding| finding.rule == rule) {
            return;
        }
        others.extend(findings.iter().map(|finding| finding.rule));
    }
    panic!("{harm:?} is not noticed by {rule}, but by {others:?}");
}

/// The ledger that stands in for the real one in these tests does no harm by itself.
#[test]
fn no_harm_is_no_finding() {
    for seed in 1..=6 {
        let ended = play(Script { seed, storage: Storage::Memory, harm: Some(Harm::Ledger(Fault::None)) });
        assert!(ended.findings.is_empty(), "seed {seed}: {:?}", ended.findings);
    }
}

#[test]
fn a_guard_that_is_off_is_an_oversell() {
    is_noticed(Harm::Ledger(Fault::SellsOneMore), "oversold");
}

#[test]
fn a_limit_that_is_off_is_noticed() {
    is_noticed(Harm::Ledger(Fault::IgnoresTheLimit), "over_limit");
}

#[test]
fn an_answer_before_the_disk_is_a_loss() {
    is_noticed(Harm::Ledger(Fault::AnswersTooEarly), "lost_events");
    is_noticed(Harm::Ledger(Fault::AnswersTooEarly), "lost_order");
}

#[test]
fn a_number_that_is_left_out_is_a_gap() {
    is_noticed(Harm::Ledger(Fault::SkipsANumber), "gap");
}

#[test]
fn a_clock_that_releases_payments_is_noticed() {
    is_noticed(Harm::Ledger(Fault::ExpiresPayments), "expired_in_payment");
}

#[test]
fn a_charge_too_many_is_noticed() {
    is_noticed(Harm::ConfirmsTwice, "double_charge");
}

#[test]
fn a_declined_payment_that_is_delivered_for_is_noticed() {
    is_noticed(Harm::BelievesDeclines, "delivery_without_charge");
}

#[test]
fn a_refund_that_never_came_is_noticed() {
    is_noticed(Harm::RefundsNothing, "charge_without_delivery");
}

#[test]
fn a_refund_in_two_is_noticed() {
    is_noticed(Harm::RefundsInHalves, "refunded_twice");
}

#[test]
fn an_event_that_is_dropped_is_noticed() {
    is_noticed(Harm::DropsAnEvent, "unfinished");
}

#[test]
fn a_delivery_that_is_dropped_is_noticed() {
    is_noticed(Harm::DeliversHalf, "not_delivered");
}
