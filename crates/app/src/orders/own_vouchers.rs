//! Coupons and gift cards of buyers, as the vouchers role announces them. What is left of one the ledger knows.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use firstcome_core::events::{RoleEvent, topics};
use firstcome_core::ports::{LoggedEvent, PortError, Records};
use firstcome_core::records::{Json, Query, Record, RecordsExt as _, Unit};
use tokio::time::Instant;

use super::coupons::Coupon;
use super::gift_cards::GiftCard;
use super::{Ports, topic};
use crate::consumer::{Consumer, HandleError, Handler, parse};
use crate::letters::Letters;
use crate::role::Worker;
use crate::voucher_account::code_hash;
use crate::voucher_code::normal_code;

/// How long a voucher that was issued in this moment may be on its way.
const ON_ITS_WAY: Duration = Duration::from_millis(500);
/// How long they may gather while many are issued: whoever uses one earlier has them read at once.
const GATHERING: Duration = Duration::from_millis(200);
/// As many as are read in one commit.
const BATCH: usize = 8_192;

/// The vouchers, and the consumer that follows them.
pub(super) struct OwnVouchers {
    records: Arc<dyn Records>,
    consumer: Arc<Consumer<LoggedEvent, Follow>>,
}

impl OwnVouchers {
    pub(super) fn new(ports: &Ports) -> Self {
        let consumer = Consumer::new(topic(ports, topics::VOUCHERS), &ports.records, &ports.clock, Follow);
        let consumer = consumer.in_batches_of(BATCH).gathering(GATHERING);
        Self { records: ports.records.clone(), consumer: Arc::new(consumer) }
    }

    pub(super) fn worker(&self, letters: &mut Letters) -> Worker {
        letters.follow(&self.consumer)
    }

    /// Hears what was announced up to now.
    #[cfg(test)]
    pub(super) async fn catch_up(&self) {
        self.consumer.catch_up().await.expect("heard");
    }

    /// The coupon or gift card with this code, however it is typed.
    pub(super) async fn find<R: Record>(&self, code: &str) -> Result<Option<R>, PortError> {
        let Some(code) = normal_code(code) else { return Ok(None) };
        let since = Instant::now();
        loop {
            let query = Query::all(R::TABLE, 1).is("code", code_hash(&code));
            let found = self.records.list::<R>(query).await?.pop();
            if found.is_some() || since.elapsed() >= ON_ITS_WAY || !self.consumer.look_again(since).await? {
                return Ok(found.map(|stored| stored.record));
            }
        }
    }
}

struct Follow;

#[async_trait]
impl Handler<LoggedEvent> for Follow {
    fn name(&self) -> &'static str {
        "orders.coupons"
    }

    async fn handle(&self, items: &[LoggedEvent]) -> Result<Unit, HandleError> {
        let mut unit = Unit::new();
        for event in items {
            match parse(event)? {
                RoleEvent::CouponIssued {
                    voucher,
                    code,
                    user,
                    offer,
                    discount,
                    minimum_amount,
                    valid_until,
                    voided,
                } => {
                    let (discount, voided) = (Json(discount), Some(voided));
                    let coupon = Coupon { voucher, code, user, offer, discount, minimum_amount, valid_until, voided };
                    unit = unit.advance(&coupon, event.position);
                }
                RoleEvent::GiftCardSaved { voucher, code, user, offer, face, valid_until, voided } => {
                    let card = GiftCard {
                        voucher,
                        code,
                        user,
                        offer,
                        face: face.amount,
                        currency: face.currency,
                        valid_until,
                        voided,
                    };
                    unit = unit.advance(&card, event.position);
                }
                _ => {}
            }
        }
        Ok(unit)
    }
}
