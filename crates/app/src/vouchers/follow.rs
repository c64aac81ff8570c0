//! The rows of vouchers after what the ledger's accounts say was spent and came back. A till writes its redemption by
//! itself; whoever reads the journal finds it written, or writes it when the till died before it could.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use firstcome_core::events::RoleEvent;
use firstcome_core::ids::{EventId, OfferNumber, OrderId, RefundId, VoucherId};
use firstcome_core::ledger::Event;
use firstcome_core::ports::{JournalEntry, PortError, Records, StockLedger};
use firstcome_core::product::ProductKind;
use firstcome_core::records::{Comparison, Field, Query, Record as _, RecordsExt as _, Stored, Unit};
use firstcome_core::time::Time;

use super::store::{Movement, MovementKind, Voucher};
use super::tills::Tills;
use crate::consumer::HandleError;
use crate::voucher_account::{given_up_for, used_by};

/// From the moment that the ledger knows of a redemption until the till has written it, where all is well.
const BEING_WRITTEN: Duration = Duration::from_millis(20);
/// Names, and vouchers, that are looked for together.
const NAMES: usize = 256;
/// Movements of so many names: each is a use, and what came back of it in parts.
const MOVEMENTS: u32 = 10_000;

/// One thing that an account says of a voucher.
#[derive(Clone, Copy)]
pub(super) struct Change {
    /// None for what was taken without an order and given back at once: the row of the use says whose it is.
    voucher: Option<VoucherId>,
    name: OrderId,
    amount: i64,
    at: Time,
    what: What,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    /// Used at a till.
    Redeemed,
    /// Used for an order.
    UsedForOrder,
    /// Given up by its owner, for so many percent.
    GivenUp(u8),
    /// It came back: with the order that it had paid, or because a till undid what it took.
    CameBack { refund: RefundId, of_order: bool },
}

/// What changes are written with.
#[derive(Clone, Copy)]
pub(super) struct Writing<'a> {
    /// The tills of this process.
    pub(super) tills: &'a Tills,
    /// The time.
    pub(super) now: Time,
    /// For how long at least a gift card is valid when money has come back to it.
    pub(super) valid_again: Duration,
}

/// What the events of an entry on an account say.
pub(super) async fn changes(ledger: &dyn StockLedger, entry: &JournalEntry) -> Result<Vec<Change>, HandleError> {
    let (account, at) = (entry.record.offer, entry.record.at);
    let mut changes = Vec::new();
    for event in &entry.record.events {
        let change = |voucher, name, amount, what| Change { voucher, name, amount, at, what };
        match event {
            Event::Sold(granted) => changes.extend(used_by(granted).map(|voucher| {
                let what = given_up_for(granted).map_or(What::Redeemed, What::GivenUp);
                change(Some(voucher), granted.order, i64::from(granted.quantity), what)
            })),
            Event::Committed { order, .. } => {
                let spent = spent(ledger, *order, account).await?;
                let nobody = || HandleError::Rejected(format!("{order} was paid by {account}, but has no hold"));
                let (voucher, amount) = spent.ok_or_else(nobody)?;
                changes.push(change(Some(voucher), *order, amount, What::UsedForOrder));
            }
            Event::Returned { order, return_id, quantity, .. } => {
                let voucher = spent(ledger, *order, account).await?.map(|(voucher, _)| voucher);
                let what = What::CameBack { refund: *return_id, of_order: voucher.is_some() };
                changes.push(change(voucher, *order, i64::from(*quantity), what));
            }
            _ => {}
        }
    }
    Ok(changes)
}

/// The voucher of this account that an order used, and how much of it.
async fn spent(
    ledger: &dyn StockLedger,
    order: OrderId,
    account: OfferNumber,
) -> Result<Option<(VoucherId, i64)>, PortError> {
    let known = match ledger.known(order).await? {
        Some(hold) => Some(hold),
        // Of the order's home this process may not have read as far.
        None => ledger.find(order).await?,
    };
    let Some(facts) = known.and_then(|hold| hold.facts) else { return Ok(None) };
    let by_card = facts.by_card.filter(|part| part.account == account).map(|part| (part.card, part.amount));
    Ok(by_card.or(facts.coupon.map(|coupon| (coupon, 1))))
}

