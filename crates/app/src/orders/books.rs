//! What is known of an order after it was sold: its parcel, its refunds, and what of its money and units is left.
//!
//! Every decision about it (a cancel, a refund by the operator or for what the provider sent back, an amount that becomes
//! less, a parcel that leaves, goods that come back) reads these books and changes the order's one row in the same commit. Of
//! two at the same moment the second conflicts there, and decides again on what the first has made of it; so nothing is
//! refunded twice, and nothing leaves that was canceled.

use std::collections::HashMap;

use firstcome_core::events::TakenLine;
use firstcome_core::ids::{OfferNumber, OrderId, RefundId, UserId};
use firstcome_core::ledger::Hold;
use firstcome_core::money::Money;
use firstcome_core::order::ShippingState;
use firstcome_core::payment::RefundState;
use firstcome_core::ports::{PortError, Records};
use firstcome_core::product::{ProductKind, RefundPolicy};
use firstcome_core::record;
use firstcome_core::records::{Json, Query, Record as _, RecordsExt as _, Stored, Unit};
use firstcome_core::step::Step;
use firstcome_core::tax::{self, Tax};
use firstcome_core::time::Time;

use super::parts::{self, PartBack};
use super::refund::{Refund, Taken};
use super::shipping::Parcel;
use super::steps::told;
use super::tax::kinds_of;

/// Refunds of one order that are read; so many decisions about one order are not made.
const MOST: u32 = 1_000;

record! {
    /// What became of an order after it was sold. There is none while nothing did.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct AfterSale in "after_sales" {
        /// The order.
        pub order: OrderId,
        /// Whose order.
        pub user: UserId,
        /// Where its goods are; none while nothing has left.
        pub shipping: Option<ShippingState>,
        /// What is known of the parcel.
        pub parcel: Json<Parcel>,
        /// Decisions so far.
        pub decisions: u32,
        /// When the last of them was made.
        pub updated_at: Time,
    }
    indexes [index "after_sales_by_user" ("user")]
}

/// One line of an order that was sold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct SoldLine {
    pub(super) offer: OfferNumber,
    pub(super) quantity: u32,
    pub(super) unit_price: Money,
}

/// A part of an order's money that went back, or that nothing keeps from going back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct WentBack {
    pub(super) refund: RefundId,
    pub(super) state: RefundState,
    pub(super) tax: Tax,
    pub(super) at: Time,
}

/// The lines of an order, its home first.
pub(super) fn sold_lines(hold: &Hold) -> Vec<SoldLine> {
    let own = SoldLine { offer: hold.order.home(), quantity: hold.quantity, unit_price: hold.unit_price };
    let others = hold.lines_elsewhere().map(|line| SoldLine {
        offer: line.offer.number(),
        quantity: line.quantity,
        unit_price: line.unit_price,
    });
    std::iter::once(own).chain(others).collect()
}

/// An order after its sale.
pub(super) struct Books {
    /// The order.
    pub(super) hold: Hold,
    /// Its row, to be changed.
    pub(super) after: AfterSale,
    /// Every refund of it, as it is stored.
    refunds: Vec<Stored<Refund>>,
    /// A refund that is decided now.
    pub(super) decided: Option<Refund>,
    /// What the buyer is told of it.
    pub(super) told: Option<Step>,
    /// The row as it is stored.
    stored: Option<Stored<AfterSale>>,
    /// What went back at the provider's side.
    elsewhere: Vec<PartBack>,
    /// What all of it consists of.
    pub(super) tax: Tax,
    /// What its lines sell.
    kinds: HashMap<OfferNumber, ProductKind>,
}

impl Books {
    /// Reads them. The order's row comes first: what is read after it is at least as new.
    pub(super) async fn read(records: &dyn Records, hold: &Hold) -> Result<Self, PortError> {
        let stored = records.load::<AfterSale>(hold.order).await?;
        let query = Query::all(Refund::TABLE, MOST).is("order", hold.order);
        let refunds = records.list::<Refund>(query).await?;
        let after = stored.as_ref().map_or_else(|| AfterSale::new(hold), |stored| stored.record.clone());
        let elsewhere = parts::sent_elsewhere(records, hold.order).await?;
        let kinds = kinds_of(records, hold).await?;
        let tax = tax::of_order(hold, |offer| kinds.get(&offer).is_some_and(|kind| kind.is_untaxed()));
        Ok(Self { hold: hold.clone(), after, refunds, decided: None, told: None, stored, elsewhere, tax, kinds })
    }

    /// The books of an order of which nothing else is known.
    #[cfg(test)]
    pub(super) fn of(hold: Hold, refunds: Vec<Refund>) -> Self {
        let after = AfterSale::new(&hold);
        let refunds = refunds.into_iter().map(|record| Stored { record, version: 1 }).collect();
        let tax = tax::of_order(&hold, |_| false);
        Self {
            hold,
            after,
            refunds,
            decided: None,
            told: None,
            stored: None,
            elsewhere: Vec::new(),
            tax,
            kinds: HashMap::new(),
        }
    }

