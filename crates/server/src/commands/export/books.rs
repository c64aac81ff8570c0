//! The books: a file each for days, orders, payments, refunds and vouchers. `booked_on` is the day on which the ledger sold
//! an order's units, or took them back; what has none is not in the ledger. People are named by their ids alone; a voucher's
//! code is money in the hand of whoever reads it, and stands nowhere.

use std::collections::{HashMap, HashSet};

use firstcome_app::orders::{self, OrderRow};
use firstcome_app::payments::{Origin, Payment, Refund};
use firstcome_app::sheet::{Table, guarded, maybe};
use firstcome_app::vouchers::Voucher;
use firstcome_core::ids::{OrderId, PaymentId, RefundId};
use firstcome_core::ports::{Clock as _, RoleName, SystemClock};
use firstcome_core::tax::Tax;

use super::sales::Sales;
use crate::audit::every;
use crate::commands::CommandError;
use crate::place::Place;

const DAYS: [&str; 11] = [
    "day",
    "offer_id",
    "currency",
    "orders",
    "units",
    "amount",
    "returned_units",
    "supplied",
    "vat",
    "tax_free",
    "shipping_fees",
];

/// Files with their names. The journal was read before, so every order that it sold has its payment in them. `reasons` adds
/// what people wrote, which may be personal.
pub(super) async fn write(
    place: &Place,
    sales: &Sales,
    reasons: bool,
) -> Result<Vec<(&'static str, Vec<u8>)>, CommandError> {
    Ok(vec![
        ("days.csv", days(sales)?),
        ("orders.csv", sold(sales)?),
        ("payments.csv", payments(place, sales).await?),
        ("refunds.csv", refunds(place, sales, reasons).await?),
        ("vouchers.csv", vouchers(place, sales).await?),
    ])
}

fn days(sales: &Sales) -> Result<Vec<u8>, CommandError> {
    let mut table = Table::new(&DAYS)?;
    for ((date, offer, currency), day) in &sales.days {
        table.row(&[
            date.to_string(),
            sales.offer(*offer),
            currency.to_string(),
            day.orders.to_string(),
            day.units.to_string(),
            day.amount.to_string(),
            day.returned_units.to_string(),
            day.tax.supplied.to_string(),
            day.tax.vat.to_string(),
            day.tax.tax_free.to_string(),
            day.shipping_fees.to_string(),
        ])?;
    }
    Ok(table.finish()?)
}

fn sold(sales: &Sales) -> Result<Vec<u8>, CommandError> {
    let columns = [&OrderRow::ORDERED[..], &["sold_at"], &OrderRow::SINCE, &["booked_on"], &OrderRow::TAXED].concat();
    let mut table = Table::new(&columns)?;
    // An order that was aborted never existed, and its lines are released.
    let is_aborted = |order: OrderId| sales.order(order).is_none_or(|home| home.hold.is_aborted());
    for ((order, offer), sale) in sales.sales.iter().filter(|((order, _), _)| !is_aborted(*order)) {
        let money = sales.money(*order, *offer);
        let OrderRow { ordered, since, taxed } = OrderRow::of(&sale.hold, sales.offer(*offer), money);
        let booked_on = maybe(sale.sold_at.map(|at| sales.day(at)));
        table.row(&[ordered, vec![maybe(sale.sold_at)], since, vec![booked_on], taxed].concat())?;
    }
    Ok(table.finish()?)
}

async fn payments(place: &Place, sales: &Sales) -> Result<Vec<u8>, CommandError> {
    let mut rows = Vec::new();
    every::<Payment>(&*place.records(RoleName::Payments).await?, |payment| {
        let sale = sales.order(payment.order_id).filter(|sale| sale.hold.attempt == payment.payment_id);
        let mut row = payment.row(sales.offer(payment.order_id.home()));
        row.push(maybe(sale.and_then(|sale| sale.sold_at).map(|at| sales.day(at))));
        rows.push(row);
    })
    .await?;
    written(&[&Payment::COLUMNS[..], &["booked_on"]].concat(), &rows)
}

/// What the books of orders know of refunds.
#[derive(Default)]
struct Decided {
    /// What people wrote: it never leaves those books unless it is asked for.
    reasons: HashMap<RefundId, String>,
    /// What of its order's tax went back with each.
    taxes: HashMap<RefundId, Tax>,
    /// All of them, and the parts that the provider sent back by itself.
    known: HashSet<RefundId>,
    /// By order, the one whose money the provider sent back by itself.
    by_provider: HashMap<OrderId, RefundId>,
}

impl Decided {
    /// By which decision a refund in the books of payments is known. The cancel of an order that the provider was faster with is
    /// there under the provider's name, with all of the money; it may be there under its own too, with what a gift card got.
    fn name_of(&self, refund: &Refund, attempt: Option<PaymentId>) -> Option<RefundId> {
        let joined = self.by_provider.get(&refund.order_id).copied();
        match refund.origin {
            Origin::Provider if !self.known.contains(&refund.refund_id) && attempt == Some(refund.payment_id) => joined,
            Origin::Order if joined == Some(refund.refund_id) => None,
            _ => Some(refund.refund_id),
        }
    }
}

