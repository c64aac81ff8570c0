//! One transaction: some units together, or one alone.

use std::sync::Arc;

use firstcome_core::ports::Committed;
use firstcome_core::records::{Kind, NewEvent, Unit, Value, Write};

use super::dialect::{Prepared, Put, TableSql};
use super::fault::Fault;
use super::own::{LAST_EVENT, OUTBOX};
use super::plan::{Deed, Plan, Verdict, Work, place_of, target};
use super::server::Engine;
use super::session::Session;
use super::value::Param;

/// The statements of a database.
pub(super) struct Statements {
    /// Of the role's tables, and last of the consumers' positions.
    pub(super) tables: Vec<TableSql>,
    pub(super) outbox: TableSql,
    /// Takes the next numbers for events; with PostgreSQL also writes them.
    pub(super) count: Arc<str>,
}

/// What a transaction did.
pub(super) struct Outcome {
    pub(super) verdicts: Vec<Verdict>,
    /// The number of the last event in it.
    pub(super) last_event: Option<i64>,
}

impl Session {
    /// Commits those of the units that are planned, all or none of them. `Taken` means that the database refused a write of
    /// some unit.
    pub(super) async fn together(&mut self, statements: &Statements, units: &[&Unit]) -> Result<Outcome, Fault> {
        let works: Vec<Work<'_>> = units.iter().map(|unit| Work::new(unit)).collect();
        let mut plan = Plan::new(&statements.tables);
        let locked = keys_to_lock(&statements.tables, &works);
        self.plain("BEGIN").await?;
        let mut versions: Vec<Vec<(Value, i64)>> = Vec::with_capacity(locked.len());
        for (table, keys) in statements.tables.iter().zip(&locked) {
            versions.push(self.lock(table, keys).await?);
        }
        for (at, keys) in locked.iter().enumerate() {
            for key in keys {
                plan.know(at, key, None);
            }
            for (key, version) in &versions[at] {
                plan.know(at, key, Some(*version));
            }
        }
        let verdicts: Vec<Verdict> = works.iter().map(|work| plan.add(work)).collect();
        for (table, step) in plan.steps() {
            let done = match step.deed {
                Deed::Insert => self.insert(table, &step.rows).await?,
                Deed::Replace => self.replace(table, &step.rows).await.map(|()| true)?,
                Deed::Delete => self.delete(table, &step.rows).await.map(|()| true)?,
            };
            if !done {
                return Err(Fault::Taken(format!("a row of {} is there", table.table.name)));
            }
        }
        let planned = units.iter().zip(&verdicts).filter(|(_, verdict)| **verdict == Verdict::Planned);
        let events: Vec<&NewEvent> = planned.flat_map(|(unit, _)| &unit.events).collect();
        let last_event = self.announce(statements, &events).await?;
        self.commit().await?;
        Ok(Outcome { verdicts, last_event })
    }

    /// Judges a unit alone, write by write.
    pub(super) async fn alone(
        &mut self,
        statements: &Statements,
        unit: &Unit,
    ) -> Result<(Committed, Option<i64>), Fault> {
        self.plain("BEGIN").await?;
        if let Some(refused) = self.first_refused(statements, unit).await? {
            self.plain("ROLLBACK").await?;
            return Ok((Committed::Conflict(refused), None));
        }
        let events: Vec<&NewEvent> = unit.events.iter().collect();
        let last_event = self.announce(statements, &events).await?;
        self.commit().await?;
        Ok((Committed::Done, last_event))
    }

