//! `GET /api/v1/payments/{order_id}`: the payment of an order with its attempts and refunds.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::ids::{OrderId, PaymentId, RefundId, UserId};
use firstcome_core::ledger::{Hold, HoldState};
use firstcome_core::money::Money;
use firstcome_core::payment::{PaymentMethod, PaymentState, RefundState};
use firstcome_core::product::RefundPolicy;
use firstcome_core::time::Time;
use serde::Serialize;
use utoipa::ToSchema;

use super::Payments;
use super::receipts::ReceiptView;
use super::rows::{Origin, Payment, Refund, payments_of, refunds_of};
use super::transfer::AccountView;
use crate::http::{Buyer, Identity, MoneySchema, Outcome, Path, Permission, Problem};

/// The payment of an order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrderPayment)]
pub(super) struct View {
    /// The attempt that counts: the live one, else an account that waits for its deposit, else the last.
    #[schema(value_type = String, example = "pay_01h455vb4pex5vsknk084sn02q")]
    payment_id: PaymentId,
    /// The order.
    #[schema(value_type = String, example = "ord_01h455vb4pex5vsknk084sn02q")]
    order_id: OrderId,
    /// Where that attempt stands.
    #[schema(value_type = String, example = "DONE")]
    state: PaymentState,
    /// What it collects.
    #[schema(value_type = MoneySchema)]
    amount: Money,
    /// What went back of it.
    #[schema(value_type = MoneySchema)]
    refunded: Money,
    /// How it is collected: `checkout` or `bank_transfer`.
    #[schema(value_type = String, example = "checkout")]
    method: PaymentMethod,
    /// Where a bank transfer goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    virtual_account: Option<AccountView>,
    /// The cash receipt of a bank transfer, if one is wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    cash_receipt: Option<ReceiptView>,
    /// What a gift card paid beside it. An order that it paid whole has an amount of 0 here, and no attempts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<MoneySchema>)]
    gift_card: Option<Money>,
    /// Every attempt, oldest first.
    attempts: Vec<AttemptView>,
    /// Every refund, oldest first.
    refunds: Vec<RefundView>,
}

/// One attempt to collect.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PaymentAttempt)]
struct AttemptView {
    #[schema(value_type = String, example = "pay_01h455vb4pex5vsknk084sn02q")]
    payment_id: PaymentId,
    /// The provider's name for it; null while it has none yet.
    #[schema(example = "sbx_01h455vb4pex5vsknk084sn02q")]
    payment_key: Option<String>,
    #[schema(value_type = String, example = "DONE")]
    state: PaymentState,
    #[schema(value_type = MoneySchema)]
    amount: Money,
    /// How it is collected: `checkout` or `bank_transfer`.
    #[schema(value_type = String, example = "checkout")]
    method: PaymentMethod,
    /// The provider's code, when it refused.
    provider_code: Option<String>,
    /// The provider's words, when it refused.
    provider_message: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
}

/// Money that goes back.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PaymentRefund)]
struct RefundView {
    #[schema(value_type = String, example = "rfd_01h455vb4pex5vsknk084sn02q")]
    refund_id: RefundId,
    #[schema(value_type = String, example = "ord_01h455vb4pex5vsknk084sn02q")]
    order_id: OrderId,
    #[schema(value_type = String, example = "pay_01h455vb4pex5vsknk084sn02q")]
    payment_id: PaymentId,
    /// What the provider sends back.
    #[schema(value_type = MoneySchema)]
    amount: Money,
    /// What went back to the gift card that had paid a part.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<MoneySchema>)]
    to_gift_card: Option<Money>,
    #[schema(value_type = String, example = "DONE")]
    state: RefundState,
    /// The rule that the amount follows; null for a refund from before that was kept.
    #[schema(value_type = Option<String>, example = "withdrawal")]
    policy: Option<RefundPolicy>,
    /// Who wanted it: `order`, `undeliverable` (paid, and nothing could be delivered) or `provider`.
    #[schema(value_type = String, example = "order")]
    origin: Origin,
    /// Why, for people, in the shop's words; what was written with a cancel or refund is in its answer alone.
    #[schema(example = "canceled by the buyer")]
    reason: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
}

