//! The decision to send money back, and what is told of it. What becomes of it is in [`super::refunds`].

use firstcome_core::events::{RoleEvent, TakenLine};
use firstcome_core::ids::{OrderId, RefundId, UserId};
use firstcome_core::ledger::Hold;
use firstcome_core::money::{Currency, Money};
use firstcome_core::payment::RefundState;
use firstcome_core::product::RefundPolicy;
use firstcome_core::record;
use firstcome_core::records::Json;
use firstcome_core::step::Step;
use firstcome_core::tax::Tax;
use firstcome_core::time::Time;
use serde::{Deserialize, Serialize};

use super::books::{Books, SoldLine, sold_lines};
use super::parts::tax_of;
use super::policy;

/// Why money goes back, when nobody wrote why.
pub(super) const CANCELED: &str = "canceled by the buyer";
pub(super) const SENT_BACK: &str = "sent back by the buyer";
pub(super) const CANCELED_BY_PROVIDER: &str = "canceled at the payment provider";
pub(super) const GIVEN_UP: &str = "a gift card was given up";

record! {
    /// The decision to send money back.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Refund in "refunds" {
        /// Names it.
        pub refund: RefundId,
        /// The order.
        pub order: OrderId,
        /// Whose order.
        pub user: UserId,
        /// What goes back, in minor units; 0 for a free order.
        pub amount: i64,
        /// The currency.
        pub currency: Currency,
        /// Where it stands.
        pub state: RefundState,
        /// The rule that the amount follows.
        pub policy: RefundPolicy,
        /// Why, for people, in their words.
        pub reason: String,
        /// The provider sent the money back without us; it is not asked to do so again.
        pub by_provider: bool,
        /// When it was decided.
        pub created_at: Time,
        /// The order again while this takes all that is left of it: so one refund does. Those of old versions took all as well.
        pub all_of: Option<OrderId>,
        /// What is taken back; none when it is the whole order.
        pub taken: Option<Json<Taken>>,
        /// Nobody asks whether it was used.
        pub forced: Option<bool>,
        /// Who of the shop decided it; nobody when the buyer did.
        pub by: Option<UserId>,
        /// What of the amount goes back to the gift card that has paid a part of the order.
        pub to_card: Option<i64>,
        /// What of the amount is free of VAT; missing where it is as much as of the rest of the order, in rows of old versions
        /// too.
        pub tax_free: Option<i64>,
        /// What of it is VAT: counted when nothing can refuse the refund any more.
        pub vat: Option<i64>,
        /// What of it had been paid for sending the order; none when that does not go back with it.
        pub shipping_fee: Option<i64>,
    }
    indexes [
        index "refund_of_order" ("order"),
        unique "refund_of_all" ("all_of"),
        index "refunds_by_state" ("state", "created_at"),
        index "refunds_by_user" ("user"),
    ]
}

/// What a refund takes back.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Taken {
    /// Units of lines; none when it is about money alone and the delivery stays.
    pub lines: Vec<TakenLine>,
    /// Whether the units can be sold again; if not, they leave the stock.
    pub restock: bool,
    /// What they had cost, in minor units.
    pub cost: i64,
    /// What of the amount that goes back is free of VAT; as much as of the rest of the order if it is not said.
    #[serde(default)]
    pub tax_free: Option<i64>,
    /// What is owed for a gift card that was given up, while it is not known what of it can go back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<i64>,
}

impl Refund {
    /// What goes back.
    pub fn money(&self) -> Money {
        Money::new(self.amount, self.currency)
    }

    /// What the provider sends back.
    pub fn from_charge(&self) -> Money {
        Money::new(self.amount.saturating_sub(self.to_card()), self.currency)
    }

    /// Minor units that go back to a gift card.
    pub fn to_card(&self) -> i64 {
        self.to_card.unwrap_or(0)
    }

    /// What of the order's tax goes back with it; none before that is counted.
    pub fn tax(&self) -> Option<Tax> {
        tax_of(self.amount, self.tax_free, self.vat)
    }

    /// Whether its part of the order's tax counts: it was counted, or it is over in the books of an old version.
    pub(super) fn is_counted(&self) -> bool {
        self.vat.is_some() || matches!(self.state, RefundState::Done | RefundState::Quarantined)
    }

    /// The same, with its part of the order's tax.
    pub(super) fn counted(self, books: &Books) -> Self {
        let tax = books.tax_of(self.refund, self.amount, self.tax_free);
        Self { tax_free: Some(tax.tax_free), vat: Some(tax.vat), ..self }
    }

    /// The same about nothing yet: a decision that may be refused has the money.
    pub(super) fn waiting_for(self, owed: i64) -> Self {
        let taken = Taken { waits_for: Some(owed), ..Taken::default() };
        Self { amount: 0, taken: Some(Json(taken)), to_card: None, tax_free: None, vat: None, ..self }
    }

