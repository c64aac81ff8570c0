//! VAT: what went back of an order's tax is a part of it, and all of it when all of the money went back.

use std::collections::{HashMap, HashSet};

use firstcome_app::orders::{OfferFacts, PartBack, Refund};
use firstcome_core::ids::OrderId;
use firstcome_core::payment::RefundState;
use firstcome_core::ports::{PortError, Records};
use firstcome_core::tax::{Tax, of_order};

use super::books::every;
use super::journal::Journal;
use super::report::Report;

pub(super) async fn check(journal: &Journal, orders: &dyn Records, report: &mut Report) -> Result<(), PortError> {
    let mut untaxed = HashSet::new();
    every::<OfferFacts>(orders, |offer| untaxed.extend(offer.kind.is_untaxed().then_some(offer.number))).await?;
    let (mut back, mut uncounted) = (HashMap::<OrderId, Vec<Tax>>::new(), HashSet::new());
    every::<Refund>(orders, |refund| match refund.tax() {
        Some(tax) => back.entry(refund.order).or_default().push(tax),
        None if refund.state == RefundState::Done => {
            uncounted.insert(refund.order);
        }
        None => {}
    })
    .await?;
    every::<PartBack>(orders, |part| match part.tax() {
        Some(tax) => back.entry(part.order).or_default().push(tax),
        None => {
            uncounted.insert(part.order);
        }
    })
    .await?;
    // Those of old versions did not say what they consist of.
    for (order, parts) in back.into_iter().filter(|(order, _)| !uncounted.contains(order)) {
        let Some(hold) = journal.order(order) else { continue };
        let whole = of_order(hold, |offer| untaxed.contains(&offer));
        if let Some(why) = wrong(whole, &parts) {
            report.differ(format!("tax of order {order}"), why.to_owned());
        }
    }
    Ok(())
}

fn wrong(whole: Tax, parts: &[Tax]) -> Option<&'static str> {
    if parts.iter().any(|part| part.supplied < 0 || part.vat < 0 || part.tax_free < 0) {
        return Some("a refund of it has less than nothing of it");
    }
    let back: Tax = parts.iter().copied().sum();
    // More money than it cost is another disagreement, and is told as that.
    if back.total() == whole.total() && back != whole {
        return Some("all of the money went back, and not all of the tax");
    }
    let is_part = back.vat <= whole.vat && back.tax_free <= whole.tax_free && back.supplied <= whole.supplied;
    (back.total() < whole.total() && !is_part).then_some("more of it went back than there was")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_tax_add_up() {
        let whole = Tax::of(9_026, 974, 10);
        let (first, rest) = (Tax::of(26, 0, 10), whole - Tax::of(26, 0, 10));
        assert_eq!(wrong(whole, &[]), None);
        assert_eq!(wrong(whole, &[first]), None);
        assert_eq!(wrong(whole, &[first, rest]), None);
        let shifted = Tax { vat: rest.vat + 1, supplied: rest.supplied - 1, tax_free: rest.tax_free };
        assert!(wrong(whole, &[first, shifted]).is_some(), "a unit too much");
        assert!(wrong(whole, &[Tax { supplied: 0, vat: 0, tax_free: 975 }]).is_some());
        assert!(wrong(whole, &[Tax { supplied: 10, vat: -1, tax_free: 0 }]).is_some());
    }
}
