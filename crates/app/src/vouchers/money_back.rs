//! `POST /vouchers/{code}/refund`: an owner gives up what is left of a gift card, and gets money for it.
//!
//! The ledger decides, as at a till: what is left is taken from the card's account, all of it or nothing. The journal says
//! that it was, and by which percent; whoever reads it ([`super::follow`]) writes the row and tells the orders role, in one commit. That
//! sends the money back to the charge that had bought the card, as a part of that order ([`crate::orders`], `given_up`). So
//! a crash after the ledger's answer loses nothing, and nothing goes back twice.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::OrderId;
use firstcome_core::money::Money;
use firstcome_core::product::ProductKind;
use firstcome_core::records::{Query, Record as _, RecordsExt as _};
use firstcome_core::tax::lines_of;
use firstcome_core::time::Time;
use firstcome_core::voucher::VoucherState;
use serde::Serialize;
use utoipa::ToSchema;

use super::store::{Movement, MovementKind, Voucher};
use super::{Vouchers, follow};
use crate::http::{Buyer, IdempotencyKey, MoneySchema, NoBody, Outcome, Path, Problem};
use crate::voucher_account::{Purpose, Taken};

/// Movements of a card that are read at a time.
const MOVEMENTS: u32 = 256;

/// When money is paid back for a gift card, and how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MoneyBack {
    /// Percent for a card that expired unused.
    pub expired_percent: u8,
    /// The same of a card on which more than `large_value` was put.
    pub large_expired_percent: u8,
    /// Minor units.
    pub large_value: i64,
    /// Percent of a card that must be spent before its rest is paid back.
    pub spent_percent: u8,
    /// The same of a card on which no more than `small_value` was put.
    pub small_spent_percent: u8,
    /// Minor units.
    pub small_value: i64,
}

impl Default for MoneyBack {
    fn default() -> Self {
        Self {
            expired_percent: 90,
            large_expired_percent: 95,
            large_value: 50_000,
            spent_percent: 60,
            small_spent_percent: 80,
            small_value: 10_000,
        }
    }
}

/// What was given up.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = GivenUp)]
pub(super) struct Response {
    /// What was left on the card.
    #[schema(value_type = MoneySchema)]
    given_up: Money,
    /// Percent of what that had cost that goes back.
    #[schema(example = 100)]
    percent: u8,
    /// The order that bought the card: its payment shows the refund.
    #[schema(value_type = String)]
    order_id: OrderId,
}

