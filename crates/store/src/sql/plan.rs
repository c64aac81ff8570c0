//! Units of work as few statements: what they do is worked out in memory, on locked rows, and written table by table.
//!
//! Tables do not know of each other, so only the order within a table counts. Where only the key can be taken, writes of
//! different keys may change places. Where a unique index can be taken too, writes stay in their order. Either way the
//! plan does what the units do one after the other, or the database refuses some of it; then they are judged one by one.

use std::collections::HashMap;

use firstcome_core::records::{Table, Unit, Value, Write};

use super::dialect::{Put, TableSql};

/// What is to be done with some rows of one table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Deed {
    Insert,
    Replace,
    Delete,
}

/// Rows with which the same is done. No key is twice among them.
pub(super) struct Step<'u> {
    pub(super) deed: Deed,
    pub(super) rows: Vec<Put<'u>>,
}

/// What is known of a unit before the database has seen its writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// It is part of the plan.
    Planned,
    /// The write at this index is refused, whatever else happens.
    Conflict(usize),
    /// Some write is refused, but an earlier one might be too: it must be judged alone.
    Doubtful,
}

/// A unit, and the row of its consumer's position.
pub(super) struct Work<'u> {
    pub(super) unit: &'u Unit,
    consumer: Option<[Value; 1]>,
}

impl<'u> Work<'u> {
    pub(super) fn new(unit: &'u Unit) -> Self {
        let consumer = unit.position.map(|(consumer, ..)| [Value::Text(consumer.to_owned())]);
        Self { unit, consumer }
    }

    /// The consumer's row, where it must stand and where it goes.
    pub(super) fn position(&self) -> Option<(&[Value], i64, i64)> {
        let (_, from, to) = self.unit.position?;
        self.consumer.as_ref().map(|row| (&row[..], from, to))
    }
}

/// Where a table stands. One declaration can have several addresses, but its name is its own.
pub(super) fn place_of(tables: &[TableSql], table: &Table) -> usize {
    tables.iter().position(|known| known.table.name == table.name).expect("units are checked before they are taken")
}

/// Statements to come, for each table.
pub(super) struct Plan<'u> {
    tables: &'u [TableSql],
    of: Vec<TablePlan<'u>>,
}

#[derive(Default)]
struct TablePlan<'u> {
    /// The versions of rows as the plan leaves them; nothing is known of a row that is not here.
    versions: HashMap<&'u Value, Option<i64>>,
    steps: Vec<Step<'u>>,
    /// The step, and the place in it, that touches a row last.
    last: HashMap<&'u Value, (usize, usize)>,
}

/// What a unit does to a row.
struct Change<'u> {
    table: usize,
    deed: Deed,
    put: Put<'u>,
}

impl<'u> Plan<'u> {
    /// Nothing to do yet.
    pub(super) fn new(tables: &'u [TableSql]) -> Self {
        Self { tables, of: tables.iter().map(|_| TablePlan::default()).collect() }
    }

    /// Notes the version of a row that was read and is locked.
    pub(super) fn know(&mut self, table: usize, key: &'u Value, version: Option<i64>) {
        self.of[table].versions.insert(key, version);
    }

    /// The steps, in an order in which they can be taken.
    pub(super) fn steps(&self) -> impl Iterator<Item = (&'u TableSql, &Step<'u>)> {
        self.tables.iter().zip(&self.of).flat_map(|(table, plan)| plan.steps.iter().map(move |step| (table, step)))
    }

