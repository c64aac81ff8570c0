//! What the journal says of sales: what the books must add up to.

use std::collections::{BTreeMap, HashMap, HashSet};

use firstcome_app::orders::LineMoney;
use firstcome_core::ids::{OfferId, OfferNumber, OrderId, RefundId};
use firstcome_core::ledger::{Event, Hold};
use firstcome_core::money::Currency;
use firstcome_core::tax::Tax;
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
        let date = self.day(at);
        let is_sold = matches!(event, Event::Sold(_) | Event::Committed { .. });
        let money = if is_sold { self.money(order, offer) } else { LineMoney::default() };
        let Some(sale) = self.sales.get_mut(&(order, offer)) else { return };
        let place = (date, offer, sale.hold.unit_price.currency);
        match event {
            Event::Sold(_) | Event::Committed { .. } => {
                sale.sold_at = Some(at);
                let day = self.days.entry(place).or_default();
                day.orders += 1;
                day.units += u64::from(sale.hold.quantity);
                day.amount = day.amount.saturating_add(money.amount);
                day.tax = day.tax + money.tax;
                day.shipping_fees = day.shipping_fees.saturating_add(money.shipping_fee);
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

    /// What of its order's money a line is.
    pub(super) fn money(&self, order: OrderId, offer: OfferNumber) -> LineMoney {
        let home = self.order(order);
        home.map(|home| LineMoney::of(&home.hold, offer, |offer| self.untaxed.contains(&offer))).unwrap_or_default()
    }

    /// An order, by its line on its home offer.
    pub(super) fn order(&self, order: OrderId) -> Option<&Sale> {
        self.sales.get(&(order, order.home()))
    }
}
