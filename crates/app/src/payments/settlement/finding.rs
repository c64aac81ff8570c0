//! The row of a finding, from what each side says of the movement.

use firstcome_core::ids::EventId;
use firstcome_core::money::Currency;
use firstcome_core::ports::{Movement, ProviderTransaction};

use super::compare::Difference;
use super::rows::{Finding, Settlement};
use crate::payments::rows::{Payment, Refund};

/// The row of a finding.
pub(super) fn finding(run: &Settlement, theirs: Option<&ProviderTransaction>, difference: Difference) -> Finding {
    let Difference { class, detail, payment, refund } = difference;
    let movement =
        theirs.map_or(if refund.is_some() { Movement::Cancel } else { Movement::Charge }, |row| row.movement);
    let in_shop = match movement {
        Movement::Charge => payment.as_ref().map(Payment::money),
        Movement::Cancel => refund.as_ref().map(Refund::money),
    };
    let at_provider = theirs.map(|row| row.amount);
    let order = refund.as_ref().map(|refund| refund.order_id).or(payment.as_ref().map(|payment| payment.order_id));
    let key = payment.as_ref().map(|payment| payment.payment_key.clone());
    let transaction = theirs.map(|row| row.transaction.clone());
    let transaction = transaction.or_else(|| refund.as_ref()?.transaction.clone());
    let ours_at =
        refund.as_ref().map(|refund| refund.updated_at).or(payment.as_ref().map(|payment| payment.created_at));
    let payment = payment.map(|payment| payment.payment_id).or(refund.as_ref().map(|refund| refund.payment_id));
    let refund = refund.map(|refund| refund.refund_id);
    let ours = refund.map_or(payment.map_or([0; 16], |id| id.0), |id| id.0);
    let named = transaction.as_deref().unwrap_or_default().as_bytes();
    Finding {
        id: EventId::derived(&[&run.id.0, class.as_str().as_bytes(), named, &ours]),
        run: run.id,
        class,
        movement,
        order: theirs.map_or_else(|| order.map(|id| id.to_string()).unwrap_or_default(), |row| row.order_id.clone()),
        payment_key: theirs.map(|row| row.payment_key.clone()).or(key).unwrap_or_default(),
        transaction,
        at_provider: at_provider.map(|money| money.amount),
        in_shop: in_shop.map(|money| money.amount),
        currency: at_provider.or(in_shop).map_or(Currency::KRW, |money| money.currency),
        payment,
        refund,
        detail,
        at: theirs.map(|row| row.at).or(ours_at).unwrap_or(run.created_at),
    }
}
