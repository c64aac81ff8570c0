//! What the role keeps of a person for that person's sake is forgotten with the account; the books stay.

use firstcome_core::ids::UserId;
use firstcome_core::ports::{PortError, Records};
use firstcome_core::records::{Query, Record as _, RecordsExt as _, Unit};

use super::addresses::forget_addresses;
use super::books::AfterSale;
use super::cart::forget_cart;
use super::refund::Refund;

/// Rows read at a time.
const PAGE: u32 = 500;
/// What stands where the person has given a reason.
const FORGOTTEN: &str = "the account was deleted";

/// The unit of work that forgets a person: where goods were sent, what was in the cart, what they wrote about refunds and
/// returns. What the shop wrote stays, as a part of the books.
pub(super) async fn forget(records: &dyn Records, user: UserId) -> Result<Unit, PortError> {
    let mut unit = forget_addresses(records, user).await?;
    unit.append(forget_cart(records, user).await?);
    for mut refund in records.every::<Refund>(Query::all(Refund::TABLE, PAGE).is("user", user)).await? {
        let Refund { by, by_provider, ref reason, .. } = refund.record;
        if by.is_none() && !by_provider && reason != FORGOTTEN {
            FORGOTTEN.clone_into(&mut refund.record.reason);
            unit = unit.update(&refund);
        }
    }
    for mut after in records.every::<AfterSale>(Query::all(AfterSale::TABLE, PAGE).is("user", user)).await? {
        let returning = after.record.parcel.0.returning.as_mut();
        if returning.and_then(|returning| returning.reason.take()).is_some() {
            unit = unit.update(&after);
        }
    }
    Ok(unit)
}