impl Change {
    /// The row that it is on the voucher, which it changes.
    fn movement(&self, voucher: &mut Voucher) -> Movement {
        let (id, kind) = match self.what {
            What::CameBack { refund, .. } => (came_back_as(refund), MovementKind::Returned),
            What::UsedForOrder if voucher.kind == ProductKind::GiftCard => {
                (use_id(voucher.id, self.name), MovementKind::Spent)
            }
            What::GivenUp(_) => (use_id(voucher.id, self.name), MovementKind::Refunded),
            What::Redeemed | What::UsedForOrder => (use_id(voucher.id, self.name), MovementKind::Redeemed),
        };
        voucher.balance += if kind == MovementKind::Returned { self.amount } else { -self.amount };
        Movement {
            id,
            voucher: voucher.id,
            kind,
            amount: self.amount,
            balance: voucher.balance,
            by: None,
            digest: if let What::GivenUp(percent) = self.what { Some(vec![percent]) } else { None },
            at: self.at,
            name: Some(self.name),
        }
    }

    /// Money that comes back to a gift card can be spent: the card is valid for some time yet, also when it expired while
    /// its money was elsewhere. Whether that changes anything.
    fn prolongs(&self, voucher: &mut Voucher, valid_again: Duration) -> bool {
        let until = self.at + valid_again;
        let of_order = matches!(self.what, What::CameBack { of_order: true, .. });
        let is_longer =
            of_order && voucher.kind == ProductKind::GiftCard && !voucher.voided && voucher.valid_until < until;
        if is_longer {
            voucher.valid_until = until;
        }
        is_longer
    }

    /// What the orders role must know of it.
    fn told(&self, voucher: &Voucher) -> Option<RoleEvent> {
        let What::GivenUp(percent) = self.what else { return None };
        Some(RoleEvent::GiftCardGivenUp {
            refund: RefundId::derived(&[b"given up", &voucher.id.0, &self.name.0]),
            order: voucher.order,
            offer: voucher.sold_by(),
            units: self.amount,
            face: voucher.face,
            percent,
        })
    }

    /// Of a coupon that was taken back by force nothing can be taken any more.
    fn applies(&self, voucher: &Voucher) -> bool {
        let is_gone = voucher.kind == ProductKind::Coupon && (voucher.voided || voucher.balance == 0);
        !is_gone || matches!(self.what, What::CameBack { .. })
    }

    /// Whether the account gave it away before the voucher was taken back, if it was: from then on nobody takes anything
    /// without an order. What an order had reserved may still be paid later.
    fn is_before_taken_back(&self) -> bool {
        matches!(self.what, What::Redeemed | What::GivenUp(_))
    }

    /// Whether a row of the same name says the same. An order uses two vouchers when it has a coupon and a gift card.
    fn is(&self, movement: &Movement) -> bool {
        match self.what {
            What::CameBack { refund, .. } => movement.id == came_back_as(refund),
            What::Redeemed | What::UsedForOrder | What::GivenUp(_) => {
                movement.kind != MovementKind::Returned && self.voucher.is_none_or(|own| own == movement.voucher)
            }
        }
    }
}

fn use_id(voucher: VoucherId, name: OrderId) -> EventId {
    EventId::derived(&[b"used", &voucher.0, &name.0])
}

/// The row that says what came back with a refund.
pub fn came_back_as(refund: RefundId) -> EventId {
    EventId::derived(&[b"returned", &refund.0])
}

/// The movements that the ledger knows under these names.
pub(super) async fn named(records: &dyn Records, names: &[OrderId]) -> Result<Vec<Stored<Movement>>, PortError> {
    let mut found = Vec::new();
    for names in names.chunks(NAMES) {
        let names = Comparison::IsOneOf(names.iter().map(Field::to_value).collect());
        found.extend(records.list::<Movement>(Query::all(Movement::TABLE, MOVEMENTS).filter("name", names)).await?);
    }
    Ok(found)
}

