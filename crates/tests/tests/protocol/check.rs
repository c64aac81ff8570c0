//! With every rule on, nothing is found.

use super::explore::{holds, holds_with};
use super::ledger::Command::{Begin, Commit, End, Hold, Reclaim, Release, Return};
use super::reached::{ALL_ANSWERED, ANOTHER_HISTORY, BARRIER_ANSWERS, EXPIRES, RACE_LOST, READ_WHAT_IS_GONE, REBUILT};
use super::rules::{ALL, Acceptance, CutCheck, Rules};
use super::scopes::calm;

#[test]
fn two_lanes_want_the_last_unit() {
    let scope = calm("the last unit", &[Hold(0), Hold(1), Hold(0)]).batch(2).log(5);
    holds(scope.reaches(&[ALL_ANSWERED, RACE_LOST, BARRIER_ANSWERS]));
    let scope = calm("one person's limit", &[Hold(0), Hold(1), Release(0)]).one_person();
    holds(scope.reaches(&[ALL_ANSWERED, RACE_LOST, BARRIER_ANSWERS]));
}

#[test]
fn three_lanes_want_the_last_unit() {
    let scope = calm("three lanes", &[Hold(0), Hold(1), Hold(0)]).lanes(3).log(3);
    holds(scope.reaches(&[RACE_LOST]));
    let scope = calm("three lanes, a failover", &[Hold(0), Hold(1)]).lanes(3).log(3).failovers(1);
    holds(scope.reaches(&[ALL_ANSWERED, RACE_LOST, ANOTHER_HISTORY]));
}

#[test]
fn an_order_is_paid() {
    let scope = calm("a payment", &[Hold(0), Begin(0, 1), End(0, 1), Commit(0, 1)]).log(6);
    holds(scope.reaches(&[ALL_ANSWERED, RACE_LOST, BARRIER_ANSWERS]));
    let scope = calm("two attempts", &[Hold(0), Begin(0, 1), Begin(0, 2), Commit(0, 1)]).log(5);
    holds(scope.reaches(&[ALL_ANSWERED, RACE_LOST, BARRIER_ANSWERS]));
    let scope = calm("a sale comes back", &[Hold(0), Begin(0, 1), Commit(0, 1), Return(0)]).log(6);
    holds(scope.reaches(&[ALL_ANSWERED, BARRIER_ANSWERS]));
}

#[test]
fn clocks_differ() {
    let scope = calm("late or not", &[Hold(0), Begin(0, 1), Begin(0, 1)]).clock(2).log(5);
    holds(scope.reaches(&[ALL_ANSWERED, RACE_LOST, BARRIER_ANSWERS, EXPIRES]));
    let scope = calm("taken up again", &[Hold(0), Begin(0, 1), Reclaim(0)]).clock(2).log(5);
    holds(scope.reaches(&[ALL_ANSWERED, RACE_LOST, BARRIER_ANSWERS, EXPIRES]));
}

#[test]
fn brokers_fail_over() {
    let scope = calm("a failover", &[Hold(0), Hold(1), Hold(0)]).failovers(1);
    holds(scope.reaches(&[ALL_ANSWERED, RACE_LOST, BARRIER_ANSWERS, ANOTHER_HISTORY]));
    let scope = calm("appends of unknown fate", &[Hold(0), Hold(1)]).failovers(1).give_ups(1).duplicates(1);
    holds(scope.reaches(&[ALL_ANSWERED, RACE_LOST, ANOTHER_HISTORY]));
}

#[test]
fn readers_see_what_one_replica_has() {
    let reached = [ALL_ANSWERED, BARRIER_ANSWERS, ANOTHER_HISTORY, READ_WHAT_IS_GONE, REBUILT];
    let scope = calm("one replica", &[Hold(0), Release(0), Hold(0)]).lonely().failovers(1).log(3);
    holds(scope.reaches(&reached));
    let scope = calm("one replica, twice", &[Hold(0), Release(0)]).lonely().failovers(2).give_ups(1);
    holds(scope.reaches(&reached));
}

#[test]
fn lanes_die() {
    let scope = calm("a crash", &[Hold(0), Hold(1)]).crashes(2);
    holds(scope.reaches(&[ALL_ANSWERED, RACE_LOST]));
    let scope = calm("a crash, one replica", &[Hold(0), Release(0)]).crashes(1).lonely().failovers(1);
    holds(scope.reaches(&[ALL_ANSWERED, READ_WHAT_IS_GONE, REBUILT]));
}

/// A Kafka that keeps `min.insync.replicas` for readers too shows nothing that a failover takes back: reading back is enough.
#[test]
fn five_rules_are_spare_where_readers_see_only_what_stays() {
    let rules =
        Rules { acknowledged: false, same_copy: false, decided_at_barrier: false, cut_check: CutCheck::None, ..ALL };
    let scope = calm("only what stays", &[Hold(0), Release(0)]).failovers(2).crashes(1).give_ups(1);
    holds_with(rules, scope.reaches(&[ALL_ANSWERED, BARRIER_ANSWERS, ANOTHER_HISTORY]));
    let rules = Rules { acceptance: Acceptance::Number, ..rules };
    let scope = calm("only what stays, by number", &[Hold(0), Release(0), Hold(1)]).failovers(1).log(3);
    holds_with(rules, scope.reaches(&[ALL_ANSWERED, BARRIER_ANSWERS, ANOTHER_HISTORY]));
}

/// Records that are chained to one another may be under way together: the rule keeps the code simple, nothing else.
#[test]
fn more_than_one_in_flight_does_no_harm() {
    let rules = Rules { one_in_flight: false, ..ALL };
    let scope = calm("two in flight", &[Hold(0), Release(0), Hold(1)]).log(3);
    holds_with(rules, scope.reaches(&[ALL_ANSWERED, RACE_LOST]));
    let scope = calm("two in flight, one replica", &[Hold(0), Release(0)]).lonely().failovers(1).log(2);
    holds_with(rules, scope.reaches(&[ALL_ANSWERED, ANOTHER_HISTORY, READ_WHAT_IS_GONE]));
}
