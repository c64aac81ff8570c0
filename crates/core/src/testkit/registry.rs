//! What every [`Registry`] must do.

use std::time::Duration;

use crate::ports::{Instance, Load, Registry, RoleName};
use crate::time::Time;

fn instance(id: &str, draining: bool) -> Instance {
    let roles = vec![RoleName::Orders, RoleName::Payments];
    let load = Load { commands: u64::from(draining), stuck: draining, outbox_millis: 5, consumers_millis: 6 };
    Instance { id: id.to_owned(), address: format!("{id}:80"), roles, draining, started_at: Time(7), load }
}

async fn listed(registry: &dyn Registry) -> Vec<Instance> {
    registry.instances().await.expect("the registry answers")
}

/// Holds a registry against its contract; `pass` lets the time of an expiry go by.
pub async fn check<F: Future<Output = ()>>(registry: &dyn Registry, pass: impl Fn(Duration) -> F, expiry: Duration) {
    assert_eq!(listed(registry).await, []);
    for id in ["two", "one"] {
        registry.announce(&instance(id, false)).await.expect("announced");
    }
    assert_eq!(listed(registry).await, [instance("one", false), instance("two", false)], "by id");

    registry.announce(&instance("one", true)).await.expect("announced");
    assert_eq!(listed(registry).await, [instance("one", true), instance("two", false)], "as announced last");

    registry.withdraw("two").await.expect("withdrawn");
    registry.withdraw("nobody").await.expect("withdrawn");
    assert_eq!(listed(registry).await, [instance("one", true)]);

    pass(expiry).await;
    assert_eq!(listed(registry).await, [], "who is silent is gone");
    registry.announce(&instance("one", false)).await.expect("announced");
    assert_eq!(listed(registry).await, [instance("one", false)], "and comes back");
}