    /// Adds what a unit does, or nothing of it.
    pub(super) fn add(&mut self, work: &'u Work<'u>) -> Verdict {
        let mut changes: Vec<Change<'u>> = Vec::with_capacity(work.unit.writes.len() + 1);
        let mut seen: HashMap<(usize, &'u Value), Option<i64>> = HashMap::new();
        if let Some((row, from, to)) = work.position() {
            let table = self.tables.len() - 1;
            let stored = self.version(&seen, table, &row[0]);
            if stored.unwrap_or(0) != from {
                return Verdict::Conflict(work.unit.writes.len());
            }
            let deed = if stored.is_some() { Deed::Replace } else { Deed::Insert };
            changes.push(Change { table, deed, put: Put { values: row, version: to } });
        }
        // Whether the database can refuse none of the writes so far.
        let mut certain = true;
        for (index, write) in work.unit.writes.iter().enumerate() {
            let (table, values) = target(write);
            let table = place_of(self.tables, table);
            let stored = self.version(&seen, table, &values[0]);
            let (deed, version) = match (write, stored) {
                (Write::Insert(..), None) => (Deed::Insert, 1),
                (Write::Update(_, row), Some(version)) if version == row.version => (Deed::Replace, version + 1),
                (Write::Insert(..) | Write::Update(..), _) if certain => return Verdict::Conflict(index),
                (Write::Insert(..) | Write::Update(..), _) => return Verdict::Doubtful,
                (Write::Advance(_, row), None) => (Deed::Insert, row.version),
                (Write::Advance(_, row), Some(version)) if version < row.version => (Deed::Replace, row.version),
                (Write::Advance(..), Some(_)) => continue,
                (Write::Delete(..), _) => (Deed::Delete, 0),
            };
            let inserts = matches!(write, Write::Insert(..));
            certain &= deed == Deed::Delete || !(inserts || self.tables[table].has_unique);
            seen.insert((table, &values[0]), (deed != Deed::Delete).then_some(version));
            changes.push(Change { table, deed, put: Put { values, version } });
        }
        for Change { table, deed, put } in changes {
            self.of[table].change(&self.tables[table], deed, put);
        }
        Verdict::Planned
    }

    fn version(&self, seen: &HashMap<(usize, &'u Value), Option<i64>>, table: usize, key: &'u Value) -> Option<i64> {
        seen.get(&(table, key)).or_else(|| self.of[table].versions.get(key)).copied().flatten()
    }
}

/// The table of a write, and its row; for a delete only the key.
pub(super) fn target(write: &Write) -> (&'static Table, &[Value]) {
    match write {
        Write::Insert(table, row) | Write::Update(table, row) | Write::Advance(table, row) => (table, &row.values),
        Write::Delete(table, key) => (table, std::slice::from_ref(key)),
    }
}

impl<'u> TablePlan<'u> {
    fn change(&mut self, table: &TableSql, deed: Deed, put: Put<'u>) {
        let key = &put.values[0];
        self.versions.insert(key, (deed != Deed::Delete).then_some(put.version));
        let last = self.last.get(key).copied();
        if let (Deed::Replace, Some((step, place))) = (deed, last) {
            let row = &mut self.steps[step].rows[place];
            if !table.has_unique || is_harmless(table.table, row.values, put.values) {
                *row = put;
                return;
            }
        }
        // Not before what touched the row last, and where a unique index can be taken, not before anything.
        let earliest = last.map_or(0, |(step, _)| step + 1);
        let earliest = if table.has_unique { earliest.max(self.steps.len().saturating_sub(1)) } else { earliest };
        let fitting = (earliest..self.steps.len()).find(|at| self.steps[*at].deed == deed);
        let step = fitting.unwrap_or_else(|| {
            self.steps.push(Step { deed, rows: Vec::new() });
            self.steps.len() - 1
        });
        self.steps[step].rows.push(put);
        self.last.insert(key, (step, self.steps[step].rows.len() - 1));
    }
}

/// Whether a row that was to be written may be written as it will be later instead: it stands in no unique index yet, or
/// in the same place. Taking a place earlier can only be refused more often, and then units are judged one by one.
fn is_harmless(table: &Table, earlier: &[Value], later: &[Value]) -> bool {
    table.indexes.iter().filter(|index| index.unique).all(|index| {
        let places = || index.columns.iter().filter_map(|column| table.position(column));
        places().any(|at| earlier[at] == Value::Null) || places().all(|at| earlier[at] == later[at])
    })
}
