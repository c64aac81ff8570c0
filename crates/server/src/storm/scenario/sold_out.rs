//! Orders that find everything sold: what most visitors of an opening second get, so it has to be quick.

use std::cell::RefCell;

use super::orders::Orders;
use super::{HOLD, Round};
use crate::storm::StormError;
use crate::storm::client::Connection;
use crate::storm::drive::{Plan, Work as _, drive};
use crate::storm::meter::Meter;
use crate::storm::progress::Progress;
use crate::storm::shop::{Offering, Shop};
use crate::storm::tally::Tally;

/// Measures one round on an offer whose only unit is gone.
pub(super) async fn round(shop: &Shop, plan: Plan, progress: &Progress) -> Result<Round, StormError> {
    let offer =
        shop.sell(Offering { stock: 1, limit_per_person: Some(10), hold_for_seconds: HOLD, opens_in: None }).await?;
    let first = RefCell::new(Tally::default());
    Orders::of(shop, &offer).once(&mut Connection::new(shop.address), 0, &first).await?;
    if first.borrow().ok != 1 {
        return Err(StormError::Shop(format!("the only unit could not be bought: {:?}", first.borrow())));
    }
    let meter = Meter::start(shop.pid());
    let run = drive(Orders::of(shop, &offer), shop.address, plan, progress).await;
    Ok(Round::new(run, meter.stop()))
}
