//! Running the model, and showing what was found.

use std::time::Instant;

use stateright::{Checker, HasDiscoveries, Model, Path};

use super::Protocol;
use super::rules::{ALL, Rules, Scope};
use super::state::World;
use super::steps::Step;

/// The depth up to which a longer run explores; none in the usual one, whose scopes end by themselves.
fn depth() -> Option<usize> {
    std::env::var("FIRSTCOME_MODEL_DEPTH").ok().and_then(|depth| depth.parse().ok())
}

/// More steps than the usual scopes have, and than memory should hold.
fn most_steps() -> usize {
    if depth().is_some() { 60_000_000 } else { 6_000_000 }
}

/// Explores a scope with every rule on. Nothing may be found, and everything that is to be reached must be.
#[track_caller]
pub(super) fn holds(scope: Scope) {
    holds_with(ALL, scope);
}

#[track_caller]
pub(super) fn holds_with(rules: Rules, scope: Scope) {
    let (name, start) = (scope.name, Instant::now());
    let scope = if depth().is_some() { scope.longer() } else { scope };
    let protocol = Protocol { rules, scope, watched: None };
    let mut builder = protocol.clone().checker().threads(2).finish_when(HasDiscoveries::AnyFailures);
    builder = builder.target_state_count(most_steps());
    if let Some(depth) = depth() {
        builder = builder.target_max_depth(depth);
    }
    let checker = builder.spawn_bfs().join();
    let whole = depth().is_none() && checker.state_count() < most_steps();
    let ended = if whole { "all of it" } else { "not all of it" };
    say(&format!(
        "{name}: {} states, {} steps, depth {}, {ended}, {:.1?}",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
        start.elapsed()
    ));
    assert!(whole || depth().is_some(), "{name}: the scope is larger than was thought");
    for property in protocol.properties() {
        let found = checker.discovery(property.name);
        if property.expectation.discovery_is_failure() {
            if let Some(path) = found {
                panic!("{name}: {} is violated\n{}", property.name, told(&protocol, path));
            }
        } else if depth().is_none() {
            assert!(found.is_some(), "{name}: it never came to this: {}", property.name);
        }
    }
}

/// Takes rules out: the property must be violated. Says in how many steps at least.
#[track_caller]
pub(super) fn is_found(rules: Rules, scope: Scope, property: &'static str) -> usize {
    let (name, start) = (scope.name, Instant::now());
    let protocol = Protocol { rules, scope, watched: Some(property) };
    // One thread, one property: the first that is found is the shortest.
    let checker = protocol.clone().checker().target_state_count(most_steps()).spawn_bfs().join();
    let Some(path) = checker.discovery(property) else {
        panic!("{name}: {property} is not violated in {} states", checker.unique_state_count());
    };
    let length = path.clone().into_actions().len();
    say(&format!(
        "{name}: \"{property}\" is violated in {length} steps ({} states, {:.1?})\n{}",
        checker.unique_state_count(),
        start.elapsed(),
        told(&protocol, path)
    ));
    length
}

/// Shows how far it went, to whoever runs the tests with `--nocapture`.
#[expect(clippy::print_stdout, reason = "a model's figures are its result")]
pub(super) fn say(text: &str) {
    println!("{text}");
}

/// A trace, one step a line, and how it ends.
fn told(protocol: &Protocol, path: Path<World, Step>) -> String {
    let mut text = String::new();
    let end = path.last_state().clone();
    for (number, (world, step)) in path.into_vec().into_iter().enumerate() {
        let Some(step) = step else { break };
        text += &format!("  {:>2}. {}\n", number + 1, protocol.tell(&world, step));
    }
    for (call, command) in end.calls.iter().zip(&protocol.scope.commands) {
        text += &format!("  {command:?}: {call:?}\n");
    }
    text += &format!("  journal: {:?}\n", end.truth(protocol));
    text
}
