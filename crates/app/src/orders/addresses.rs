//! Where goods are sent, when the order says so itself. Encrypted; journals and events carry only the reference.

use std::collections::HashMap;

use firstcome_core::ids::{AddressId, OrderId, UserId};
use firstcome_core::ledger::Hold;
use firstcome_core::ports::{PortError, Records};
use firstcome_core::record;
use firstcome_core::records::{Comparison, Field as _, Query, Record as _, RecordsExt as _, Unit, Value};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::shipping::has_goods;
use super::{Orders, Ports};
use crate::http::{Outcome, lines, one_line, some_text};
use crate::role::Worker;
use crate::secrets::{KeyCheck, Sealed, Sealer, Unreadable, reseal, resealer};

/// Rows read at a time.
const PAGE: u32 = 500;

record! {
    /// An address of one order.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct ShippingAddress in "shipping_addresses" {
        /// Names it.
        pub(super) address: AddressId,
        /// Whose order.
        pub(super) user: UserId,
        /// The number of the key that it is sealed with.
        pub(super) key: u32,
        /// The address, sealed.
        pub(super) sealed: Vec<u8>,
    }
    indexes [index "shipping_addresses_by_user" ("user"), index "shipping_addresses_by_key" ("key")]
}

impl Sealed for ShippingAddress {
    const KEY: &'static str = "key";

    fn reseal(&mut self, sealer: &Sealer) -> Result<(), Unreadable> {
        let place = place(&self.address);
        self.sealed = sealer.reseal(self.key, &place, &self.sealed)?;
        self.key = sealer.key();
        Ok(())
    }
}

/// Seals addresses anew when there is a new key.
pub(super) fn worker(ports: &Ports) -> Worker {
    let (records, keys) = (ports.records.clone(), ports.keys.clone());
    resealer("orders-keys", move || {
        let (records, keys) = (records.clone(), keys.clone());
        async move {
            Ok(reseal::<ShippingAddress>(records.as_ref(), &keys).await?
                + reseal::<KeyCheck>(records.as_ref(), &keys).await?)
        }
    })
}

/// The unit of work that forgets where the goods of a person are sent.
pub(super) async fn forget_addresses(records: &dyn Records, user: UserId) -> Result<Unit, PortError> {
    let rows = records.every::<ShippingAddress>(Query::all(ShippingAddress::TABLE, PAGE).is("user", user)).await?;
    Ok(rows.iter().fold(Unit::new(), |unit, row| unit.delete(&row.record)))
}

/// Where goods are sent.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ShipTo {
    /// Who receives them.
    #[garde(length(chars, min = 1, max = 100), custom(some_text), custom(one_line))]
    #[schema(example = "김하나")]
    name: String,
    /// For the carrier.
    #[garde(length(chars, min = 5, max = 30), custom(some_text), custom(one_line))]
    #[schema(example = "010-1234-5678")]
    phone: String,
    /// Street, town, code.
    #[garde(length(chars, min = 5, max = 500), custom(some_text), custom(lines))]
    #[schema(example = "서울특별시 중구 세종대로 110")]
    address: String,
}

/// The address of a sold order whose goods go where it says itself; in the account of the buyer there may be another.
pub(super) fn address_of(hold: &Hold) -> Option<AddressId> {
    hold.facts.as_ref().and_then(|facts| facts.address).filter(|_| has_goods(hold))
}

impl ShippingAddress {
    /// None when nobody can read it.
    fn open(&self, sealer: &Sealer) -> Option<ShipTo> {
        let text = sealer.open(self.key, &place(&self.address), &self.sealed).ok();
        let ship_to = text.and_then(|text| serde_json::from_str(&text).ok());
        if ship_to.is_none() {
            tracing::error!(address = %self.address, key = self.key, "an address cannot be read");
        }
        ship_to
    }
}

/// What a sealed address is bound to.
fn place(address: &AddressId) -> [&[u8]; 2] {
    [ShippingAddress::TABLE.name.as_bytes(), &address.0]
}

impl Orders {
    /// Where the goods of these orders go, of those that say so themselves; none in the place of what nobody can read.
    pub(super) async fn addresses(
        &self,
        holds: impl Iterator<Item = &Hold>,
    ) -> Outcome<HashMap<AddressId, Option<ShipTo>>> {
        let keys: Vec<Value> = holds.filter_map(address_of).map(|address| address.to_value()).collect();
        if keys.is_empty() {
            return Ok(HashMap::new());
        }
        let query = Query::all(ShippingAddress::TABLE, keys.len() as u32);
        let query = query.filter("address", Comparison::IsOneOf(keys));
        let rows = self.ports.records.list::<ShippingAddress>(query).await?;
        let sealer = self.ports.keys.sealer();
        Ok(rows.into_iter().map(|row| (row.record.address, row.record.open(&sealer))).collect())
    }

    /// An order's own address; none when it is erased, or nobody can read it.
    pub(super) async fn own_address(&self, address: AddressId) -> Outcome<Option<ShipTo>> {
        let stored = self.ports.records.load::<ShippingAddress>(address).await?;
        Ok(stored.and_then(|stored| stored.record.open(&self.ports.keys.sealer())))
    }

    /// Keeps an order's own address. The same order again keeps the same address.
    pub(super) async fn keep_address(&self, order: OrderId, user: UserId, ship_to: &ShipTo) -> Outcome<AddressId> {
        let address = AddressId::derived(&[&order.0]);
        let text = serde_json::to_string(ship_to).unwrap_or_default();
        let sealer = self.ports.keys.sealer();
        let row = ShippingAddress { address, user, key: sealer.key(), sealed: sealer.seal(&place(&address), &text) };
        // A conflict means that this very order was asked for before, with this very address.
        self.ports.records.commit(Unit::new().insert(&row)).await?;
        Ok(address)
    }
}

#[cfg(test)]
mod tests {
    use firstcome_core::events::topics;
    use firstcome_core::testkit::MemoryRecords;

    use super::*;
    use crate::orders::{TABLES, look_at_keys};
    use crate::secrets::{Keys, SystemRandom};

    #[test]
    fn a_parcel_goes_to_somebody_and_somewhere() {
        let whole = serde_json::json!({ "name": "김하나", "phone": "010-1234-5678", "address": "서울특별시 중구 세종대로 110" });
        let is_one = |ship_to| serde_json::from_value::<ShipTo>(ship_to).expect("an address").validate().is_ok();
        assert!(is_one(whole.clone()));
        for field in ["name", "phone", "address"] {
            for unseen in [" ", "\u{200b}", "\u{1d173}"] {
                let mut ship_to = whole.clone();
                ship_to[field] = unseen.repeat(6).into();
                assert!(!is_one(ship_to), "{field} {unseen:?}");
            }
        }
    }

    #[tokio::test]
    async fn keys_that_do_not_open_the_addresses_are_refused() {
        let records = MemoryRecords::new(topics::ORDERS, TABLES);
        let (right, other) = (Keys::in_memory(&SystemRandom), Keys::in_memory(&SystemRandom));
        look_at_keys(&records, &other).await.expect("nothing is there");
        let (address, sealer) = (AddressId([1; 16]), right.sealer());
        let sealed = sealer.seal(&place(&address), "{}");
        let row = ShippingAddress { address, user: UserId([2; 16]), key: sealer.key(), sealed };
        records.commit(Unit::new().insert(&row)).await.expect("committed");
        look_at_keys(&records, &right).await.expect("these sealed it");
        let refused = look_at_keys(&records, &other).await.expect_err("refused").to_string();
        assert!(refused.contains("the database of orders was encrypted with other keys"), "{refused}");
    }
}