    /// Refunds that were decided and not refused since.
    pub(super) fn standing(&self) -> impl Iterator<Item = &Refund> {
        self.refunds.iter().map(|stored| &stored.record).filter(|refund| refund.state != RefundState::Refused)
    }

    /// Whether a refund was refused.
    pub(super) fn any_refused(&self) -> bool {
        self.refunds.iter().any(|stored| stored.record.state == RefundState::Refused)
    }

    /// The refund of this id, if it was decided before.
    pub(super) fn made(&self, refund: RefundId) -> Option<&Refund> {
        self.refunds.iter().map(|stored| &stored.record).find(|made| made.refund == refund)
    }

    /// Whether so many refunds of it were decided that no other is.
    pub(super) fn is_full(&self) -> bool {
        self.refunds.len() + 1 >= MOST as usize
    }

    /// The refund of the whole order; one that was refused only when no other is.
    pub(super) fn begun(&self) -> Option<Stored<Refund>> {
        let whole = self.refunds.iter().filter(|stored| stored.record.is_whole());
        whole.min_by_key(|stored| stored.record.state == RefundState::Refused).cloned()
    }

    /// The refund that takes the last of the delivery back, if there is one.
    pub(super) fn whole(&self) -> Option<&Refund> {
        self.standing().find(|refund| refund.is_whole())
    }

    /// Minor units that can still go back.
    pub(super) fn left(&self) -> i64 {
        self.left_beside(RefundId::NIL)
    }

    /// Minor units that can go back by this refund, which may have been decided already.
    pub(super) fn left_beside(&self, refund: RefundId) -> i64 {
        let others = || self.standing().filter(|other| other.refund != refund);
        if others().any(|other| other.by_provider) {
            return 0;
        }
        let back = others().map(|other| other.amount).fold(self.sent_elsewhere(), i64::saturating_add);
        self.hold.total().amount.saturating_sub(back).max(0)
    }

    /// Minor units that went back at the provider's side.
    fn sent_elsewhere(&self) -> i64 {
        self.elsewhere.iter().map(|part| part.amount).fold(0, i64::saturating_add)
    }

    /// Whether a line of it was sold without VAT.
    pub(super) fn is_tax_free(&self, offer: OfferNumber) -> bool {
        self.hold.is_tax_free(offer) || self.kinds.get(&offer).is_some_and(|kind| kind.is_untaxed())
    }

    /// Whether a line of it is goods.
    pub(super) fn is_goods(&self, offer: OfferNumber) -> bool {
        self.kinds.get(&offer) == Some(&ProductKind::Goods)
    }

    /// What went back so far, the oldest first. What may still be refused did not.
    pub(super) fn went_back(&self) -> Vec<WentBack> {
        let refunds = self.standing().filter(|refund| refund.is_counted());
        let refunds = refunds.map(|row| (row.created_at, row.refund, row.state, row.amount, row.tax()));
        let done = RefundState::Done;
        let parts = self.elsewhere.iter().map(|part| (part.at, part.refund, done, part.amount, part.tax()));
        let mut back: Vec<_> = refunds.chain(parts).collect();
        back.sort_by_key(|(at, refund, ..)| (*at, *refund));
        let mut before = Tax::default();
        let went_back = back.into_iter().map(|(at, refund, state, amount, tax)| {
            // Those of old versions did not say what they consist of.
            let tax = tax.unwrap_or_else(|| self.tax.part(before, amount, None, self.hold.vat_percent()));
            before = before + tax;
            WentBack { refund, state, tax, at }
        });
        went_back.collect()
    }

    /// What an amount consists of that goes back by this name, after all that has gone back by others. Of what may still be
    /// refused nothing is counted, so whoever is the last to be counted completes the order's tax.
    pub(super) fn tax_of(&self, refund: RefundId, amount: i64, tax_free: Option<i64>) -> Tax {
        let others = self.went_back().into_iter().filter(|back| back.refund != refund);
        let before = others.map(|back| back.tax).sum();
        self.tax.part(before, amount, tax_free, self.hold.vat_percent())
    }

    /// Units that can still be taken back; no line that has none.
    pub(super) fn lines_left(&self) -> Vec<TakenLine> {
        if self.standing().any(|refund| refund.taken.is_none()) {
            return Vec::new();
        }
        let left = |line: SoldLine| {
            let quantity = line.quantity.saturating_sub(self.taken_of(line.offer));
            TakenLine { offer: line.offer, quantity, of: line.quantity }
        };
        sold_lines(&self.hold).into_iter().map(left).filter(|line| line.quantity > 0).collect()
    }

    /// Units of a line that were taken back, or are being.
    pub(super) fn taken_of(&self, offer: OfferNumber) -> u32 {
        let taken = self.standing().filter_map(|refund| refund.taken.as_ref());
        taken.flat_map(|taken| &taken.0.lines).filter(|line| line.offer == offer).map(|line| line.quantity).sum()
    }

