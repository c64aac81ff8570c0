//! The rows of the role.

use firstcome_core::events::RoleEvent;
use firstcome_core::ids::{EventId, OfferNumber, OrderId, UserId, VoucherId};
use firstcome_core::money::{Currency, Money};
use firstcome_core::product::ProductKind;
use firstcome_core::record;
use firstcome_core::records::{Query, Record as _, RecordsExt, Stored};
use firstcome_core::text_enum;
use firstcome_core::time::Time;
use firstcome_core::voucher::Account;

use super::Vouchers;
use crate::http::{Identity, Outcome, Permission, Problem};
use crate::voucher_account::{VoucherAccount, code_hash};

record! {
    /// A gift card, coupon or ticket.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Voucher in "vouchers" {
        /// Names it: follows from its order and its number in it, so it is issued once.
        pub id: VoucherId,
        /// What its owner shows.
        pub code: String,
        /// The order that it was bought by.
        pub order: OrderId,
        /// Whose it is.
        pub user: UserId,
        /// What it is.
        pub kind: ProductKind,
        /// What it is called.
        pub product_name: String,
        /// What was put on it: minor units, or uses.
        pub face: i64,
        /// The currency of a gift card.
        pub currency: Currency,
        /// What is left.
        pub balance: i64,
        /// When it expires.
        pub valid_until: Time,
        /// Whether it was taken back.
        pub voided: bool,
        /// When it was issued.
        pub issued_at: Time,
        /// The offer that sold it; missing in rows of old versions, which are all of their order's home.
        pub offer: Option<OfferNumber>,
    }
    indexes [
        unique "vouchers_by_code" ("code"),
        index "vouchers_by_user" ("user", "issued_at"),
        index "vouchers_by_order" ("order"),
    ]
}

text_enum! {
    /// What happened to a voucher.
    #[derive(utoipa::ToSchema)]
    pub enum MovementKind {
        /// It was issued.
        Issued = "issued",
        /// Something was taken off at a till or a gate, or a coupon was used for an order.
        Redeemed = "redeemed",
        /// A gift card paid an order, or a part of it.
        Spent = "spent",
        /// Money of a gift card, or the use of a coupon, came back with the order that it was for.
        Returned = "returned",
        /// Its owner gave up what was left, for money.
        Refunded = "refunded",
        /// It was taken back.
        Voided = "voided",
    }
}

record! {
    /// One thing that happened to a voucher.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Movement in "voucher_movements" {
        /// Names it; for a redemption it follows from who asked and their key.
        pub id: EventId,
        /// The voucher.
        pub voucher: VoucherId,
        /// What happened.
        pub kind: MovementKind,
        /// Minor units, or uses.
        pub amount: i64,
        /// What was left afterwards.
        pub balance: i64,
        /// Who did it; nobody for what the shop did by itself.
        pub by: Option<UserId>,
        /// Digest of the request, so that its key means the same when it comes again; of what was given up the percent.
        pub digest: Option<Vec<u8>>,
        /// When.
        pub at: Time,
        /// The name under which the ledger knows it: the order, or what a till took units under.
        pub name: Option<OrderId>,
    }
    indexes [index "movements_by_voucher" ("voucher", "at"), index "movements_by_name" ("name")]
}

record! {
    /// An order whose delivery was taken back: nothing is delivered for it any more.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct TakenBack in "taken_back" {
        /// The order.
        pub(super) order: OrderId,
        /// When.
        pub(super) at: Time,
    }
    indexes []
}

impl Voucher {
    /// The name of the voucher for unit `number`, from 0, of an order on an offer.
    pub fn id_of(order: OrderId, offer: OfferNumber, number: u32) -> VoucherId {
        VoucherId::derived(&[&order.0, &offer.0.to_be_bytes(), &number.to_be_bytes()])
    }

    /// Whether its code is one that could have been issued.
    pub fn has_code(&self) -> bool {
        crate::voucher_code::normal_code(&self.code).as_deref() == Some(self.code.as_str())
    }

    /// The account that decides.
    pub fn account(&self) -> Account {
        Account { face: self.face, balance: self.balance, valid_until: self.valid_until, voided: self.voided }
    }

    /// The offer that sold it.
    pub fn sold_by(&self) -> OfferNumber {
        self.offer.unwrap_or(self.order.home())
    }

    /// Whether an account of the ledger says what is left of it. Of a ticket its row alone says so, and of what was issued
    /// before there were accounts: nothing that was used of it is on one.
    pub fn has_account(&self) -> bool {
        matches!(self.kind, ProductKind::GiftCard | ProductKind::Coupon) && self.offer.is_some()
    }

    /// Its account, if it has one.
    pub(super) fn in_ledger(&self) -> Option<VoucherAccount> {
        self.has_account().then(|| VoucherAccount { offer: self.sold_by(), voucher: self.id, face: self.face })
    }

    /// What others must know of a gift card.
    pub(super) fn saved(&self) -> Option<RoleEvent> {
        let face = self.money(self.face)?;
        Some(RoleEvent::GiftCardSaved {
            voucher: self.id,
            code: code_hash(&self.code),
            user: self.user,
            offer: self.sold_by(),
            face,
            valid_until: self.valid_until,
            voided: self.voided,
        })
    }

    /// Takes over what the account says now.
    pub(super) fn set(&mut self, account: Account) {
        self.balance = account.balance;
        self.voided = account.voided;
    }

    /// An amount of a gift card as money; none for what is counted in uses.
    pub fn money(&self, amount: i64) -> Option<Money> {
        (self.kind == ProductKind::GiftCard).then(|| Money::new(amount, self.currency))
    }
}

impl Movement {
    /// A voucher was issued: what its row says of that. Rows of it are kept only by old versions.
    pub(super) fn issued(voucher: &Voucher) -> Self {
        Self {
            id: EventId::derived(&[b"issued", &voucher.id.0]),
            voucher: voucher.id,
            kind: MovementKind::Issued,
            amount: voucher.face,
            balance: voucher.face,
            by: None,
            digest: None,
            at: voucher.issued_at,
            name: None,
        }
    }

    /// What was left on a voucher was taken back.
    pub(super) fn voided(voucher: &Voucher, at: Time) -> Self {
        Self {
            id: Self::voided_as(voucher.id),
            voucher: voucher.id,
            kind: MovementKind::Voided,
            amount: voucher.balance,
            balance: 0,
            by: None,
            digest: None,
            at,
            name: None,
        }
    }

    /// The name of the row that says that a voucher was taken back.
    pub(super) fn voided_as(voucher: VoucherId) -> EventId {
        EventId::derived(&[b"voided", &voucher.0])
    }
}

impl Vouchers {
    /// The voucher with this code, however it is typed, if this caller may see it.
    pub(super) async fn visible(&self, caller: Identity, code: &str) -> Outcome<Stored<Voucher>> {
        let any = caller.roles.may(Permission::Redeem);
        let found = self.by_code(code).await?;
        found.filter(|stored| any || stored.record.user == caller.user).ok_or_else(Problem::not_found)
    }

    pub(super) async fn by_code(&self, code: &str) -> Outcome<Option<Stored<Voucher>>> {
        let Some(code) = crate::voucher_code::normal_code(code) else { return Ok(None) };
        Ok(self.ports.records.list::<Voucher>(Query::all(Voucher::TABLE, 1).is("code", code)).await?.pop())
    }
}