async fn decided(place: &Place) -> Result<Decided, CommandError> {
    let (records, mut decided) = (place.records(RoleName::Orders).await?, Decided::default());
    every::<orders::Refund>(&*records, |refund| {
        decided.taxes.extend(refund.tax().map(|tax| (refund.refund, tax)));
        decided.known.insert(refund.refund);
        decided.by_provider.extend(refund.by_provider.then_some((refund.order, refund.refund)));
        decided.reasons.insert(refund.refund, refund.reason);
    })
    .await?;
    every::<orders::PartBack>(&*records, |part| {
        decided.known.insert(part.refund);
        decided.taxes.extend(part.tax().map(|tax| (part.refund, tax)));
    })
    .await?;
    Ok(decided)
}

async fn refunds(place: &Place, sales: &Sales, reasons: bool) -> Result<Vec<u8>, CommandError> {
    let decided = decided(place).await?;
    let mut rows = Vec::new();
    every::<Refund>(&*place.records(RoleName::Payments).await?, |refund| {
        let attempt = sales.order(refund.order_id).map(|sale| sale.hold.attempt);
        let name = decided.name_of(&refund, attempt);
        let mut row = refund.row(sales.offer(refund.order_id.home()));
        row.push(maybe(name.and_then(|name| sales.returns.get(&name)).map(|at| sales.day(*at))));
        let tax = name.and_then(|name| decided.taxes.get(&name));
        row.extend([
            maybe(tax.map(|tax| tax.supplied)),
            maybe(tax.map(|tax| tax.vat)),
            maybe(tax.map(|tax| tax.tax_free)),
        ]);
        if reasons {
            row.push(guarded(name.and_then(|name| decided.reasons.get(&name)).unwrap_or(&refund.reason)));
        }
        rows.push(row);
    })
    .await?;
    let mut columns = [&Refund::COLUMNS[..], &["booked_on", "supplied", "vat", "tax_free"]].concat();
    columns.extend(reasons.then_some("reason"));
    written(&columns, &rows)
}

async fn vouchers(place: &Place, sales: &Sales) -> Result<Vec<u8>, CommandError> {
    let (mut rows, now) = (Vec::new(), SystemClock.now());
    every::<Voucher>(&*place.records(RoleName::Vouchers).await?, |voucher| {
        let offer = voucher.sold_by();
        let sold_at = sales.sales.get(&(voucher.order, offer)).and_then(|sale| sale.sold_at);
        let mut row = voucher.row(sales.offer(offer), now);
        row.push(maybe(sold_at.map(|at| sales.day(at))));
        rows.push(row);
    })
    .await?;
    written(&[&Voucher::COLUMNS[..], &["booked_on"]].concat(), &rows)
}

pub(super) fn written(columns: &[&str], rows: &[Vec<String>]) -> Result<Vec<u8>, CommandError> {
    let mut table = Table::new(columns)?;
    rows.iter().try_for_each(|row| table.row(row))?;
    Ok(table.finish()?)
}

#[cfg(test)]
mod tests {
    use firstcome_core::money::Currency;
    use firstcome_core::payment::RefundState;
    use firstcome_core::time::Time;

    use super::*;

    fn refund(number: u8, origin: Origin, payment: PaymentId) -> Refund {
        Refund {
            refund_id: RefundId([number; 16]),
            payment_id: payment,
            order_id: OrderId([9; 16]),
            amount: 1_000,
            currency: Currency::KRW,
            state: RefundState::Done,
            origin,
            policy: None,
            reason: String::new(),
            transaction: None,
            message: None,
            tries: 0,
            due_at: None,
            created_at: Time(1),
            updated_at: Time(1),
            to_card: None,
            tax_free: None,
        }
    }

    #[test]
    fn a_cancel_that_the_provider_was_faster_with_is_one_decision() {
        let [own, part, rest] = [1, 2, 3].map(|number| RefundId([number; 16]));
        let mut decided = Decided { known: [own, part].into(), ..Decided::default() };
        let [paid, other] = [PaymentId([7; 16]), PaymentId([8; 16])];
        let name =
            |decided: &Decided, number, origin, payment| decided.name_of(&refund(number, origin, payment), Some(paid));
        assert_eq!(name(&decided, 1, Origin::Order, paid), Some(own));
        decided.by_provider.insert(OrderId([9; 16]), own);
        assert_eq!(name(&decided, 3, Origin::Provider, paid), Some(own), "its units, its tax and its reason");
        assert_eq!(name(&decided, 1, Origin::Order, paid), None, "once");
        assert_eq!(name(&decided, 2, Origin::Provider, paid), Some(part), "a part before it");
        assert_eq!(name(&decided, 3, Origin::Provider, other), Some(rest), "a charge too many");
    }
}
