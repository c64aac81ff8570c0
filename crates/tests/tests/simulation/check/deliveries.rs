//! Deliveries: one voucher for every unit sold, none for anything else, and balances that are what the tills were told.

use std::collections::{BTreeMap, BTreeSet};

use firstcome_app::vouchers::MovementKind;
use firstcome_core::ids::OrderId;
use firstcome_core::ledger::HoldState;
use firstcome_core::product::ProductKind;

use super::Checker;
use crate::simulation::story::Told;

impl Checker<'_> {
    pub(super) fn deliveries(&mut self) {
        let mut codes = BTreeSet::new();
        let mut usable: BTreeMap<OrderId, u32> = BTreeMap::new();
        for voucher in &self.books.vouchers {
            if !codes.insert(&voucher.code) {
                self.report("double_delivery", format!("two have the code {}", voucher.code));
            }
            match self.books.orders.get(&voucher.order) {
                None => self.report("phantom_delivery", format!("{voucher:?}")),
                Some(hold) if hold.person != voucher.user => self.report("given_to_another", format!("{voucher:?}")),
                Some(_) => {}
            }
            *usable.entry(voucher.order).or_default() += u32::from(!voucher.voided);
            let moved = self.books.movements.iter().filter(|movement| movement.voucher == voucher.id);
            let spent: i64 =
                moved.filter(|movement| movement.kind == MovementKind::Redeemed).map(|movement| movement.amount).sum();
            let used = self.books.used.get(&voucher.id).copied().unwrap_or(0);
            let has_account = voucher.kind != ProductKind::Ticket;
            if voucher.balance != voucher.face - spent || voucher.balance < 0 || has_account && used != spent {
                self.report("balance_differs", format!("{voucher:?}, {spent} spent, {used} by its account"));
            }
        }
        for (order, hold) in &self.books.orders {
            let due = if hold.state == HoldState::Sold { hold.quantity } else { 0 };
            let found = usable.get(order).copied().unwrap_or(0);
            if found < due {
                self.report("not_delivered", format!("{order}: {found} of {due}"));
            } else if found > due {
                self.report("double_delivery", format!("{order}: {found}, not {due}, for {:?}", hold.state));
            }
        }
        self.uses();
    }

    /// What a till was told is on the voucher, once.
    fn uses(&mut self) {
        for wish in self.story {
            for (code, told) in &wish.uses {
                let Some(voucher) = self.books.vouchers.iter().find(|voucher| voucher.code == *code) else {
                    self.report("lost_voucher", code.clone());
                    continue;
                };
                let one = if voucher.kind == ProductKind::GiftCard { 3_000 } else { 1 };
                let spent = voucher.face - voucher.balance;
                let agrees = match told {
                    Told::Unknown => spent == 0 || spent == one,
                    Told::Ok(()) => spent == one,
                    Told::No(_) => spent == 0,
                };
                if !agrees {
                    self.report("use_differs", format!("{wish:?}: {voucher:?}"));
                }
            }
        }
    }
}
