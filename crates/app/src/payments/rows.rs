//! What the role writes down: attempts to collect, and refunds.

use firstcome_core::events::RoleEvent;
use firstcome_core::ids::{OrderId, PaymentId, RefundId, UserId};
use firstcome_core::money::{Currency, Money};
use firstcome_core::payment::{PaymentMethod, PaymentState, RefundState};
use firstcome_core::ports::{PortError, ProviderPayment, Records};
use firstcome_core::product::RefundPolicy;
use firstcome_core::record;
use firstcome_core::records::{Comparison, Field as _, Query, Record as _, RecordsExt as _, Stored};
use firstcome_core::text_enum;
use firstcome_core::time::Time;

/// Every state but FAIL.
const NOT_FAILED: [PaymentState; 7] = [
    PaymentState::Ready,
    PaymentState::InProgress,
    PaymentState::Unknown,
    PaymentState::Done,
    PaymentState::Quarantined,
    PaymentState::PartialCanceled,
    PaymentState::Canceled,
];
/// Rows of one order that are read at a time: more than an order has, few enough to be read where they are asked for.
const PAGE: u32 = 256;

record! {
    /// One attempt to collect the money of an order.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Payment in "payments" {
        /// Names it; derived from the person and their idempotency key, so a repeated request meets its own row. For a
        /// charge that we did not ask for, derived from the provider's name for it.
        pub payment_id: PaymentId,
        /// The order.
        pub order_id: OrderId,
        /// Who pays; nil for a charge of an order that nobody placed.
        pub person: UserId,
        /// The provider's name for it. A virtual account that the provider has not named yet has its own id here.
        pub payment_key: String,
        /// The digest of the request's body, bit for bit.
        pub digest: i64,
        /// What is collected, in minor units.
        pub amount: i64,
        /// The currency.
        pub currency: Currency,
        /// Where it stands.
        pub state: PaymentState,
        /// The order again while no other attempt may begin: what keeps one live attempt per order.
        pub live: Option<OrderId>,
        /// Minor units that went back.
        pub refunded: i64,
        /// The provider's code, when it refused.
        pub code: Option<String>,
        /// The provider's words, when it refused; what was seen, while it is unknown.
        pub message: Option<String>,
        /// How often the provider was asked since the last change of state.
        pub tries: u32,
        /// When the provider is asked next.
        pub due_at: Option<Time>,
        /// When it began.
        pub created_at: Time,
        /// When it last changed.
        pub updated_at: Time,
        /// Minor units that the provider counts as free of VAT; none where it counts none.
        pub tax_free: Option<i64>,
        /// How it is collected; through the provider's checkout in rows of old versions.
        pub method: Option<PaymentMethod>,
    }
    indexes [
        unique "payments_live" ("live"),
        index "payments_by_order" ("order_id"),
        index "payments_by_key" ("payment_key"),
        index "payments_due" ("state", "due_at"),
        index "payments_by_time" ("created_at"),
    ]
}

text_enum! {
    /// Who wanted a refund.
    pub enum Origin {
        /// The order was canceled.
        Order = "order",
        /// The money came, and the goods could not be delivered for it.
        Undeliverable = "undeliverable",
        /// The provider, without us.
        Provider = "provider",
    }
}

record! {
    /// Money that goes back.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Refund in "refunds" {
        /// Names it, and is the provider's idempotency key.
        pub refund_id: RefundId,
        /// The payment that it comes from.
        pub payment_id: PaymentId,
        /// The order.
        pub order_id: OrderId,
        /// Minor units.
        pub amount: i64,
        /// The currency.
        pub currency: Currency,
        /// Where it stands.
        pub state: RefundState,
        /// Who wanted it.
        pub origin: Origin,
        /// The rule that the amount follows; none when it was decided before that was told.
        pub policy: Option<RefundPolicy>,
        /// Why, for people.
        pub reason: String,
        /// The provider's name for the movement, once it is done.
        pub transaction: Option<String>,
        /// What the provider last said, while it is not done.
        pub message: Option<String>,
        /// How often the provider was asked.
        pub tries: u32,
        /// When the provider is asked next.
        pub due_at: Option<Time>,
        /// When it was decided.
        pub created_at: Time,
        /// When it last changed.
        pub updated_at: Time,
        /// Minor units that went back to a gift card, beside the amount.
        pub to_card: Option<i64>,
        /// Minor units of the amount that are free of VAT, as they were decided, and then as the provider was told them; none
        /// where none are.
        pub tax_free: Option<i64>,
    }
    indexes [
        index "refunds_by_order" ("order_id"),
        index "refunds_due" ("state", "due_at"),
        index "refunds_by_time" ("updated_at"),
    ]
}