/// Gives up what is left of an own gift card for money: the rest of one that is spent for the most part, or one that expired
/// unused. The refund goes to the charge that had bought it.
#[utoipa::path(
    post, path = "/api/v1/vouchers/{code}/refund", tag = "vouchers",
    params(("code" = String, Path), ("Idempotency-Key" = String, Header)),
    responses(
        (status = 200, body = Response),
        (status = 404, description = "not_found"),
        (status = 409, description = "wrong_state (with spent_percent and needed_percent when too little is spent), already_used, voided"),
        (status = 422, description = "idempotency_key_reused"),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn post(
    State(vouchers): State<Arc<Vouchers>>,
    Buyer(owner): Buyer,
    Path(code): Path<String>,
    IdempotencyKey(key): IdempotencyKey,
    _: NoBody,
) -> Outcome<Json<Response>> {
    let stored = vouchers.by_code(&code).await?.filter(|stored| stored.record.user == owner.user);
    let card = stored.ok_or_else(Problem::not_found)?.record;
    vouchers.give_up(&card, &key).await.map(Json)
}

impl Vouchers {
    pub(super) async fn give_up(&self, card: &Voucher, key: &str) -> Outcome<Response> {
        let (Some(account), ProductKind::GiftCard) = (card.in_ledger(), card.kind) else {
            return Err(Problem::new(ErrorCode::WrongState).detail("Money is paid back for gift cards only"));
        };
        // No client's key has a space, so no order has this name.
        let name = OrderId::of_request(card.user, &format!("give up {key}"), 0, account.offer);
        let answer =
            |left, percent| Response { given_up: Money::new(left, card.currency), percent, order_id: card.order };
        if let Some((amount, percent)) = self.was_given_up(card, name).await? {
            return Ok(answer(amount, percent));
        }
        let given_up = self.given_up(card).await?;
        let percent = match self.money_back.percent(card, given_up, self.ports.clock.now()) {
            Ok(percent) => percent,
            // Whoever reads the journal may have written what this very request took, after the card was read.
            Err(problem) => {
                let (amount, percent) = self.was_given_up(card, name).await?.ok_or(problem)?;
                return Ok(answer(amount, percent));
            }
        };
        let bought = self.ports.ledger.find(card.order).await?;
        // Its own line counts, whatever else the order was paid for.
        let is_free =
            |order| lines_of(order, |_| true).iter().any(|line| line.offer == card.sold_by() && line.amount == 0);
        if bought.as_ref().is_some_and(is_free) {
            return Err(Problem::new(ErrorCode::WrongState).detail("It was free; no money could go back for it"));
        }
        match account.take(&*self.ports.ledger, card.balance, name, Purpose::MoneyBack(percent)).await? {
            Taken::Now => Ok(answer(card.balance, percent)),
            Taken::Before(amount) => Ok(answer(amount, percent)),
            Taken::Otherwise => Err(Problem::new(ErrorCode::IdempotencyKeyReused)),
            Taken::TooFew(_) => Err(Problem::new(ErrorCode::WrongState)
                .detail("Some of it is reserved by an order that is not paid, or was used in this moment")),
        }
    }
}

impl Vouchers {
    /// What was given up under this name, and for how many percent, once its row is written.
    async fn was_given_up(&self, card: &Voucher, name: OrderId) -> Outcome<Option<(i64, u8)>> {
        let Some(done) = follow::named(&*self.ports.records, &[name]).await?.pop() else { return Ok(None) };
        if done.record.voucher != card.id {
            return Err(Problem::new(ErrorCode::IdempotencyKeyReused));
        }
        let percent = done.record.digest.and_then(|digest| digest.first().copied()).unwrap_or(100);
        Ok(Some((done.record.amount, percent)))
    }

    /// Minor units of a card that were given up before: gone, but not spent.
    async fn given_up(&self, card: &Voucher) -> Outcome<i64> {
        let given_up = Query::all(Movement::TABLE, MOVEMENTS).is("voucher", card.id).is("kind", MovementKind::Refunded);
        let given_up = self.ports.records.every::<Movement>(given_up).await?;
        Ok(given_up.iter().map(|row| row.record.amount).sum())
    }
}

impl MoneyBack {
    /// Percent that go back for what is left of a card, of which so much was given up before.
    fn percent(&self, card: &Voucher, given_up: i64, now: Time) -> Outcome<u8> {
        match card.account().state(now) {
            VoucherState::Canceled => return Err(Problem::new(ErrorCode::Voided)),
            VoucherState::Used => return Err(Problem::new(ErrorCode::AlreadyUsed)),
            VoucherState::Expired if card.balance == card.face && card.face > self.large_value => {
                return Ok(self.large_expired_percent);
            }
            VoucherState::Expired if card.balance == card.face => return Ok(self.expired_percent),
            VoucherState::Active | VoucherState::Using | VoucherState::Expired => {}
        }
        let needed = if card.face <= self.small_value { self.small_spent_percent } else { self.spent_percent };
        let spent = i128::from(card.face - card.balance - given_up) * 100;
        if spent >= i128::from(needed) * i128::from(card.face) {
            return Ok(100);
        }
        let spent = i64::try_from(spent / i128::from(card.face.max(1))).unwrap_or(0);
        Err(Problem::new(ErrorCode::WrongState)
            .detail("Too little of it is spent, and it did not expire unused")
            .with("spent_percent", spent)
            .with("needed_percent", needed))
    }
}
