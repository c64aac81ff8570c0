//! Coupons of buyers, as the vouchers role announces them, and what one takes off an order. Whether it is used the ledger
//! knows: its account is a line of the order.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use firstcome_core::codes::ErrorCode;
use firstcome_core::discount::NotApplicable;
use firstcome_core::events::{RoleEvent, topics};
use firstcome_core::ids::{EventId, OfferNumber, UserId, VoucherId};
use firstcome_core::money::Money;
use firstcome_core::ports::{LoggedEvent, PortError, Records};
use firstcome_core::product::Discount;
use firstcome_core::record;
use firstcome_core::records::{Json, Query, Record as _, RecordsExt as _, Unit};
use firstcome_core::time::Time;
use tokio::time::Instant;

use super::{Orders, Ports, topic};
use crate::consumer::{Consumer, HandleError, Handler, parse};
use crate::coupons::{self, code_hash};
use crate::http::{Outcome, Problem};
use crate::letters::Letters;
use crate::role::Worker;
use crate::voucher_code::normal_code;

/// How long a coupon that was issued in this moment may be on its way.
const ON_ITS_WAY: Duration = Duration::from_millis(500);

record! {
    /// A coupon that a buyer has, or had.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct Coupon in "coupons" {
        /// The voucher that it is.
        pub(super) voucher: VoucherId,
        /// The hash of its code.
        pub(super) code: EventId,
        /// Whose it is.
        pub(super) user: UserId,
        /// The offer that sold it, beside which its account is.
        pub(super) offer: OfferNumber,
        /// What it takes off.
        pub(super) discount: Json<Discount>,
        /// The least that an order must cost.
        pub(super) minimum_amount: Option<i64>,
        /// When it expires.
        pub(super) valid_until: Time,
    }
    indexes [unique "coupons_by_code" ("code")]
}

/// The coupons, and the consumer that follows them.
pub(super) struct Coupons {
    records: Arc<dyn Records>,
    consumer: Arc<Consumer<LoggedEvent, Follow>>,
}

impl Coupons {
    pub(super) fn new(ports: &Ports) -> Self {
        let consumer = Consumer::new(topic(ports, topics::VOUCHERS), &ports.records, &ports.clock, Follow);
        Self { records: ports.records.clone(), consumer: Arc::new(consumer) }
    }

    pub(super) fn worker(&self, letters: &mut Letters) -> Worker {
        letters.follow(&self.consumer)
    }

    /// The coupon with this code, however it is typed.
    async fn find(&self, code: &str) -> Result<Option<Coupon>, PortError> {
        let Some(code) = normal_code(code) else { return Ok(None) };
        let since = Instant::now();
        loop {
            let query = Query::all(Coupon::TABLE, 1).is("code", code_hash(&code));
            let found = self.records.list::<Coupon>(query).await?.pop();
            if found.is_some() || since.elapsed() >= ON_ITS_WAY || !self.consumer.look_again(since).await? {
                return Ok(found.map(|stored| stored.record));
            }
        }
    }
}

/// A coupon does not help here; `reason` tells a program why.
pub(super) fn not_applicable(reason: &str, detail: &str) -> Problem {
    Problem::new(ErrorCode::CouponNotApplicable).detail(detail).with("reason", reason)
}

impl Orders {
    /// The own coupon with this code, and what it takes off an order that costs `total`.
    pub(super) async fn coupon(&self, buyer: UserId, code: &str, total: Money) -> Outcome<(Coupon, i64)> {
        let found = self.coupons.find(code).await?.filter(|coupon| coupon.user == buyer);
        let coupon = found.ok_or_else(|| not_applicable("unknown", "You have no coupon with this code"))?;
        if self.ports.clock.now() >= coupon.valid_until {
            return Err(not_applicable("expired", "It has expired").with("valid_until", coupon.valid_until));
        }
        match coupon.discount.0.of(coupon.minimum_amount, total) {
            Ok(discount) => {
                coupons::open(&*self.ports.ledger, coupon.offer).await?;
                Ok((coupon, discount))
            }
            Err(NotApplicable::Currency) => Err(not_applicable("currency", "It is in another currency than the order")),
            Err(NotApplicable::BelowMinimum) => {
                Err(not_applicable("below_minimum", "The order costs too little for it")
                    .with("minimum_amount", coupon.minimum_amount))
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
            if let RoleEvent::CouponIssued { voucher, code, user, offer, discount, minimum_amount, valid_until } =
                parse(event)?
            {
                let discount = Json(discount);
                let coupon = Coupon { voucher, code, user, offer, discount, minimum_amount, valid_until };
                unit = unit.advance(&coupon, event.position);
            }
        }
        Ok(unit)
    }
}
