//! What an audit found.

use std::collections::BTreeMap;
use std::fmt;

use firstcome_core::ids::OfferId;
use firstcome_core::ledger::Hold;
use serde::Serialize;

use super::Differences;
use super::journal::Journal;

/// The units of an offer, from the journal alone.
#[derive(Debug, Clone, Serialize)]
pub struct OfferLine {
    /// The offer.
    pub offer_id: OfferId,
    /// The sequence number of its last event.
    pub seq: u64,
    /// All units.
    pub stock: u64,
    /// Units that can be granted.
    pub available: i64,
    /// Units set aside.
    pub held: u64,
    /// Units sold.
    pub sold: u64,
}

/// The money of one currency, in minor units: what was sold is what was charged and what gift cards paid.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Sums {
    /// What the orders cost that were sold.
    pub sold: i64,
    /// What was charged for them.
    pub charged: i64,
    /// What gift cards paid of them.
    pub by_gift_card: i64,
    /// What went back of the charges.
    pub charges_back: i64,
    /// What went back to gift cards.
    pub gift_cards_back: i64,
}

impl Sums {
    /// An order that was sold, with what was charged for it and what went back of that.
    pub(super) fn take(&mut self, hold: &Hold, (charge, back): (i64, i64)) {
        let by_card = hold.by_card().map_or(0, |part| part.amount);
        for (sum, amount) in [
            (&mut self.sold, hold.total().amount),
            (&mut self.charged, charge),
            (&mut self.by_gift_card, by_card),
            (&mut self.charges_back, back),
        ] {
            *sum = sum.saturating_add(amount);
        }
    }
}

/// What an audit found.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Whether everything agrees.
    pub ok: bool,
    /// Whether a server ran on the folder.
    pub running: bool,
    /// Records of the journal.
    pub records: u64,
    /// Events in them.
    pub events: u64,
    /// Orders, each once however many offers it is over.
    pub orders: u64,
    /// Attempts to pay.
    pub payments: u64,
    /// Vouchers.
    pub vouchers: u64,
    /// What people of the shop did.
    pub actions: u64,
    /// Every offer.
    pub offers: Vec<OfferLine>,
    /// What was sold, and who paid it, by currency.
    pub money: BTreeMap<String, Sums>,
    /// What is under way, and no disagreement.
    pub in_flight: Differences,
    /// What does not agree.
    pub disagreements: Differences,
}

/// What a missing witness means, and when the journal may be accepted without it.
const WITNESS_MISSING: &str = "it is missing, so records that were lost at the journal's end may not be noticed; everything else was compared. \
     Restore it from where this journal comes from. If it cannot be, if nothing else disagrees (a missing holds.db aside), \
     and if the journal is no older copy and nobody cut it, start once with server.accept_missing_witness = true";

/// Lines of each kind that are printed for people; JSON has them all.
const SHOWN: usize = 50;

impl Report {
    pub(super) fn take_journal(&mut self, journal: &Journal) {
        self.records = journal.records;
        self.events = journal.audit.events;
        self.orders = journal.orders().count() as u64;
        if journal.witness_missing {
            self.differ("journal.witness".to_owned(), WITNESS_MISSING.to_owned());
        }
        for position in &journal.strays {
            self.differ(
                format!("journal, position {position}"),
                "the record there continues no record before it: something was lost or changed".to_owned(),
            );
        }
        for (place, violation) in journal.audit.violations.iter().enumerate() {
            self.differ(format!("journal, finding {}", place + 1), violation.to_string());
        }
        self.offers = journal
            .audit
            .offers
            .iter()
            .filter(|(number, _)| !number.is_account())
            .map(|(number, tally)| OfferLine {
                offer_id: journal.terms.get(number).map_or(OfferId::NIL, |terms| terms.offer),
                seq: tally.seq,
                stock: tally.stock.stock,
                available: i64::try_from(tally.available).unwrap_or(i64::MIN),
                held: tally.stock.held,
                sold: tally.stock.sold,
            })
            .collect();
    }

    /// Something does not agree.
    pub(super) fn differ(&mut self, place: String, why: String) {
        self.disagreements.insert(place, why);
    }

    /// Something is under way.
    pub(super) fn flying(&mut self, place: String, why: String) {
        self.in_flight.insert(place, why);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { records, events, orders, payments, vouchers, actions, .. } = self;
        writeln!(out, "journal    {records} records, {events} events")?;
        writeln!(out, "books      {orders} orders, {payments} payments, {vouchers} vouchers, {actions} actions")?;
        if !self.offers.is_empty() {
            writeln!(out, "\n{:<32} {:>10} {:>10} {:>10} {:>10}", "offer", "stock", "available", "held", "sold")?;
        }
        for line in self.offers.iter().take(SHOWN) {
            let offer = line.offer_id.to_string();
            writeln!(out, "{offer:<32} {:>10} {:>10} {:>10} {:>10}", line.stock, line.available, line.held, line.sold)?;
        }
        for (currency, sums) in &self.money {
            let Sums { sold, charged, by_gift_card, charges_back, gift_cards_back } = sums;
            writeln!(out, "\n{currency}        {sold} sold = {charged} charged + {by_gift_card} by gift card")?;
            writeln!(out, "           {charges_back} of charges back, {gift_cards_back} back to gift cards")?;
        }
        list(out, "in flight", &self.in_flight)?;
        list(out, "disagreements", &self.disagreements)?;
        let verdict = if self.ok { "everything agrees" } else { "THE BOOKS DO NOT AGREE" };
        writeln!(out, "\n{verdict}")
    }
}

fn list(out: &mut fmt::Formatter<'_>, title: &str, differences: &Differences) -> fmt::Result {
    if differences.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{title}: {}", differences.len())?;
    for (place, why) in differences.iter().take(SHOWN) {
        writeln!(out, "  {place}: {why}")?;
    }
    if differences.len() > SHOWN {
        writeln!(out, "  and {} more; --format json has them all", differences.len() - SHOWN)?;
    }
    Ok(())
}
