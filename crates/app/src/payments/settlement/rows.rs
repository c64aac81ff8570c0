//! What is written down of a check.

use std::time::Duration;

use firstcome_core::ids::{EventId, PaymentId, RefundId, SettlementId};
use firstcome_core::money::Currency;
use firstcome_core::ports::Movement;
use firstcome_core::record;
use firstcome_core::text_enum;
use firstcome_core::time::Time;
use jiff::civil::Date;

text_enum! {
    /// Where a run stands.
    pub enum RunState {
        /// It waits to be taken up, perhaps after a try at which the provider did not answer.
        Waiting = "WAITING",
        /// A process compares.
        Running = "RUNNING",
        /// All of the day was compared.
        Done = "DONE",
    }
}

text_enum! {
    /// What does not agree.
    pub enum FindingClass {
        /// Both have it, and they do not say the same.
        Mismatch = "mismatch",
        /// The provider has it, and we do not.
        MissingInShop = "missing_in_shop",
        /// We have it, and the provider does not.
        MissingAtProvider = "missing_at_provider",
        /// One of them has twice what the other has once, or an order was paid twice.
        Duplicate = "duplicate",
    }
}

record! {
    /// One check of one day.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Settlement in "settlements" {
        /// Names it; that of a night is derived from the day, and one that was asked for from the one before it, so there is one.
        pub id: SettlementId,
        /// The day, as `2026-11-27`.
        pub day: String,
        /// Whether it is that of the night.
        pub nightly: bool,
        /// Where it stands.
        pub state: RunState,
        /// Movements that both have and say the same of, and those of which a person has told us that they were made.
        pub matched: u64,
        /// Movements that are on their way into our books.
        pub in_flight: u64,
        /// Findings of each class. All are counted; so many are kept as [`MOST_FINDINGS`] says.
        pub mismatches: u64,
        /// See above.
        pub missing_in_shop: u64,
        /// See above.
        pub missing_at_provider: u64,
        /// See above.
        pub duplicates: u64,
        /// Why the last try broke off.
        pub message: Option<String>,
        /// How often it was taken up.
        pub tries: u32,
        /// When it may be taken up, while it is not done.
        pub due_at: Option<Time>,
        /// When it was wanted.
        pub created_at: Time,
        /// When it was done.
        pub ended_at: Option<Time>,
    }
    indexes [
        index "settlements_due" ("due_at"),
        index "settlements_by_time" ("created_at"),
        index "settlements_by_day" ("nightly", "day"),
    ]
}

/// Findings that are kept of one run.
pub(super) const MOST_FINDINGS: u64 = 10_000;

record! {
    /// Something that does not agree.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Finding in "settlement_findings" {
        /// Names it; derived from the run and what it is about.
        pub id: EventId,
        /// The run that found it.
        pub run: SettlementId,
        /// What is wrong.
        pub class: FindingClass,
        /// Which way the money moved.
        pub movement: Movement,
        /// The order, as the one who has the movement says.
        pub order: String,
        /// The provider's name for the payment.
        pub payment_key: String,
        /// The provider's name for the movement; none for a charge that only we have.
        pub transaction: Option<String>,
        /// What the provider says moved, in minor units.
        pub at_provider: Option<i64>,
        /// What we say moved.
        pub in_shop: Option<i64>,
        /// The currency of who has it.
        pub currency: Currency,
        /// Our attempt.
        pub payment: Option<PaymentId>,
        /// Our refund.
        pub refund: Option<RefundId>,
        /// For people.
        pub detail: String,
        /// When the money moved.
        pub at: Time,
    }
    indexes [index "settlement_findings_of_run" ("run", "at")]
}

impl Settlement {
    /// A run that is due now.
    fn wanted(id: SettlementId, day: Date, nightly: bool, now: Time) -> Self {
        Self {
            id,
            day: day.to_string(),
            nightly,
            state: RunState::Waiting,
            matched: 0,
            in_flight: 0,
            mismatches: 0,
            missing_in_shop: 0,
            missing_at_provider: 0,
            duplicates: 0,
            message: None,
            tries: 0,
            due_at: Some(now),
            created_at: now,
            ended_at: None,
        }
    }

    /// A run of a day that somebody asks for, and the last one before it. It is named after that one, so that of those who ask in the
    /// same moment one makes it, in whatever process; and it is the later one, whatever their clocks say.
    pub(super) fn asked(day: Date, before: Option<&Self>, now: Time) -> Self {
        let last = before.map_or([].as_slice(), |before| before.id.0.as_slice());
        let id = SettlementId::derived(&[b"asked", day.to_string().as_bytes(), last]);
        let created_at = before.map_or(now, |before| now.max(before.created_at + Duration::from_micros(1)));
        Self { created_at, ..Self::wanted(id, day, false, now) }
    }

    /// The run of a night.
    pub(super) fn of_night(day: Date, now: Time) -> Self {
        Self::wanted(SettlementId::derived(&[b"night", day.to_string().as_bytes()]), day, true, now)
    }

    /// The same run, of which nothing has been compared yet.
    pub(super) fn begun_again(&self) -> Self {
        let begun = Self { matched: 0, in_flight: 0, mismatches: 0, missing_in_shop: 0, ..self.clone() };
        Self { missing_at_provider: 0, duplicates: 0, ..begun }
    }

    /// What does not agree, in numbers.
    pub(in crate::payments) fn findings(&self) -> u64 {
        self.mismatches + self.missing_in_shop + self.missing_at_provider + self.duplicates
    }

    /// Counts a finding.
    pub(super) fn count(&mut self, class: FindingClass) {
        *match class {
            FindingClass::Mismatch => &mut self.mismatches,
            FindingClass::MissingInShop => &mut self.missing_in_shop,
            FindingClass::MissingAtProvider => &mut self.missing_at_provider,
            FindingClass::Duplicate => &mut self.duplicates,
        } += 1;
    }
}