/// What is still to be written of these changes. Vouchers that are `issued` in the same unit are changed there.
pub(super) async fn written(
    records: &dyn Records,
    writing: Writing<'_>,
    mut changes: Vec<Change>,
    issued: &mut [Voucher],
) -> Result<Unit, PortError> {
    let by_tills = |change: &Change| change.what == What::Redeemed && writing.tills.has_written(change.name);
    changes.retain(|change| !by_tills(change));
    leave_out_known(records, &mut changes).await?;
    // What a till has taken in this moment it is about to write; what it took before it would have.
    let age = |change: &Change| writing.now.since(change.at);
    let youngest = changes.iter().filter(|change| change.what == What::Redeemed).map(age).min();
    if let Some(wait) = youngest.and_then(|age| BEING_WRITTEN.checked_sub(age)) {
        tokio::time::sleep(wait).await;
        changes.retain(|change| !by_tills(change));
    }
    let places: HashMap<VoucherId, usize> =
        issued.iter().enumerate().map(|(place, voucher)| (voucher.id, place)).collect();
    let used: BTreeSet<VoucherId> = changes.iter().filter_map(|change| change.voucher).collect();
    let mut changed = loaded(records, used.into_iter().filter(|id| !places.contains_key(id))).await?;
    let mut taken_back = taken_back(records, &changed).await?;
    // Asked after the rows were read: what a till writes from now on meets what is written here.
    leave_out_known(records, &mut changes).await?;
    let (mut unit, mut touched) = (Unit::new(), BTreeSet::new());
    for change in changes {
        let Some(id) = change.voucher else { continue };
        let stored = changed.get_mut(&id).map(|stored| &mut stored.record);
        let Some(voucher) = stored.or_else(|| issued.get_mut(*places.get(&id)?)) else { continue };
        if change.applies(voucher) {
            touched.insert(id);
            unit = unit.insert(&change.movement(voucher));
            if let Some(voided) = taken_back.get_mut(&id).filter(|_| change.is_before_taken_back()) {
                voided.record.amount -= change.amount;
            }
            unit = change.told(voucher).iter().fold(unit, |unit, event| unit.event(event, change.at));
            if change.prolongs(voucher, writing.valid_again) {
                unit = voucher.saved().iter().fold(unit, |unit, saved| unit.event(saved, change.at));
            }
        }
    }
    let is_touched = |id: &VoucherId| touched.contains(id);
    let unit = changed.iter().filter(|(id, _)| is_touched(id)).fold(unit, |unit, (_, stored)| unit.update(stored));
    Ok(taken_back.iter().filter(|(id, _)| is_touched(id)).fold(unit, |unit, (_, stored)| unit.update(stored)))
}

/// Of the vouchers that were taken back the rows that say so, and what was on them. Whoever took one back counted by its row
/// also what the account had given away a moment before: that is taken off there too when it is written.
async fn taken_back(
    records: &dyn Records,
    vouchers: &BTreeMap<VoucherId, Stored<Voucher>>,
) -> Result<BTreeMap<VoucherId, Stored<Movement>>, PortError> {
    let mut taken_back = BTreeMap::new();
    for id in vouchers.iter().filter(|(_, stored)| stored.record.voided).map(|(id, _)| *id) {
        let voided = records.load::<Movement>(Movement::voided_as(id)).await?;
        taken_back.extend(voided.map(|voided| (id, voided)));
    }
    Ok(taken_back)
}

/// These vouchers, as they are stored.
async fn loaded(
    records: &dyn Records,
    vouchers: impl Iterator<Item = VoucherId>,
) -> Result<BTreeMap<VoucherId, Stored<Voucher>>, PortError> {
    let keys: Vec<_> = vouchers.map(|id| id.to_value()).collect();
    let mut loaded = BTreeMap::new();
    for keys in keys.chunks(NAMES) {
        for row in records.get_many(Voucher::TABLE, keys.to_vec()).await? {
            let version = row.version;
            let record = Voucher::from_values(row.values).map_err(|error| PortError::Corrupt(error.to_string()))?;
            loaded.insert(record.id, Stored { record, version });
        }
    }
    Ok(loaded)
}

/// Leaves out what rows say already, and learns from them whose it is that came back.
async fn leave_out_known(records: &dyn Records, changes: &mut Vec<Change>) -> Result<(), PortError> {
    let names: Vec<OrderId> = changes.iter().map(|change| change.name).collect();
    let mut known: HashMap<OrderId, Vec<Movement>> = HashMap::new();
    for movement in named(records, &names).await? {
        let name = movement.record.name.unwrap_or(OrderId::NIL);
        known.entry(name).or_default().push(movement.record);
    }
    let mut users: HashMap<OrderId, VoucherId> =
        changes.iter().filter_map(|change| Some((change.name, change.voucher?))).collect();
    users.extend(known.iter().filter_map(|(name, movements)| Some((*name, movements.first()?.voucher))));
    changes.iter_mut().for_each(|change| change.voucher = change.voucher.or(users.get(&change.name).copied()));
    changes.retain(|change| !known.get(&change.name).is_some_and(|rows| rows.iter().any(|row| change.is(row))));
    Ok(())
}
