//! `POST /vouchers/{code}/redeem`: at a till or a gate.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::{EventId, OrderId, UserId};
use firstcome_core::money::Money;
use firstcome_core::ports::Committed;
use firstcome_core::product::ProductKind;
use firstcome_core::records::{RecordsExt, Unit};
use firstcome_core::voucher::Redeemed;
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Vouchers;
use super::store::{Movement, MovementKind, Voucher};
use crate::coupons::{self, Purpose};
use crate::http::{Body, IdempotencyKey, Merchant, Outcome, Path, Problem};

/// How often a redemption is decided anew because another one of the same voucher was faster.
const TRIES: u32 = 100;

/// What to take off.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RedeemVoucher)]
pub(super) struct Request {
    /// Gift card: how much. Left out for a ticket or a coupon.
    #[serde(default)]
    #[garde(skip)]
    #[schema(value_type = Option<Object>)]
    amount: Option<Money>,
}

/// What is left: money for a gift card, uses for the others.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum Remaining {
    /// Money.
    #[schema(value_type = Object)]
    Money(Money),
    /// Uses.
    Uses(i64),
}

/// What is left.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Redeemed)]
pub(super) struct Response {
    remaining: Remaining,
}

/// Redeems a voucher: a part of a gift card, or a ticket or coupon once.
#[utoipa::path(
    post, path = "/api/v1/vouchers/{code}/redeem", tag = "vouchers", request_body = Request,
    params(("code" = String, Path), ("Idempotency-Key" = String, Header)),
    responses(
        (status = 200, body = Response),
        (status = 404, description = "not_found"),
        (status = 409, description = "insufficient_balance, already_used, expired or voided"),
        (status = 422, description = "idempotency_key_reused or invalid_body"),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn post(
    State(vouchers): State<Arc<Vouchers>>,
    Merchant(merchant): Merchant,
    Path(code): Path<String>,
    IdempotencyKey(key): IdempotencyKey,
    body: Body<Request>,
) -> Outcome<Json<Response>> {
    for _ in 0..TRIES {
        let stored = vouchers.by_code(&code).await?.ok_or_else(Problem::not_found)?;
        let amount = units(&stored.record, body.value.amount)?;
        let mut movement = Movement {
            id: EventId::derived(&[b"redeemed", &merchant.user.0, key.as_bytes()]),
            voucher: stored.record.id,
            kind: MovementKind::Redeemed,
            amount,
            balance: 0,
            by: Some(merchant.user),
            digest: Some([&stored.record.id.0[..], &body.digest.to_be_bytes()].concat()),
            at: vouchers.ports.clock.now(),
        };
        if let Some(earlier) = vouchers.earlier(&movement, merchant.user).await? {
            return Ok(Json(remaining(&stored.record, earlier.balance)));
        }
        let mut changed = stored;
        if vouchers.take_coupon(&changed.record, &movement).await? && changed.record.balance == 0 {
            // Marked already, by whoever reads in the ledger that it was taken: this is what took it.
            let mark = Movement::used(&changed.record, movement.at);
            let unit = Unit::new().update(&changed).delete(&mark).insert(&movement);
            if vouchers.ports.records.commit(unit).await? == Committed::Done {
                return Ok(Json(remaining(&changed.record, 0)));
            }
            continue;
        }
        let account = match changed.record.account().redeem(amount, movement.at) {
            Redeemed::Done(account) => account,
            Redeemed::InsufficientBalance => {
                let balance = changed.record.money(changed.record.balance);
                return Err(Problem::new(ErrorCode::InsufficientBalance).with("balance", balance));
            }
            Redeemed::AlreadyUsed => return Err(Problem::new(ErrorCode::AlreadyUsed)),
            Redeemed::Expired => {
                return Err(Problem::new(ErrorCode::Expired).with("valid_until", changed.record.valid_until));
            }
            Redeemed::Voided => return Err(Problem::new(ErrorCode::Voided)),
        };
        changed.record.set(account);
        movement.balance = account.balance;
        let unit = Unit::new().update(&changed).insert(&movement);
        if vouchers.ports.records.commit(unit).await? == Committed::Done {
            return Ok(Json(remaining(&changed.record, account.balance)));
        }
    }
    Err(Problem::new(ErrorCode::Overloaded).detail("Too many tills use this voucher at the same moment; try again"))
}

fn remaining(voucher: &Voucher, balance: i64) -> Response {
    Response { remaining: voucher.money(balance).map_or(Remaining::Uses(balance), Remaining::Money) }
}

/// What to take off, in minor units or uses.
fn units(voucher: &Voucher, amount: Option<Money>) -> Outcome<i64> {
    match (voucher.kind, amount) {
        (ProductKind::GiftCard, None) => Err(Problem::field("amount", "say how much to take off the gift card")),
        (ProductKind::GiftCard, Some(money)) if money.currency != voucher.currency => {
            Err(Problem::field("amount.currency", format!("the gift card is in {}", voucher.currency)))
        }
        (ProductKind::GiftCard, Some(money)) if money.amount < 1 => {
            Err(Problem::field("amount.amount", "must be at least 1"))
        }
        (ProductKind::GiftCard, Some(money)) => Ok(money.amount),
        (_, Some(_)) => Err(Problem::field("amount", "only a gift card is used in parts")),
        (_, None) => Ok(1),
    }
}

impl Vouchers {
    /// Takes a coupon that can be redeemed in the ledger, where checkouts look as well. Whether it is a coupon that this
    /// very redemption has taken.
    async fn take_coupon(&self, voucher: &Voucher, movement: &Movement) -> Outcome<bool> {
        if voucher.kind != ProductKind::Coupon || voucher.voided || movement.at >= voucher.valid_until {
            return Ok(false);
        }
        // No client's key has a space, so no order has this name.
        let key = format!("redeem {}", movement.id);
        let name = OrderId::of_request(voucher.user, &key, 0, voucher.sold_by());
        if coupons::take(&*self.ports.ledger, voucher.sold_by(), voucher.id, name, Purpose::Use).await? {
            return Ok(true);
        }
        Err(Problem::new(ErrorCode::AlreadyUsed)
            .detail("It has been used, or is reserved by an order that is not paid"))
    }

    /// The redemption that was made under the same key before.
    async fn earlier(&self, movement: &Movement, by: UserId) -> Outcome<Option<Movement>> {
        let earlier = self.ports.records.load::<Movement>(movement.id).await?.map(|stored| stored.record);
        match earlier {
            Some(earlier) if earlier.digest == movement.digest && earlier.by == Some(by) => Ok(Some(earlier)),
            Some(_) => Err(Problem::new(ErrorCode::IdempotencyKeyReused)),
            None => Ok(None),
        }
    }
}
