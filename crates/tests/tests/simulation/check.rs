//! What must hold when all is at rest. Pure: the journal, the provider's books and what everyone was told.

mod deliveries;
mod money;
mod orders;

use std::fmt;

use firstcome_core::ledger::Event;
use firstcome_core::testkit::{Breach, audit};

use super::books::Books;
use super::story::Wish;
use super::world::Sold;

/// Something that must not be.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// The rule that it breaks.
    pub(super) rule: &'static str,
    pub(super) what: String,
}

impl fmt::Debug for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.rule, self.what)
    }
}

pub(super) struct Checker<'a> {
    story: &'a [Wish],
    offers: &'a [Sold],
    books: &'a Books,
    findings: Vec<Finding>,
}

/// Everything that is wrong; empty when all agree.
pub(super) fn check(story: &[Wish], offers: &[Sold], books: &Books) -> Vec<Finding> {
    let mut checker = Checker { story, offers, books, findings: Vec::new() };
    checker.journal();
    checker.orders();
    checker.money();
    checker.deliveries();
    checker.findings
}

impl Checker<'_> {
    fn report(&mut self, rule: &'static str, what: String) {
        self.findings.push(Finding { rule, what });
    }

    /// The auditor of the core counts the journal again, at every prefix.
    fn journal(&mut self) {
        for violation in audit(&self.books.journal).violations {
            let rule = match violation.breach {
                Breach::Oversold { .. } => "oversold",
                Breach::NotConserved { .. } => "not_conserved",
                Breach::OverLimit { .. } => "over_limit",
                Breach::Gap { .. } | Breach::Unchained | Breach::Position { .. } => "gap",
                Breach::ReleasedInPayment { .. } => "expired_in_payment",
                Breach::DecidedTwice { .. } => "decided_twice",
                _ => "journal",
            };
            self.report(rule, violation.to_string());
        }
        // Nothing in these histories changes the stock or stops an offer, unless the continuous audit was alarmed.
        let changes = self.books.journal.iter().flat_map(|entry| &entry.record.events);
        let alarms: Vec<_> =
            changes.filter(|event| matches!(event, Event::Adjusted { .. } | Event::Frozen)).cloned().collect();
        for alarm in alarms {
            self.report("alarm", format!("{alarm:?}"));
        }
        for letter in &self.books.letters {
            self.findings.push(Finding { rule: "dead_letter", what: format!("{letter:?}") });
        }
    }
}