    /// What is owed, while it waits for that.
    pub(super) fn waits_for(&self) -> Option<i64> {
        self.taken.as_ref().and_then(|taken| taken.0.waits_for)
    }

    /// Whether it takes all that is left of the order.
    pub fn is_whole(&self) -> bool {
        self.all_of.is_some() || self.taken.is_none()
    }

    /// Whether it is about money alone.
    pub fn leaves_delivery(&self) -> bool {
        self.taken.as_ref().is_some_and(|taken| taken.0.lines.is_empty())
    }

    /// The units that it takes back.
    pub(super) fn lines(&self, hold: &Hold) -> Vec<TakenLine> {
        let all = || {
            let line = |SoldLine { offer, quantity, .. }| TakenLine { offer, quantity, of: quantity };
            sold_lines(hold).into_iter().map(line).collect()
        };
        self.taken.as_ref().map_or_else(all, |taken| taken.0.lines.clone())
    }

    /// The event that begins it.
    pub fn begins(&self) -> RoleEvent {
        if self.leaves_delivery() {
            return self.approved();
        }
        let Self { refund, order, .. } = *self;
        let forced = self.by_provider || self.forced == Some(true);
        let lines = self.taken.as_ref().filter(|_| !self.is_whole()).map(|taken| taken.0.lines.clone());
        RoleEvent::RefundRequested { refund, order, amount: self.money(), forced, lines: lines.unwrap_or_default() }
    }

    /// The event that lets the money go.
    pub(super) fn approved(&self) -> RoleEvent {
        let Self { refund, order, policy, .. } = *self;
        // What the provider sent back by itself it is not asked for.
        let amount = if self.by_provider { Money::new(0, self.currency) } else { self.from_charge() };
        let (to_card, reason) = (self.to_card(), self.cause().to_owned());
        // The gift card's part of what is free of VAT is no matter of the provider's.
        let tax_free = policy::share(self.tax_free.unwrap_or(0), amount.amount.into(), self.amount.into());
        RoleEvent::RefundApproved { refund, order, amount, to_card, reason, policy: Some(policy), tax_free }
    }

    /// What its buyer is told.
    pub(super) fn told(&self, step: Step) -> RoleEvent {
        RoleEvent::OrderStep { order: self.order, user: self.user, step }
    }

    /// What its buyer is told when the money is back; nothing while it is not, nor when there was none.
    pub(super) fn money_is_back(&self) -> Option<RoleEvent> {
        let is_back = self.state == RefundState::Done && self.amount > 0;
        is_back.then(|| self.told(Step::Refunded { amount: self.from_charge(), to_card: self.to_card() }))
    }

    /// The event that ends it without money.
    pub(super) fn was_refused(&self) -> RoleEvent {
        let Self { refund, order, policy, .. } = *self;
        let (amount, reason) = (self.from_charge(), self.cause().to_owned());
        RoleEvent::RefundRefused { refund, order, amount, reason, policy }
    }

    /// Why, in words of ours. What people wrote may say something about a person: it stays here, where it can be erased,
    /// and is told to no other role and not to the provider.
    fn cause(&self) -> &'static str {
        if self.by_provider {
            CANCELED_BY_PROVIDER
        } else if self.by.is_some() {
            "refunded by the shop"
        } else if self.leaves_delivery() {
            GIVEN_UP
        } else if self.refund == RefundId::of_goods_returned(self.order) {
            SENT_BACK
        } else {
            CANCELED
        }
    }
}

#[cfg(test)]
mod tests {
    use firstcome_core::ids::OfferNumber;

    use super::*;

    #[test]
    fn what_people_wrote_is_in_no_event() {
        let order = OrderId::of_request(UserId([3; 16]), "key", 0, OfferNumber(1));
        let refund = Refund {
            refund: RefundId([1; 16]),
            order,
            user: UserId([3; 16]),
            amount: 1_000,
            currency: Currency::KRW,
            state: RefundState::Pending,
            policy: RefundPolicy::FullUntilUsed,
            reason: "call me at 010-1234-5678".to_owned(),
            by_provider: false,
            created_at: Time(1),
            all_of: None,
            taken: None,
            forced: None,
            by: None,
            to_card: None,
            tax_free: None,
            vat: None,
            shipping_fee: None,
        };
        let by_shop = Refund { by: Some(UserId([4; 16])), ..refund.clone() };
        let returned = Refund { refund: RefundId::of_goods_returned(order), ..refund.clone() };
        let at_provider = Refund { by_provider: true, ..refund.clone() };
        for (refund, cause) in [
            (refund, "canceled by the buyer"),
            (by_shop, "refunded by the shop"),
            (returned, "sent back by the buyer"),
            (at_provider, "canceled at the payment provider"),
        ] {
            for event in [refund.begins(), refund.approved(), refund.was_refused()] {
                let told = event.to_new(Time(1)).data;
                assert!(!told.contains("call me"), "{told}");
                assert!(matches!(event, RoleEvent::RefundRequested { .. }) || told.contains(cause), "{told}");
            }
        }
    }
}