    /// A decision to send money back. It takes all that is left of the order when its lines are all that are left.
    pub(super) fn refund(
        &self,
        refund: RefundId,
        taken: Taken,
        amount: i64,
        policy: RefundPolicy,
        reason: String,
        now: Time,
    ) -> Refund {
        let fee = self.fee_back(&taken.lines);
        let is_whole = !taken.lines.is_empty() && taken.lines == self.lines_left();
        let is_order = is_whole && taken.restock && self.standing().all(Refund::leaves_delivery);
        let decided = Refund {
            refund,
            order: self.hold.order,
            user: self.hold.person,
            amount,
            currency: self.hold.unit_price.currency,
            state: RefundState::Pending,
            policy,
            reason,
            by_provider: false,
            created_at: now,
            // One that was refused may have left units beside the one that took all the others.
            all_of: (is_whole && self.whole().is_none()).then_some(self.hold.order),
            tax_free: taken.tax_free,
            vat: None,
            shipping_fee: Some(fee).filter(|fee| *fee > 0),
            taken: (!is_order).then_some(Json(taken)),
            forced: None,
            by: None,
            to_card: self.of_card(amount),
        };
        // Nothing can refuse what is about money alone.
        if decided.leaves_delivery() { decided.counted(self) } else { decided }
    }

    /// What of an amount that goes back now is for the order's gift card: what the charge does not have.
    fn of_card(&self, amount: i64) -> Option<i64> {
        let standing = self.standing().map(|refund| refund.from_charge().amount);
        let back = standing.fold(self.sent_elsewhere(), i64::saturating_add);
        let charge = self.hold.due().amount.saturating_sub(back).max(0);
        // Never more than the card has paid, whatever the provider sent back by itself meanwhile.
        Some(amount.saturating_sub(charge).min(self.card_left())).filter(|rest| *rest > 0)
    }

    /// Whether a refund of the order may still be refused.
    pub(super) fn is_undecided(&self) -> bool {
        self.standing().any(|refund| !refund.is_counted() && refund.waits_for().is_none())
    }

    /// A refund is decided, and what waits for that gets what it leaves. What to write of it, but for the order's row.
    pub(super) fn decide_waiting(&mut self, decided: &Stored<Refund>, now: Time) -> Unit {
        let mut unit = Unit::new();
        for place in 0..self.refunds.len() {
            if self.refunds[place].record.refund == decided.record.refund {
                self.refunds[place] = decided.clone();
            }
        }
        for place in 0..self.refunds.len() {
            let Stored { record, version } = self.refunds[place].clone();
            let left = self.left();
            let Some(owed) = record.waits_for().filter(|owed| *owed <= left || !self.is_undecided()) else { continue };
            let amount = owed.min(left);
            let to_card = self.of_card(amount);
            let taken = Taken { tax_free: Some(amount), ..Taken::default() };
            let record = Refund { amount, to_card, tax_free: Some(amount), taken: Some(Json(taken)), ..record };
            let record = record.counted(self);
            let (approved, stored) = (record.approved(), Stored { record, version });
            unit = unit.update(&stored);
            unit = if amount > 0 { unit.event(&approved, now) } else { unit.delete(&stored.record) };
            self.refunds[place] = stored;
        }
        unit
    }

    /// Minor units that the order's gift card has paid and not got back.
    pub(super) fn card_left(&self) -> i64 {
        let back: i64 = self.standing().map(Refund::to_card).sum();
        self.hold.by_card().map_or(0, |part| part.amount.saturating_sub(back).max(0))
    }

    /// What to write; nothing when nothing was decided.
    pub(super) fn into_unit(mut self, now: Time) -> Unit {
        let unchanged = self.stored.as_ref().map_or_else(|| AfterSale::new(&self.hold), |stored| stored.record.clone());
        if self.decided.is_none() && self.after == unchanged {
            return Unit::new();
        }
        let told = self.told.take().map(|step| told(&self.hold, step));
        let unit = match self.decided.take() {
            Some(refund) => self.touch(now).insert(&refund).event(&refund.begins(), now),
            None => self.touch(now),
        };
        told.iter().fold(unit, |unit, told| unit.event(told, now))
    }

    /// Writes the order's row: who decides about the order at the same moment decides again.
    pub(super) fn touch(mut self, now: Time) -> Unit {
        self.after.decisions = self.after.decisions.saturating_add(1);
        self.after.updated_at = now;
        match self.stored {
            Some(stored) => Unit::new().update(&Stored { record: self.after, version: stored.version }),
            None => Unit::new().insert(&self.after),
        }
    }
}

impl AfterSale {
    /// An order with which nothing happened yet.
    pub(super) fn new(hold: &Hold) -> Self {
        Self {
            order: hold.order,
            user: hold.person,
            shipping: None,
            parcel: Json::default(),
            decisions: 0,
            updated_at: hold.created_at,
        }
    }
}
