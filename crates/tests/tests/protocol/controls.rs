//! Negative controls: every rule taken out alone. Each must be missed, by name.

use super::explore::is_found;
use super::ledger::Command::{Begin, Commit, Hold, Release};
use super::properties::{
    ANSWERED_STAYS, ANSWERED_WAS_TRUE, DECIDED_ONCE, GRANTED_STAYS, LATE_IS_LATE, LIMIT_PER_PERSON, NEVER_EARLY,
    NEVER_OVERSOLD, READERS_AGREE,
};
use super::rules::{ALL, Acceptance, CutCheck, Rules};
use super::scopes::calm;

#[test]
fn without_prev_the_sale_is_oversold() {
    let rules = Rules { acceptance: Acceptance::Everything, ..ALL };
    is_found(rules, calm("without prev", &[Hold(0), Hold(1)]), NEVER_OVERSOLD);
    is_found(rules, calm("without prev", &[Hold(0), Hold(1)]).one_person(), LIMIT_PER_PERSON);
    is_found(rules, calm("without prev", &[Hold(0), Hold(0)]), DECIDED_ONCE);
    is_found(rules, calm("without prev, a message lands twice", &[Hold(0)]).lanes(1).duplicates(1), DECIDED_ONCE);
}

#[test]
fn a_number_instead_of_a_hash_does_not_do() {
    let rules = Rules { acceptance: Acceptance::Number, ..ALL };
    let scope = calm("first_seq alone", &[Hold(0), Release(0), Hold(1)]).lonely().failovers(1);
    is_found(rules, scope, DECIDED_ONCE);
}

#[test]
fn without_reading_back_a_hold_is_lost() {
    let rules = Rules { read_back: false, ..ALL };
    is_found(rules, calm("without read-back", &[Hold(0), Hold(1)]), ANSWERED_STAYS);
}

#[test]
fn without_the_acknowledgement_a_hold_is_lost() {
    let rules = Rules { acknowledged: false, ..ALL };
    is_found(rules, calm("without acknowledgement", &[Hold(0)]).lonely().failovers(1), ANSWERED_STAYS);
}

#[test]
fn the_acknowledgement_of_another_copy_does_not_count() {
    let rules = Rules { same_copy: false, ..ALL };
    is_found(rules, calm("another copy", &[Hold(0), Hold(1)]).lonely().failovers(1), ANSWERED_STAYS);
}

#[test]
fn without_the_barrier_old_states_are_told() {
    let rules = Rules { barrier: false, ..ALL };
    is_found(rules, calm("without barrier", &[Hold(0), Release(0), Hold(0)]), ANSWERED_WAS_TRUE);
    is_found(rules, calm("without barrier", &[Hold(0), Begin(0, 1), Commit(0, 1)]), ANSWERED_WAS_TRUE);
}

#[test]
fn a_hold_that_is_refused_at_once_may_have_been_granted() {
    let rules = Rules { refusals_wait: false, ..ALL };
    is_found(rules, calm("refused at once", &[Hold(0), Release(0), Hold(1), Hold(1)]), GRANTED_STAYS);
}

#[test]
fn a_barrier_from_before_the_call_does_not_do() {
    let rules = Rules { fresh_barrier: false, ..ALL };
    is_found(rules, calm("old barrier", &[Hold(0), Release(0), Commit(0, 1), Hold(0)]), ANSWERED_WAS_TRUE);
}

#[test]
fn a_state_beyond_the_barrier_does_not_do() {
    let rules = Rules { decided_at_barrier: false, ..ALL };
    let scope = calm("beyond the barrier", &[Hold(0), Release(0), Hold(0)]).lonely().failovers(1).log(3);
    is_found(rules, scope, ANSWERED_WAS_TRUE);
}

#[test]
fn an_archive_in_two_commits_parts_the_readers() {
    let rules = Rules { one_commit: false, ..ALL };
    is_found(rules, calm("two commits", &[Hold(0)]).crashes(1), READERS_AGREE);
}

#[test]
fn without_undo_the_sale_is_oversold() {
    let rules = Rules { undo: false, ..ALL };
    is_found(rules, calm("without undo", &[Hold(0), Hold(1)]), NEVER_OVERSOLD);
}

#[test]
fn without_looking_for_a_cut_a_hold_is_lost() {
    let rules = Rules { cut_check: CutCheck::None, ..ALL };
    is_found(rules, calm("no look for a cut", &[Hold(0), Hold(1)]).lonely().failovers(1), READERS_AGREE);
    is_found(rules, calm("no look for a cut", &[Hold(0), Hold(1), Release(0)]).lonely().failovers(1), ANSWERED_STAYS);
}

#[test]
fn the_hash_alone_does_not_show_every_cut() {
    let rules = Rules { cut_check: CutCheck::Hash, ..ALL };
    let scope = calm("a cut under the same hash", &[Hold(0), Release(0), Hold(0)]).lonely().failovers(1);
    is_found(rules, scope, READERS_AGREE);
}

#[test]
fn lateness_that_is_not_written_is_taken_back() {
    let rules = Rules { lateness_is_written: false, ..ALL };
    is_found(rules, calm("late by the clock alone", &[Hold(0), Begin(0, 1), Begin(0, 1)]).clock(2), LATE_IS_LATE);
}

#[test]
fn lateness_by_one_clock_is_early_by_another() {
    let rules = Rules { lateness_is_sure: false, ..ALL };
    is_found(rules, calm("late by one clock", &[Hold(0)]).clock(1), NEVER_EARLY);
}
