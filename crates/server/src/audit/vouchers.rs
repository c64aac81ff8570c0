//! A voucher against what was sold: whose it is, what it is, and how long it is good for.

use std::collections::HashMap;
use std::time::Duration;

use firstcome_app::vouchers::{Movement, MovementKind, SoldProduct, Voucher, face, valid_until};
use firstcome_core::ids::{OfferNumber, OrderId, VoucherId};
use firstcome_core::ledger::HoldState;
use firstcome_core::ports::{PortError, Records};
use firstcome_core::product::{Product, ProductKind};

use super::books::every;
use super::gift_cards::Spent;
use super::journal::Journal;

/// Clocks of the world are at most so far from UTC, in steps of a quarter of an hour.
const FARTHEST_ZONE: Duration = Duration::from_secs(14 * 3_600);
const ZONE_STEP_MICROSECONDS: i64 = 900_000_000;

/// What the movements of a voucher say.
#[derive(Clone, Copy, Default)]
struct Moved {
    /// What was on it at first; only old versions have written that down beside its row.
    issued: Option<i64>,
    /// What was taken off, less what came back.
    spent: i64,
    /// What of that was for orders; a voucher that was taken back by force may see more of it.
    for_orders: bool,
    /// Whether something came back; a gift card is valid for longer then.
    came_back: bool,
    /// What the journal does not know of it.
    ahead: i64,
    /// What was on it when it was taken back.
    voided: Option<i64>,
}

/// What was sold, as far as it is delivered digitally.
pub(super) struct Sold<'a> {
    journal: &'a Journal,
    products: HashMap<OfferNumber, Product>,
    units: HashMap<VoucherId, (OrderId, OfferNumber)>,
    moved: HashMap<VoucherId, Moved>,
}

impl<'a> Sold<'a> {
    pub(super) async fn read(journal: &'a Journal, records: &dyn Records, spent: &Spent) -> Result<Self, PortError> {
        let mut products = HashMap::new();
        every::<SoldProduct>(records, |sold| {
            products.insert(sold.offer, sold.product.0);
        })
        .await?;
        let mut moved: HashMap<VoucherId, Moved> = HashMap::new();
        every::<Movement>(records, |movement| {
            let entry = moved.entry(movement.voucher).or_default();
            entry.ahead += spent.ahead(&movement);
            match movement.kind {
                MovementKind::Issued => entry.issued = Some(movement.amount),
                MovementKind::Redeemed | MovementKind::Refunded => entry.spent += movement.amount,
                MovementKind::Spent => {
                    entry.spent += movement.amount;
                    entry.for_orders = true;
                }
                MovementKind::Returned => {
                    entry.spent -= movement.amount;
                    entry.for_orders = true;
                    entry.came_back = true;
                }
                MovementKind::Voided => entry.voided = Some(movement.amount),
            }
        })
        .await?;
        let mut sold = Self { journal, products, units: HashMap::new(), moved };
        let delivered = journal.holds.iter().filter(|(key, hold)| {
            matches!(hold.state, HoldState::Sold | HoldState::Returned) && !key.1.is_account() && sold.is_digital(key.1)
        });
        let units = delivered
            .flat_map(|(key, hold)| (0..hold.quantity).map(|number| (Voucher::id_of(key.0, key.1, number), *key)));
        sold.units = units.collect();
        Ok(sold)
    }

    /// Whether what the offer sells is delivered by a voucher.
    pub(super) fn is_digital(&self, offer: OfferNumber) -> bool {
        self.products.get(&offer).is_none_or(|product| product.kind != ProductKind::Goods)
    }

    /// The vouchers that something happened to, though they are not there. To be asked when all that are were judged.
    pub(super) fn moved_alone(&self) -> impl Iterator<Item = VoucherId> {
        self.moved.keys().copied()
    }

    /// What happened to a voucher since the journal was read. To be asked before it is judged.
    pub(super) fn ahead(&self, voucher: VoucherId) -> i64 {
        self.moved.get(&voucher).map_or(0, |moved| moved.ahead)
    }

    /// What is wrong with a voucher, if anything. Each is judged once.
    pub(super) fn judge(&mut self, voucher: &Voucher) -> Option<String> {
        let moved = self.moved.remove(&voucher.id).unwrap_or_default();
        let came_back = moved.came_back;
        moved.judge(voucher).or_else(|| {
            let Some((order, offer)) = self.units.get(&voucher.id) else {
                return Some("it is none of the units that the journal says were sold".to_owned());
            };
            let person = self.journal.order(*order).map(|hold| hold.person);
            let Some(product) = self.products.get(offer) else {
                return Some("what its offer sells is not known any more".to_owned());
            };
            if *order != voucher.order {
                Some(format!("it was issued for order {order}"))
            } else if person != Some(voucher.user) {
                Some("it is not its buyer's".to_owned())
            } else if !voucher.has_code() {
                Some("its code is none that was ever issued".to_owned())
            } else {
                promised_otherwise(voucher, product, came_back).map(str::to_owned)
            }
        })
    }
}

impl Moved {
    fn judge(self, voucher: &Voucher) -> Option<String> {
        let Self { issued, spent, for_orders, voided, .. } = self;
        let Voucher { face, balance, .. } = *voucher;
        let issued = issued.unwrap_or(face);
        if issued != face || issued - spent != balance || balance < 0 {
            return Some(format!("issued with {issued}, {spent} taken off, but its row says {balance} of {face}"));
        }
        match (voucher.voided, voided) {
            (true, None) => Some("it is taken back, but nothing says when".to_owned()),
            (false, Some(_)) => Some("it was taken back, but can be used".to_owned()),
            (true, Some(left)) if left != balance && !for_orders => {
                Some(format!("{left} was on it when it was taken back, but its row says {balance}"))
            }
            _ => None,
        }
    }
}

/// What a voucher that can be used says other than its product. Of one that was taken back nobody was promised anything any
/// more, so its product may have changed.
fn promised_otherwise(voucher: &Voucher, product: &Product, came_back: bool) -> Option<&'static str> {
    if voucher.kind != product.kind {
        return Some("its kind is not that of what was sold");
    }
    if voucher.voided {
        return None;
    }
    if (voucher.face, voucher.currency) != face(product) {
        return Some("what was put on it is not what was sold");
    }
    let prolonged = came_back && is_prolonged(voucher, product);
    (!prolonged && !expires_rightly(voucher, product)).then_some("it expires at another time than what was sold")
}

/// Whether a gift card is valid for longer than its product says.
fn is_prolonged(voucher: &Voucher, product: &Product) -> bool {
    let meant = valid_until(product, voucher.issued_at, &jiff::tz::TimeZone::UTC);
    voucher.kind == ProductKind::GiftCard && meant.is_ok_and(|meant| voucher.valid_until > meant)
}

/// Whether it expires when its product says; for a visit date, at the end of that day in any time zone, as the shop's may
/// have been another one when it was sold.
fn expires_rightly(voucher: &Voucher, product: &Product) -> bool {
    let Ok(meant) = valid_until(product, voucher.issued_at, &jiff::tz::TimeZone::UTC) else { return false };
    if product.visit_date.is_none() {
        return voucher.valid_until == meant;
    }
    let is = voucher.valid_until;
    is + FARTHEST_ZONE >= meant && meant + FARTHEST_ZONE >= is && (is.0 - meant.0) % ZONE_STEP_MICROSECONDS == 0
}