impl Payment {
    /// What is collected.
    pub(super) fn money(&self) -> Money {
        Money::new(self.amount, self.currency)
    }

    /// How it is collected.
    pub(super) fn method(&self) -> PaymentMethod {
        self.method.unwrap_or(PaymentMethod::Checkout)
    }

    /// Whether the provider's payment is this one: key, order, amount, currency.
    pub(super) fn is(&self, payment: &ProviderPayment) -> bool {
        payment.payment_key == self.payment_key
            && payment.total == self.money()
            && payment.order_id.parse() == Ok(self.order_id)
    }
}

impl Refund {
    /// The event that its money is back.
    pub(super) fn was_done(&self) -> RoleEvent {
        let Self { refund_id, order_id, to_card, .. } = *self;
        RoleEvent::RefundDone { refund: refund_id, order: order_id, amount: self.money(), to_card }
    }

    /// A refund that the orders role has decided on, and that is due now.
    pub(super) fn wanted(
        refund_id: RefundId,
        (order_id, payment_id): (OrderId, PaymentId),
        amount: Money,
        reason: String,
        policy: Option<RefundPolicy>,
        now: Time,
    ) -> Self {
        Self {
            refund_id,
            payment_id,
            order_id,
            amount: amount.amount,
            currency: amount.currency,
            state: RefundState::Pending,
            origin: Origin::Order,
            policy,
            reason,
            transaction: None,
            message: None,
            tries: 0,
            due_at: Some(now),
            created_at: now,
            updated_at: now,
            to_card: None,
            tax_free: None,
        }
    }

    /// What goes back.
    pub(super) fn money(&self) -> Money {
        Money::new(self.amount, self.currency)
    }
}

/// Every attempt of an order.
pub(super) async fn payments_of(records: &dyn Records, order: OrderId) -> Result<Vec<Stored<Payment>>, PortError> {
    records.every(Query::all(Payment::TABLE, PAGE).is("order_id", order)).await
}

/// The attempt of an order that the provider knows by this name. One that failed moved no money and is none: the same
/// payment of the provider may have been tried again since.
pub(super) async fn attempt_of(
    records: &dyn Records,
    order: OrderId,
    payment_key: &str,
) -> Result<Option<Stored<Payment>>, PortError> {
    let query = Query::all(Payment::TABLE, 1)
        .is("payment_key", payment_key.to_owned())
        .is("order_id", order)
        .filter("state", Comparison::IsOneOf(NOT_FAILED.iter().map(PaymentState::to_value).collect()));
    Ok(records.list(query).await?.pop())
}

/// How many attempts of an order failed.
pub(super) async fn failed_attempts(records: &dyn Records, order: OrderId) -> Result<usize, PortError> {
    // By the order alone: the index of the orders leads to a few rows, one of the states to all that ever failed.
    let attempts = payments_of(records, order).await?;
    Ok(attempts.iter().filter(|attempt| attempt.record.state == PaymentState::Fail).count())
}

/// The attempt that holds the order's place, if there is one.
pub(super) async fn live_payment(records: &dyn Records, order: OrderId) -> Result<Option<Stored<Payment>>, PortError> {
    Ok(records.list(Query::all(Payment::TABLE, 1).is("live", Some(order))).await?.pop())
}

/// Every refund of an order.
pub(super) async fn refunds_of(records: &dyn Records, order: OrderId) -> Result<Vec<Stored<Refund>>, PortError> {
    records.every(Query::all(Refund::TABLE, PAGE).is("order_id", order)).await
}
