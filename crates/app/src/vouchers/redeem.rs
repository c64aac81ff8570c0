//! `POST /vouchers/{code}/redeem`: at a till or a gate.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::{BodyDigest, EventId, OrderId, RefundId, UserId};
use firstcome_core::money::Money;
use firstcome_core::ports::Committed;
use firstcome_core::product::ProductKind;
use firstcome_core::records::{RecordsExt as _, Stored, Unit};
use firstcome_core::time::Time;
use firstcome_core::voucher::{Account, Redeemed};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::store::{Movement, MovementKind, Voucher};
use super::{Vouchers, follow};
use crate::http::{Body, IdempotencyKey, Merchant, MoneySchema, Outcome, Path, Problem};
use crate::voucher_account::{Purpose, Taken, VoucherAccount};

/// How often a redemption is decided anew because another one of the same voucher was faster.
const TRIES: u32 = 100;

/// Until a row is looked at again that does not know yet what the ledger knows.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// What to take off.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RedeemVoucher)]
pub(super) struct Request {
    /// Gift card: how much. Left out for a ticket or a coupon.
    #[serde(default)]
    #[garde(skip)]
    #[schema(value_type = Option<MoneySchema>)]
    amount: Option<Money>,
}

/// What is left: money for a gift card, uses for the others.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum Remaining {
    /// Money.
    #[schema(value_type = MoneySchema)]
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
    let mut redemption = Redemption { merchant: merchant.user, key, digest: body.digest, taken: None };
    for _ in 0..TRIES {
        let stored = vouchers.by_code(&code).await?.ok_or_else(Problem::not_found)?;
        let amount = units(&stored.record, body.value.amount)?;
        if let Some(balance) = vouchers.redeem(&mut redemption, &stored, amount).await? {
            return Ok(Json(remaining(&stored.record, balance)));
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

/// One request of a till.
pub(super) struct Redemption {
    pub(super) merchant: UserId,
    pub(super) key: String,
    pub(super) digest: BodyDigest,
    /// Where this very request has taken units, and under which name.
    pub(super) taken: Option<(VoucherAccount, OrderId)>,
}

impl Redemption {
    fn id(&self) -> EventId {
        EventId::derived(&[b"redeemed", &self.merchant.0, self.key.as_bytes()])
    }

    /// The name under which the ledger takes units; none for what only a row knows.
    pub(super) fn name(&self, voucher: &Voucher) -> Option<OrderId> {
        // No client's key has a space, so no order has this name.
        let key = format!("redeem {}", self.id());
        voucher.in_ledger().map(|account| OrderId::of_request(voucher.user, &key, 0, account.offer))
    }

    fn movement(&self, voucher: &Voucher, amount: i64, at: Time) -> Movement {
        Movement {
            id: self.id(),
            voucher: voucher.id,
            kind: MovementKind::Redeemed,
            amount,
            balance: 0,
            by: Some(self.merchant),
            digest: Some([&voucher.id.0[..], &self.digest.to_be_bytes()].concat()),
            at,
            name: self.name(voucher),
        }
    }
}

impl Vouchers {
    /// Redeems a voucher, and says what is left. None when somebody else has changed its row at the same moment.
    pub(super) async fn redeem(
        &self,
        redemption: &mut Redemption,
        stored: &Stored<Voucher>,
        amount: i64,
    ) -> Outcome<Option<i64>> {
        let records = &*self.ports.records;
        let mut movement = redemption.movement(&stored.record, amount, self.ports.clock.now());
        if let Some(earlier) = records.load::<Movement>(movement.id).await? {
            return self.again(redemption, &movement, &earlier.record).await;
        }
        let was_taken = self.take(redemption, &stored.record, &movement).await?;
        if let Some(mark) = if was_taken { self.mark(&movement).await? } else { None } {
            // Written already, by whoever reads in the ledger that it was taken: this is what took it.
            movement.balance = mark.record.balance;
            let unit = Unit::new().update(&mark).delete(&mark.record).insert(&movement);
            let done = records.commit(unit).await? == Committed::Done;
            return Ok(done.then_some(movement.balance));
        }
        if stored.record.in_ledger().is_some() {
            let left = self.tills.write(stored.clone(), movement).await?;
            if left.is_none() {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            return Ok(left);
        }
        let mut changed = stored.clone();
        changed.record.set(redeemed(&stored.record, &movement)?);
        movement.balance = changed.record.balance;
        let done = records.commit(Unit::new().update(&changed).insert(&movement)).await? == Committed::Done;
        Ok(done.then_some(movement.balance))
    }

    /// Takes what a till uses in the ledger, where checkouts take too. Whether it was taken before, so that a row may say
    /// so already.
    async fn take(&self, redemption: &mut Redemption, voucher: &Voucher, movement: &Movement) -> Outcome<bool> {
        let (Some(account), Some(name)) = (voucher.in_ledger(), movement.name) else { return Ok(false) };
        // What is left the ledger knows; everything else the row.
        if let Err(problem) =
            redeemed(&Voucher { balance: voucher.face.max(movement.amount), ..voucher.clone() }, movement)
        {
            return match self.mark(movement).await? {
                Some(_) => Ok(true),
                None if voucher.balance == 0 && problem.code() == ErrorCode::Expired => {
                    Err(Problem::new(ErrorCode::AlreadyUsed))
                }
                None => Err(problem),
            };
        }
        match account.take(&*self.ports.ledger, movement.amount, name, Purpose::Use).await? {
            Taken::Now => {
                redemption.taken = Some((account, name));
                Ok(false)
            }
            Taken::Before(amount) if amount == movement.amount => Ok(true),
            Taken::Before(_) | Taken::Otherwise => Err(Problem::new(ErrorCode::IdempotencyKeyReused)),
            Taken::TooFew(left) if voucher.kind == ProductKind::GiftCard && voucher.balance > 0 => {
                Err(insufficient(voucher, left))
            }
            Taken::TooFew(_) => Err(Problem::new(ErrorCode::AlreadyUsed)
                .detail("It has been used, or is reserved by an order that is not paid")),
        }
    }

    /// What was written of a redemption by whoever read in the ledger that it was made.
    async fn mark(&self, movement: &Movement) -> Outcome<Option<Stored<Movement>>> {
        let Some(name) = movement.name else { return Ok(None) };
        let named = follow::named(&*self.ports.records, &[name]).await?;
        Ok(named.into_iter().find(|stored| stored.record.kind == MovementKind::Redeemed))
    }

    /// A request whose key was used before: for the same, it is answered the same.
    async fn again(&self, redemption: &Redemption, movement: &Movement, earlier: &Movement) -> Outcome<Option<i64>> {
        if earlier.digest == movement.digest && earlier.by == movement.by {
            return Ok(Some(earlier.balance));
        }
        // Another request under this key was faster, with another voucher: what this one took was not for it to take.
        if let Some((account, name)) = redemption.taken.filter(|(_, name)| earlier.name != Some(*name)) {
            let return_id = RefundId::derived(&[b"key reused", &name.0]);
            account.give_back(&*self.ports.ledger, movement.amount, name, return_id).await?;
        }
        Err(Problem::new(ErrorCode::IdempotencyKeyReused))
    }
}

/// The account of a voucher after a redemption.
fn redeemed(voucher: &Voucher, movement: &Movement) -> Outcome<Account> {
    match voucher.account().redeem(movement.amount, movement.at) {
        Redeemed::Done(account) => Ok(account),
        Redeemed::InsufficientBalance => Err(insufficient(voucher, voucher.balance)),
        Redeemed::AlreadyUsed => Err(Problem::new(ErrorCode::AlreadyUsed)),
        Redeemed::Expired => Err(Problem::new(ErrorCode::Expired).with("valid_until", voucher.valid_until)),
        Redeemed::Voided => Err(Problem::new(ErrorCode::Voided)),
    }
}

fn insufficient(voucher: &Voucher, left: i64) -> Problem {
    Problem::new(ErrorCode::InsufficientBalance).with("balance", voucher.money(left))
}
