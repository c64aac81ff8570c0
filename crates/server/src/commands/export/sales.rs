//! What the journal says of sales: what the books must add up to.

use std::collections::{BTreeMap, HashMap, HashSet};

use firstcome_core::discount::spread;
use firstcome_core::ids::{OfferId, OfferNumber, OrderId, RefundId};
use firstcome_core::ledger::{Event, Hold};
use firstcome_core::money::Currency;
use firstcome_core::tax::{Tax, lines_of, of_shipping};
use firstcome_core::time::Time;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::commands::CommandError;
use crate::place::Place;

/// A line of an order: its units of one offer.
pub(super) struct Sale {
    pub(super) hold: Hold,
    /// When its units were sold.
    pub(super) sold_at: Option<Time>,
}

impl Sale {
    /// What its units cost before anything is taken off.
    fn price(&self) -> i64 {
        i64::from(self.hold.quantity).saturating_mul(self.hold.unit_price.amount)
    }
}

/// What an offer sold, and what came back of it, on one day.
#[derive(Default)]
pub(super) struct Day {
    pub(super) orders: u64,
    pub(super) units: u64,
    pub(super) amount: i64,
    pub(super) tax: Tax,
    pub(super) shipping_fees: i64,
    pub(super) returned_units: u64,
}

/// Every sale.
pub(super) struct Sales {
    pub(super) sales: BTreeMap<(OrderId, OfferNumber), Sale>,
    /// When units came back, by what names the return.
    pub(super) returns: HashMap<RefundId, Time>,
    /// By day, offer and currency.
    pub(super) days: BTreeMap<(Date, OfferNumber, Currency), Day>,
    offers: HashMap<OfferNumber, OfferId>,
    /// The offers of which nothing is ever taxed.
    untaxed: HashSet<OfferNumber>,
    time_zone: TimeZone,
}

impl Sales {
    /// Reads the journal whole. `untaxed` are the offers of which nothing is ever taxed. Blocks.
    pub(super) fn read(
        place: &Place,
        untaxed: HashSet<OfferNumber>,
        time_zone: TimeZone,
    ) -> Result<Self, CommandError> {
        let mut sales = Self {
            sales: BTreeMap::new(),
            returns: HashMap::new(),
            days: BTreeMap::new(),
            offers: HashMap::new(),
            untaxed,
            time_zone,
        };
        if place.has_journal() {
            let read = place.read_journal(|entry| {
                for (seq, event) in entry.record.numbered() {
                    sales.take(entry.record.offer, event, seq, entry.record.at);
                }
            });
            read.map_err(|error| CommandError::Broken(format!("journal: {error}")))?;
        }
        Ok(sales)
    }

    fn take(&mut self, offer: OfferNumber, event: &Event, seq: u64, at: Time) {
        if let Event::TermsSet(terms) = event {
            self.offers.insert(offer, terms.offer);
        }
        // What uses a coupon sells nothing.
        let Some(order) = event.order().filter(|_| !offer.is_account()) else { return };
        if let Some(hold) = Hold::created_by(event, seq, at) {
            self.sales.insert((order, offer), Sale { hold, sold_at: None });
        } else if let Some(sale) = self.sales.get_mut(&(order, offer)) {
            sale.hold.evolve(event, seq);
        }
        let (date, amount, tax) = (self.day(at), self.amount(order, offer), self.tax(order, offer));
        let fee = self.shipping_fee(order, offer);
        let Some(sale) = self.sales.get_mut(&(order, offer)) else { return };
        let place = (date, offer, sale.hold.unit_price.currency);
        match event {
            Event::Sold(_) | Event::Committed { .. } => {
                sale.sold_at = Some(at);
                let day = self.days.entry(place).or_default();
                day.orders += 1;
                day.units += u64::from(sale.hold.quantity);
                day.amount = day.amount.saturating_add(amount);
                day.tax = day.tax + tax;
                day.shipping_fees = day.shipping_fees.saturating_add(fee);
            }
            Event::Returned { return_id, quantity, .. } => {
                self.returns.insert(*return_id, at);
                self.days.entry(place).or_default().returned_units += u64::from(*quantity);
            }
            _ => {}
        }
    }

    /// The day on which something was, where the shop is.
    pub(super) fn day(&self, at: Time) -> Date {
        at.date(&self.time_zone).unwrap_or(Date::ZERO)
    }

    /// The full id of an offer.
    pub(super) fn offer(&self, number: OfferNumber) -> String {
        self.offers.get(&number).map(ToString::to_string).unwrap_or_default()
    }

    /// What a line costs: its units, without its share of what was taken off the order.
    pub(super) fn amount(&self, order: OrderId, offer: OfferNumber) -> i64 {
        let price = self.sales.get(&(order, offer)).map_or(0, Sale::price);
        let Some(home) = self.order(order).filter(|home| home.hold.discount != 0) else { return price };
        let elsewhere = home.hold.lines_elsewhere();
        let others = elsewhere
            .map(|line| (line.offer.number(), line.unit_price.amount.saturating_mul(i64::from(line.quantity))));
        let lines: Vec<_> = std::iter::once((order.home(), home.price())).chain(others).collect();
        let amounts: Vec<i64> = lines.iter().map(|(_, amount)| *amount).collect();
        let shares = lines.iter().zip(spread(home.hold.discount, &amounts));
        let share = shares.filter(|((number, _), _)| *number == offer).map(|(_, share)| share).sum::<i64>();
        price.saturating_sub(share)
    }

    /// What sending an order cost, at its first line.
    pub(super) fn shipping_fee(&self, order: OrderId, offer: OfferNumber) -> i64 {
        self.order(order).filter(|_| order.home() == offer).map_or(0, |home| home.hold.shipping_fee())
    }

    /// What of its order's tax a line is, the first with that of sending the order.
    pub(super) fn tax(&self, order: OrderId, offer: OfferNumber) -> Tax {
        let Some(home) = self.order(order) else { return Tax::default() };
        let lines = lines_of(&home.hold, |offer| self.untaxed.contains(&offer));
        let of_line = lines.iter().find(|line| line.offer == offer).map(|line| line.tax).unwrap_or_default();
        if order.home() != offer {
            return of_line;
        }
        of_line + of_shipping(&home.hold, lines.iter().map(|line| line.tax).sum())
    }

    /// An order, by its line on its home offer.
    pub(super) fn order(&self, order: OrderId) -> Option<&Sale> {
        self.sales.get(&(order, order.home()))
    }
}