    async fn first_refused(&mut self, statements: &Statements, unit: &Unit) -> Result<Option<usize>, Fault> {
        let work = Work::new(unit);
        // All rows that decide, before anything is done: what is done after one of them was waited for must see what its
        // holder did.
        for (table, keys) in statements.tables.iter().zip(keys_to_lock(&statements.tables, std::slice::from_ref(&work)))
        {
            self.lock(table, &keys).await?;
        }
        if let Some((row, from, to)) = work.position() {
            let table = statements.tables.last().expect("positions are the last table");
            let put = Put { values: row, version: to };
            let done = match self.version(table, &row[0]).await? {
                Some(stored) if stored == from => self.replace(table, &[put]).await.map(|()| true)?,
                None if from == 0 => taken_is_false(self.insert(table, &[put]).await)?,
                _ => false,
            };
            if !done {
                return Ok(Some(unit.writes.len()));
            }
        }
        for (index, write) in unit.writes.iter().enumerate() {
            let (declared, values) = target(write);
            let table = &statements.tables[place_of(&statements.tables, declared)];
            let done = match write {
                Write::Insert(..) => self.insert(table, &[Put { values, version: 1 }]).await,
                Write::Update(_, row) => match self.version(table, &values[0]).await? {
                    Some(stored) if stored == row.version => {
                        self.replace(table, &[Put { values, version: stored + 1 }]).await.map(|()| true)
                    }
                    _ => Ok(false),
                },
                Write::Advance(_, row) => self.advance(table, Put { values, version: row.version }).await,
                Write::Delete(..) => self.delete(table, &[Put { values, version: 0 }]).await.map(|()| true),
            };
            if !taken_is_false(done)? {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    async fn advance(&mut self, table: &TableSql, put: Put<'_>) -> Result<bool, Fault> {
        let mut stored = self.version(table, &put.values[0]).await?;
        if stored.is_none() {
            if taken_is_false(self.insert(table, &[put]).await)? {
                return Ok(true);
            }
            // Another transaction has just added the row, or something unique is taken.
            stored = self.version(table, &put.values[0]).await?;
        }
        match stored {
            None => Ok(false),
            Some(version) if version < put.version => self.replace(table, &[put]).await.map(|()| true),
            Some(_) => Ok(true),
        }
    }

    async fn version(&mut self, table: &TableSql, key: &Value) -> Result<Option<i64>, Fault> {
        Ok(self.lock(table, &[key]).await?.pop().map(|(_, version)| version))
    }

    /// The keys and versions of those rows that are there; they stay so until the end of the transaction.
    async fn lock(&mut self, table: &TableSql, keys: &[&Value]) -> Result<Vec<(Value, i64)>, Fault> {
        let mut found = Vec::with_capacity(keys.len());
        let kinds = [table.table.key().kind, Kind::Integer];
        for (sql, params, _) in table.lock(keys) {
            for row in self.rows(sql, &params, &kinds).await? {
                if let Ok([key, Value::Integer(version)]) = <[Value; 2]>::try_from(row) {
                    found.push((key, version));
                }
            }
        }
        Ok(found)
    }

    /// False when a row met another; with MySQL that is the error `Taken`.
    async fn insert(&mut self, table: &TableSql, rows: &[Put<'_>]) -> Result<bool, Fault> {
        for (sql, params, count) in table.insert(rows) {
            if self.execute(sql, &params).await?.rows != count as u64 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn replace(&mut self, table: &TableSql, rows: &[Put<'_>]) -> Result<(), Fault> {
        self.all(table.replace(rows)).await
    }

    async fn delete(&mut self, table: &TableSql, rows: &[Put<'_>]) -> Result<(), Fault> {
        let keys: Vec<&Value> = rows.iter().map(|row| &row.values[0]).collect();
        self.all(table.delete(&keys)).await
    }

    async fn all(&mut self, prepared: Vec<Prepared<'_, '_>>) -> Result<(), Fault> {
        for (sql, params, _) in prepared {
            self.execute(sql, &params).await?;
        }
        Ok(())
    }

    /// Writes events with the next numbers and returns the last. It comes last, because the row that counts them is held
    /// until the commit.
    async fn announce(&mut self, statements: &Statements, events: &[&NewEvent]) -> Result<Option<i64>, Fault> {
        if events.is_empty() {
            return Ok(None);
        }
        let count = events.len() as i64;
        let mut rows: Vec<[Value; 6]> = events.iter().map(|event| outbox_row(event)).collect();
        if self.server.engine == Engine::Postgres {
            return self.announce_at_once(statements, &rows).await.map(Some);
        }
        let counted = self.execute(&statements.count, &[Param::number(count), Param::text(LAST_EVENT)]).await?;
        if counted.rows != 1 {
            return Err(Fault::Damaged("the row that counts events is not there".to_owned()));
        }
        for (row, position) in rows.iter_mut().zip(counted.last_id - count + 1..) {
            row[0] = Value::Integer(position);
        }
        let puts: Vec<Put<'_>> = rows.iter().map(|values| Put { values, version: 1 }).collect();
        match self.insert(&statements.outbox, &puts).await {
            Ok(_) => Ok(Some(counted.last_id)),
            Err(Fault::Taken(_)) => Err(taken_place()),
            Err(fault) => Err(fault),
        }
    }

    /// PostgreSQL counts and writes in one statement.
    async fn announce_at_once(&mut self, statements: &Statements, rows: &[[Value; 6]]) -> Result<i64, Fault> {
        let column = |at: usize| Param::Many(OUTBOX.columns[at].kind, rows.iter().map(|row| &row[at]).collect());
        let mut params = vec![Param::number(rows.len() as i64), Param::text(LAST_EVENT)];
        params.extend((1..OUTBOX.columns.len()).map(column));
        let written = match self.rows(&statements.count, &params, &[Kind::Integer]).await {
            Err(Fault::Taken(_)) => return Err(taken_place()),
            written => written?,
        };
        let numbers = written.iter().filter_map(|row| if let [Value::Integer(n)] = row[..] { Some(n) } else { None });
        let missing = || Fault::Damaged("the row that counts events is not there".to_owned());
        numbers.max().filter(|_| written.len() == rows.len()).ok_or_else(missing)
    }

    /// A connection that is lost now leaves it open whether the transaction happened.
    async fn commit(&mut self) -> Result<(), Fault> {
        self.plain("COMMIT").await.map_err(|fault| match fault {
            Fault::Lost(reason) => Fault::Refused(format!("the connection was lost in a commit: {reason}")),
            other => other,
        })
    }
}

fn taken_is_false(done: Result<bool, Fault>) -> Result<bool, Fault> {
    match done {
        Err(Fault::Taken(_)) => Ok(false),
        other => other,
    }
}

fn taken_place() -> Fault {
    Fault::Damaged("an event stands where the next one belongs".to_owned())
}

/// An event whose place is not known yet.
fn outbox_row(event: &NewEvent) -> [Value; 6] {
    [
        Value::Null,
        Value::Blob(event.id.0.to_vec()),
        Value::Text(event.kind.clone()),
        Value::Text(event.subject.clone()),
        Value::Integer(event.at.0),
        Value::Text(event.data.clone()),
    ]
}

/// The rows whose versions decide, for each table.
fn keys_to_lock<'u>(tables: &[TableSql], works: &'u [Work<'u>]) -> Vec<Vec<&'u Value>> {
    let mut keys: Vec<Vec<&Value>> = tables.iter().map(|_| Vec::new()).collect();
    let mut seen = std::collections::HashSet::new();
    let positions = tables.len() - 1;
    for work in works {
        let position = work.position().map(|(row, ..)| (positions, &row[0]));
        let versioned = work.unit.writes.iter().filter(|write| matches!(write, Write::Update(..) | Write::Advance(..)));
        let versioned = versioned.map(target).map(|(table, row)| (place_of(tables, table), &row[0]));
        for (table, key) in position.into_iter().chain(versioned) {
            if seen.insert((table, key)) {
                keys[table].push(key);
            }
        }
    }
    keys
}
