//! Random sales: few orders, few persons and little stock, so that everything meets everything.

use std::time::Duration;

use crate::ids::{AddressId, EventId, OfferId, OfferNumber, OrderId, PaymentId, RefundId, UserId, body_digest};
use crate::ledger::{Command, Facts, HoldRequest, Line, ReleaseReason, Terms};
use crate::money::{Currency, Money};
use crate::time::Time;

/// Numbers that look random and are the same for the same seed (splitmix64).
#[derive(Clone, Debug)]
pub struct Seeded(u64);

impl Seeded {
    /// The numbers of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn next_number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// One step of a sale, as small numbers that anything can draw and shrink.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// How long passes before it.
    pub wait: u8,
    /// What happens.
    pub what: u8,
    /// To which order, adjustment or terms.
    pub which: u8,
    /// How.
    pub how: u8,
}

impl Step {
    /// The next step of a seeded sale.
    pub fn draw(seeded: &mut Seeded) -> Self {
        let [wait, what, which, how, ..] = seeded.next_number().to_le_bytes();
        Self { wait, what, which, how }
    }
}

/// How long holds of a [`Sale`] live; [`Sale::wait`] hits their deadlines exactly, just before and after.
const HOLD_FOR: Duration = Duration::from_millis(10);
/// Orders of a sale.
const ORDERS: u8 = 6;
/// Persons of a sale.
const PERSONS: u8 = 3;

/// Gives steps their meaning for one offer.
#[derive(Clone, Copy, Debug)]
pub struct Sale {
    /// The offer.
    pub number: OfferNumber,
    /// When it begins.
    pub start: Time,
}

impl Sale {
    /// The offer's first terms.
    pub fn first_terms(&self) -> Terms {
        self.terms(1, 1)
    }

    /// The time that passes before a step.
    pub fn wait(step: Step) -> Duration {
        match step.wait % 8 {
            5 => Duration::from_millis(1),
            6 => Duration::from_micros(9_999),
            7 => HOLD_FOR,
            _ => Duration::ZERO,
        }
    }

    /// What a step asks for.
    pub fn command(&self, step: Step) -> Command {
        let order = self.order(step.which);
        let attempt = PaymentId([1 + step.how % 2; 16]);
        match step.what % 32 {
            0..=8 => Command::Hold(self.request(step)),
            9 | 10 => Command::Prepare(self.request(step)),
            11 => Command::Promote { order, expires_at: self.start + HOLD_FOR * u32::from(step.how) },
            12 => Command::Abort { order, person: person(step.which) },
            13..=16 => Command::BeginPayment { order, attempt },
            17 => Command::EndPayment { order, attempt },
            18..=20 => Command::Commit { order, attempt },
            21 | 22 => Command::Release { order, reason: reason(step.how) },
            23 | 24 => Command::Reclaim { order, attempt: step.how.is_multiple_of(4).then_some(attempt) },
            25 | 26 => Command::Expire,
            27 | 28 => Command::Return {
                order,
                return_id: RefundId([step.how % 4; 16]),
                quantity: u32::from(step.how / 4 % 4),
                restock: step.how < 128,
            },
            29 => Command::SetTerms(self.terms(u32::from(step.which % 32), step.how)),
            30 => Command::Adjust { id: EventId([step.which % 16; 16]), delta: i64::from(step.how % 8) - 4 },
            _ if step.how.is_multiple_of(4) => Command::Freeze,
            _ => Command::Unfreeze,
        }
    }

    fn order(&self, which: u8) -> OrderId {
        let order = which % ORDERS;
        OrderId::of_request(person(which), &format!("key {order}"), body_digest(&[order]), self.number)
    }

    /// Mostly the order's own request; now and then of another person, with another body, free, or over several offers.
    fn request(&self, step: Step) -> HoldRequest {
        let (order, how) = (step.which % ORDERS, step.how);
        let line = Line { offer: OfferId([9; 16]), quantity: 2, unit_price: Money::new(300, Currency::KRW), seq: None };
        let facts = Facts { address: Some(AddressId([order; 16])), ..Facts::default() };
        HoldRequest {
            order: self.order(order),
            person: if how >= 250 { person(order + 1) } else { person(order) },
            quantity: match how % 16 {
                14 => 0,
                15 => 9,
                other => 1 + u32::from(other % 3),
            },
            // Mostly whatever it costs, at times what it costs or costs not any more.
            unit_price: (how % 8 == 7).then_some(self.first_terms().price),
            digest: body_digest(&[if (244..250).contains(&how) { order + 1 } else { order }]),
            discount: if how / 16 == 1 { 10_000 } else { i64::from(how % 3) },
            facts: match how / 16 {
                2 => Some(Box::new(facts)),
                3 => Some(Box::new(Facts { other_lines: vec![line], ..facts })),
                _ => None,
            },
        }
    }

    fn terms(&self, version: u32, how: u8) -> Terms {
        Terms {
            offer: OfferId::numbered(self.start, self.number, [0; 6]),
            version,
            initial_stock: 4,
            price: Money::new(if how % 8 == 7 { 0 } else { 1_000 }, Currency::KRW),
            limit_per_person: [None, Some(3), Some(2), None, Some(4)][usize::from(how) % 5],
            max_per_order: 3,
            opens_at: if how % 16 == 15 { self.start + HOLD_FOR * 6 } else { self.start },
            closes_at: (how >= 224).then(|| self.start + HOLD_FOR * 12),
            hold_for_ms: HOLD_FOR.as_millis() as u32,
            usable_until: (192..224).contains(&how).then(|| self.start + HOLD_FOR * 8),
        }
    }
}

fn person(which: u8) -> UserId {
    UserId([1 + which % ORDERS % PERSONS; 16])
}

fn reason(how: u8) -> ReleaseReason {
    // Never Expired: that is for the ledger's clock alone to say.
    match how % 3 {
        0 => ReleaseReason::Canceled,
        1 => ReleaseReason::Failed,
        _ => ReleaseReason::Aborted,
    }
}
