//! Orders that get their unit. The clock stops when the last order has its row, so that no work is left undone behind the answers.

use tokio::time::Instant;

use super::orders::Orders;
use super::{HOLD, Round};
use crate::storm::StormError;
use crate::storm::drive::{Plan, drive};
use crate::storm::meter::Meter;
use crate::storm::progress::Progress;
use crate::storm::shop::{Offering, Shop};

/// More than any run can sell.
const STOCK: u64 = 1_000_000_000;
/// More than any run sells to one person; there is a limit, so that it must be checked.
const LIMIT: u32 = 100_000_000;

/// Measures one round on an offer of its own.
pub(super) async fn round(shop: &Shop, plan: Plan, progress: &Progress) -> Result<Round, StormError> {
    let offering = Offering { stock: STOCK, limit_per_person: Some(LIMIT), hold_for_seconds: HOLD, opens_in: None };
    let offer = shop.sell(offering).await?;
    shop.rows_written().await?;
    let (meter, start) = (Meter::start(shop.pid()), Instant::now());
    let mut run = drive(Orders::of(shop, &offer), shop.address, plan, progress).await;
    let written = shop.rows_written().await?;
    run.elapsed = written.unwrap_or_else(Instant::now) - start;
    let note = written.is_none().then(|| "the shop does not tell when its rows are written".to_owned());
    Ok(Round { note, ..Round::new(run, meter.stop()) })
}
