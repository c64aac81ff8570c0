//! Everything that is written down when all is at rest, read past the gates.

use std::collections::BTreeMap;

use firstcome_app::consumer::DeadLetter;
use firstcome_app::{orders, payments, vouchers};
use firstcome_core::ids::{OfferNumber, OrderId, VoucherId};
use firstcome_core::ledger::{Hold, Offer};
use firstcome_core::ports::{JournalEntry, PortError, Records, StockLedger};
use firstcome_core::records::{Query, Record, RecordsExt as _};

use super::charges::{Books as Charges, Charge};
use super::gates::at_once;
use super::world::Databases;

/// More rows than any history has.
const ALL: u32 = 10_000;

/// The shop's books and the provider's.
pub(super) struct Books {
    pub(super) journal: Vec<JournalEntry>,
    /// The journal, folded: what was ordered.
    pub(super) orders: BTreeMap<OrderId, Hold>,
    /// And what of each voucher its account says was used.
    pub(super) used: BTreeMap<VoucherId, i64>,
    pub(super) payments: Vec<payments::Payment>,
    pub(super) refunds: Vec<payments::Refund>,
    pub(super) decisions: Vec<orders::Refund>,
    pub(super) vouchers: Vec<vouchers::Voucher>,
    pub(super) movements: Vec<vouchers::Movement>,
    pub(super) letters: Vec<DeadLetter>,
    pub(super) charges: Vec<Charge>,
    /// Notices that were not taken.
    pub(super) notices: usize,
}

fn all<R: Record>(records: &dyn Records) -> Result<Vec<R>, PortError> {
    let rows = at_once(records.list::<R>(Query::all(R::TABLE, ALL)))?;
    Ok(rows.into_iter().map(|row| row.record).collect())
}

/// Every record of the journal.
pub(super) fn journal(ledger: &dyn StockLedger) -> Result<Vec<JournalEntry>, PortError> {
    at_once(ledger.entries(0, ALL as usize))
}

impl Books {
    pub(super) fn read(databases: &Databases, ledger: &dyn StockLedger, provider: &Charges) -> Result<Self, PortError> {
        let journal = journal(ledger)?;
        let mut letters = all::<DeadLetter>(&*databases.orders)?;
        letters.extend(all::<DeadLetter>(&*databases.payments)?);
        letters.extend(all::<DeadLetter>(&*databases.vouchers)?);
        let offers = fold(&journal);
        let (mut orders, mut used): (BTreeMap<_, _>, BTreeMap<_, i64>) = Default::default();
        for (number, hold) in offers.iter().flat_map(|(number, offer)| offer.holds().map(move |hold| (number, hold))) {
            if !number.is_account() {
                orders.insert(hold.order, hold.clone());
            } else if vouchers::is_use(hold) {
                *used.entry(VoucherId(hold.person.0)).or_default() += i64::from(hold.units());
            }
        }
        Ok(Self {
            orders,
            used,
            journal,
            payments: all(&*databases.payments)?,
            refunds: all(&*databases.payments)?,
            decisions: all(&*databases.orders)?,
            vouchers: all(&*databases.vouchers)?,
            movements: all(&*databases.vouchers)?,
            letters,
            charges: provider.charges.values().cloned().collect(),
            notices: provider.notices.len(),
        })
    }

    /// Whether nothing is under way any more.
    pub(super) fn at_rest(&self) -> bool {
        use firstcome_core::payment::RefundState::Pending;
        self.notices == 0
            && !self.orders.values().any(|hold| hold.state.is_open())
            && !self.payments.iter().any(|payment| payment.state.is_undecided() || payment.due_at.is_some())
            && !self.refunds.iter().any(|refund| refund.state == Pending)
            && !self.decisions.iter().any(|refund| refund.state == Pending)
    }
}

fn fold(journal: &[JournalEntry]) -> BTreeMap<OfferNumber, Offer> {
    let mut offers: BTreeMap<OfferNumber, Offer> = BTreeMap::new();
    for entry in journal {
        let offer = offers.entry(entry.record.offer).or_default();
        entry.record.events.iter().for_each(|event| offer.evolve(event, entry.record.at));
    }
    offers
}
