//! Where the explorations end.

use super::ledger::{Command, Sale};
use super::rules::Scope;

/// One unit, four persons.
pub(super) const ONE_UNIT: Sale = Sale { stock: 1, limit: 1, persons: [0, 1, 2, 3] };
/// Two units, and one person who asks for both.
pub(super) const ONE_PERSON: Sale = Sale { stock: 2, limit: 1, persons: [0, 0, 1, 1] };

/// Nothing goes wrong but the order of things: two lanes, one unit, no clock.
pub(super) fn calm(name: &'static str, commands: &[Command]) -> Scope {
    Scope {
        name,
        sale: ONE_UNIT,
        commands: commands.to_vec(),
        lanes: 2,
        batch: 1,
        log: 4,
        clock: 0,
        lonely: false,
        failovers: 0,
        crashes: 0,
        give_ups: 0,
        duplicates: 0,
        reached: Vec::new(),
    }
}

impl Scope {
    pub(super) fn one_person(self) -> Self {
        Self { sale: ONE_PERSON, ..self }
    }

    pub(super) fn lanes(self, lanes: usize) -> Self {
        Self { lanes, ..self }
    }

    pub(super) fn batch(self, batch: usize) -> Self {
        Self { batch, ..self }
    }

    pub(super) fn log(self, log: usize) -> Self {
        Self { log, ..self }
    }

    pub(super) fn clock(self, clock: u8) -> Self {
        Self { clock, ..self }
    }

    /// Readers may see what only one replica has.
    pub(super) fn lonely(self) -> Self {
        Self { lonely: true, ..self }
    }

    pub(super) fn failovers(self, failovers: u8) -> Self {
        Self { failovers, ..self }
    }

    pub(super) fn crashes(self, crashes: u8) -> Self {
        Self { crashes, ..self }
    }

    pub(super) fn give_ups(self, give_ups: u8) -> Self {
        Self { give_ups, ..self }
    }

    pub(super) fn duplicates(self, duplicates: u8) -> Self {
        Self { duplicates, ..self }
    }

    pub(super) fn reaches(self, reached: &[&'static str]) -> Self {
        Self { reached: reached.to_vec(), ..self }
    }

    /// The same with more of everything, for a run that ends at a depth.
    pub(super) fn longer(mut self) -> Self {
        self.commands.push(Command::Hold(0));
        self.log += 1;
        self.batch = 2;
        self
    }
}
