//! Bank transfers: a virtual account of an order, into which its money is paid once, at any moment until the order's time
//! is over.
//!
//! Nothing is pinned for an account that waits. A deposit may come in hours or never; until then the order is as payable,
//! by a card too, and as free to expire as one that nobody pays. What a deposit meets is decided when it is known of, in
//! one place, [`super::settle`]: the units of the order, else units again, else the money goes back by itself, to the
//! account that the buyer has named for that. So a deposit at the very moment of the deadline is either delivered for or sent
//! back, whichever of the two the ledger puts first, and no units are promised twice.
//!
//! | the attempt | what a crash leaves, and what heals it |
//! |---|---|
//! | READY, named after itself | perhaps opened: asked for again under the same key ([`open`]), which is answered the same |
//! | READY | asked about until the deadline, a last time just before it, and until the provider knows ([`wait`]) |
//! | DONE | in one commit with `payment.done`; [`super::settle`] delivers or sends back, [`super::receipts`] begins a receipt |
//! | FAIL, expired | looked at a few times more: a deposit that comes late is a charge without us ([`super::follow`]) |
//! | QUARANTINED | the provider was silent for too long after the deadline: a person is called; still asked |
//!
//! Whoever brings the news (the provider's notice, a look, a confirmation) is not believed, the provider is asked.

mod bank;
mod details;
mod forget;
mod late;
mod open;
pub(super) mod request;
mod view;
mod wait;

use firstcome_core::ids::{OrderId, PaymentId, UserId};
use firstcome_core::payment::PaymentMethod;
use firstcome_core::ports::{PortError, ReceiptKind, Records, RefundAccount};
use firstcome_core::record;
use firstcome_core::records::{Query, Record as _, RecordsExt as _, Stored};
use firstcome_core::time::Time;

use super::Payments;
use super::rows::{Payment, payments_of};
use details::Details;

pub(super) use forget::{Erased, worker as forgetter};
pub(super) use late::first_late_look;
pub(super) use view::AccountView;

/// Accounts of one order that are read at a time: at most one for each attempt.
const PAGE: u32 = 64;

record! {
    /// A virtual account, and what its buyer has said of themselves.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct VirtualAccount in "virtual_accounts" {
        /// The attempt that it is for.
        pub payment_id: PaymentId,
        /// The order.
        pub order_id: OrderId,
        /// Whose order.
        pub person: UserId,
        /// The order again while no other account may be asked for.
        pub live: Option<OrderId>,
        /// The code of its bank.
        pub bank: String,
        /// Until when it takes a deposit.
        pub due_at: Time,
        /// Which cash receipt is wanted.
        pub receipt: Option<ReceiptKind>,
        /// When it is looked at next whether the row can be forgotten.
        pub forget_at: Option<Time>,
        /// When its person's account was deleted.
        pub erased_at: Option<Time>,
        /// When it was asked for.
        pub created_at: Time,
        /// The number of the key that the details are sealed with.
        pub sealed_with: u32,
        /// The details, sealed.
        pub sealed: Vec<u8>,
    }
    indexes [
        unique "virtual_accounts_live" ("live"),
        index "virtual_accounts_by_order" ("order_id"),
        index "virtual_accounts_by_person" ("person"),
        index "virtual_accounts_by_key" ("sealed_with"),
        index "virtual_accounts_forget" ("forget_at"),
    ]
}

impl Payment {
    /// Whether it waits for a deposit, or did.
    pub(super) fn is_transfer(&self) -> bool {
        self.method == Some(PaymentMethod::BankTransfer)
    }

    /// Whether its provider has not told yet what it calls it: till then it is named after itself.
    pub(super) fn is_unnamed(&self) -> bool {
        self.payment_key == self.payment_id.to_string()
    }

    /// What its provider calls it, once that has told.
    pub(super) fn named(&self) -> Option<&str> {
        (!self.is_unnamed()).then_some(&*self.payment_key)
    }
}

/// Every account of an order, oldest first.
async fn accounts_of(records: &dyn Records, order: OrderId) -> Result<Vec<Stored<VirtualAccount>>, PortError> {
    let mut accounts: Vec<Stored<VirtualAccount>> =
        records.every(Query::all(VirtualAccount::TABLE, PAGE).is("order_id", order)).await?;
    accounts.sort_by_key(|account| account.record.created_at);
    Ok(accounts)
}

/// The account that a payment came in by. A late deposit has a row of its own: its account is the one that the provider
/// calls by the same name.
pub(super) async fn account_of(
    records: &dyn Records,
    payment: &Payment,
) -> Result<Option<Stored<VirtualAccount>>, PortError> {
    if !payment.is_transfer() {
        return Ok(None);
    }
    let mut accounts = accounts_of(records, payment.order_id).await?;
    let attempts = payments_of(records, payment.order_id).await?;
    let of_same_name = |account: &Stored<VirtualAccount>| {
        let id = account.record.payment_id;
        id == payment.payment_id
            || attempts
                .iter()
                .any(|attempt| attempt.record.payment_id == id && attempt.record.payment_key == payment.payment_key)
    };
    let place = accounts.iter().position(of_same_name);
    Ok(place.map(|place| accounts.swap_remove(place)).or(accounts.pop()))
}

impl Payments {
    /// Where the money of a payment goes back to; none for a payment that knows by itself, and for one of which nobody
    /// can tell any more.
    pub(super) async fn refund_account(&self, payment: &Payment) -> Result<Option<RefundAccount>, PortError> {
        let account = account_of(&*self.ports.records, payment).await?;
        Ok(account.and_then(|account| self.details(&account.record)).map(Details::refund_account))
    }

    /// By what the tax office knows whose a payment's receipt is; none when none is wanted, or nobody can tell any more.
    pub(super) async fn receipt_number(&self, payment: &Payment) -> Result<Option<String>, PortError> {
        let account = account_of(&*self.ports.records, payment).await?;
        Ok(account.and_then(|account| self.details(&account.record)).and_then(|details| details.receipt_number))
    }

    fn details(&self, account: &VirtualAccount) -> Option<Details> {
        account.open(&self.ports.keys.sealer())
    }
}
