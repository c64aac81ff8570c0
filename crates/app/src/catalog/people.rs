//! What the catalogue keeps for people. Of an account that is gone it is forgotten.

use std::sync::Arc;

use async_trait::async_trait;
use firstcome_core::events::{RoleEvent, topics};
use firstcome_core::ports::{LoggedEvent, Records};
use firstcome_core::records::Unit;

use super::Ports;
use super::wishlist::forget_wishes;
use crate::consumer::{Consumer, HandleError, Handler, Topic, parse};

/// Forgets.
pub(super) struct People {
    records: Arc<dyn Records>,
}

pub(super) fn consumer(ports: &Ports) -> Arc<Consumer<LoggedEvent, People>> {
    let announced = Topic { log: ports.events.clone(), name: topics::ACCOUNTS };
    let handler = People { records: ports.records.clone() };
    Arc::new(Consumer::new(announced, &ports.records, &ports.clock, handler))
}

#[async_trait]
impl Handler<LoggedEvent> for People {
    fn name(&self) -> &'static str {
        "catalog.accounts"
    }

    async fn handle(&self, items: &[LoggedEvent]) -> Result<Unit, HandleError> {
        let mut unit = Unit::new();
        for event in items {
            if let RoleEvent::UserErased { user } = parse(event)? {
                unit.append(forget_wishes(&*self.records, user).await?);
            }
        }
        Ok(unit)
    }
}