/// Shows the payment of an own order; operators may see any.
#[utoipa::path(
    get, path = "/api/v1/payments/{order_id}", tag = "payments",
    params(("order_id" = String, Path, description = "The order")),
    responses(
        (status = 200, description = "The payment", body = View),
        (status = 404, description = "not_found: nobody tried to pay such an order of yours"),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn get(
    State(payments): State<Arc<Payments>>,
    Buyer(caller): Buyer,
    Path(order): Path<String>,
) -> Outcome<Json<View>> {
    let order: OrderId = order.parse().map_err(|_| Problem::not_found())?;
    let records = &*payments.ports.records;
    let mut attempts: Vec<Payment> =
        payments_of(records, order).await?.into_iter().map(|stored| stored.record).collect();
    attempts.retain(|attempt| may_see(&caller, attempt.person));
    attempts.sort_by_key(|attempt| attempt.created_at);
    let hold = payments.ports.ledger.find(order).await?.filter(|hold| may_see(&caller, hold.person));
    let mut refunds: Vec<Refund> = refunds_of(records, order).await?.into_iter().map(|stored| stored.record).collect();
    refunds.sort_by_key(|refund| refund.created_at);
    let waits = || attempts.iter().find(|attempt| attempt.state.is_undecided());
    let counts = attempts.iter().find(|attempt| attempt.live.is_some()).or_else(waits).or(attempts.last());
    let (virtual_account, cash_receipt) = match counts {
        Some(payment) => (payments.account_view(payment).await?, payments.receipt_view(payment).await?),
        None => (None, None),
    };
    let sums = counts.map(Sums::of_attempt).or_else(|| hold.as_ref().and_then(|hold| Sums::of_card(hold, &refunds)));
    let Sums { payment_id, state, amount, refunded } = sums.ok_or_else(Problem::not_found)?;
    let by_card = |hold: &Hold| Some(Money::new(hold.by_card()?.amount, hold.unit_price.currency));
    Ok(Json(View {
        payment_id,
        order_id: order,
        state,
        amount,
        refunded,
        gift_card: hold.as_ref().and_then(by_card),
        method: counts.map_or(PaymentMethod::Checkout, Payment::method),
        virtual_account,
        cash_receipt,
        refunds: refunds.into_iter().map(RefundView::from).collect(),
        attempts: attempts.into_iter().map(AttemptView::from).collect(),
    }))
}

/// What a payment comes to.
struct Sums {
    payment_id: PaymentId,
    state: PaymentState,
    amount: Money,
    refunded: Money,
}

impl Sums {
    fn of_attempt(payment: &Payment) -> Self {
        let refunded = Money::new(payment.refunded, payment.currency);
        Self { payment_id: payment.payment_id, state: payment.state, amount: payment.money(), refunded }
    }

    /// Of an order that a gift card has paid whole, for which nobody asked the provider.
    fn of_card(hold: &Hold, refunds: &[Refund]) -> Option<Self> {
        let paid = hold.by_card().filter(|_| hold.due().amount == 0)?.amount;
        if !matches!(hold.state, HoldState::Sold | HoldState::Returned) {
            return None;
        }
        let done = refunds.iter().filter(|refund| refund.state == RefundState::Done);
        let back = done.filter_map(|refund| refund.to_card).sum();
        let nothing = Money::new(0, hold.unit_price.currency);
        let state = PaymentState::after_refunds(paid, back);
        Some(Self { payment_id: hold.attempt, state, amount: nothing, refunded: nothing })
    }
}

fn may_see(caller: &Identity, person: UserId) -> bool {
    person == caller.user || caller.roles.may(Permission::Operate)
}

impl From<Payment> for AttemptView {
    fn from(payment: Payment) -> Self {
        let amount = payment.money();
        let failed = payment.state == PaymentState::Fail;
        Self {
            payment_id: payment.payment_id,
            method: payment.method(),
            payment_key: payment.named().map(str::to_owned),
            state: payment.state,
            amount,
            provider_code: payment.code,
            provider_message: payment.message.filter(|_| failed),
            created_at: payment.created_at,
            updated_at: payment.updated_at,
        }
    }
}

impl From<Refund> for RefundView {
    fn from(refund: Refund) -> Self {
        Self {
            refund_id: refund.refund_id,
            order_id: refund.order_id,
            payment_id: refund.payment_id,
            amount: refund.money(),
            to_gift_card: refund.to_card.map(|amount| Money::new(amount, refund.currency)),
            state: refund.state,
            policy: refund.policy,
            origin: refund.origin,
            reason: refund.reason,
            created_at: refund.created_at,
            updated_at: refund.updated_at,
        }
    }
}
