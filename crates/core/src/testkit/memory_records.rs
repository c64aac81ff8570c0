//! Records in memory, with the event log that reads their outbox: for tests of roles, which then need no engine.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use async_trait::async_trait;

use crate::ports::{Committed, EventLog, LoggedEvent, PortError, Records};
use crate::records::{
    Comparison, Direction, Filter, NewEvent, Query, Row, Table, Unit, Value, Write, check_keys, check_query, check_unit,
};

type Rows = Vec<Row>;

/// Everything of one role's database.
#[derive(Clone, Default)]
struct Data {
    tables: HashMap<&'static str, Rows>,
    positions: HashMap<&'static str, i64>,
    events: Vec<NewEvent>,
}

#[derive(Default)]
struct State {
    data: Data,
    waiting: Vec<Waker>,
}

/// The database of one role in memory. It is also the log of the topic that the role writes.
///
/// Nothing is durable, and a commit copies everything: made for hundreds of rows, not for load.
pub struct MemoryRecords {
    topic: &'static str,
    tables: &'static [&'static Table],
    state: Mutex<State>,
}

impl MemoryRecords {
    /// An empty database with these tables, whose events are read under `topic`.
    ///
    /// # Panics
    ///
    /// When a table has a column of the name that adapters give to their own: no database would take it.
    pub fn new(topic: &'static str, tables: &'static [&'static Table]) -> Self {
        assert!(tables.iter().all(|table| table.position("version").is_none()), "a column is named version");
        Self { topic, tables, state: Mutex::default() }
    }

    /// Every event so far, in order.
    pub fn events(&self) -> Vec<NewEvent> {
        self.lock().data.events.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rows(&self, table: &'static Table) -> Rows {
        self.lock().data.tables.get(table.name).cloned().unwrap_or_default()
    }
}

/// Values of one column in order: empty first, then by number, or byte by byte.
fn compare(left: &Value, right: &Value) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Null => 0,
        Value::Integer(_) => 1,
        Value::Text(_) => 2,
        Value::Blob(_) => 3,
    };
    match (left, right) {
        (Value::Integer(left), Value::Integer(right)) => left.cmp(right),
        (Value::Text(left), Value::Text(right)) => left.cmp(right),
        (Value::Blob(left), Value::Blob(right)) => left.cmp(right),
        _ => rank(left).cmp(&rank(right)),
    }
}

/// As SQL compares: nothing is equal to, less or greater than an empty value.
fn holds(value: &Value, comparison: &Comparison) -> bool {
    let is = |wanted: &Value, orderings: &[Ordering]| {
        *value != Value::Null && *wanted != Value::Null && orderings.contains(&compare(value, wanted))
    };
    match comparison {
        Comparison::Is(wanted) => is(wanted, &[Ordering::Equal]),
        Comparison::IsOneOf(wanted) => wanted.iter().any(|wanted| is(wanted, &[Ordering::Equal])),
        Comparison::Less(wanted) => is(wanted, &[Ordering::Less]),
        Comparison::AtMost(wanted) => is(wanted, &[Ordering::Less, Ordering::Equal]),
        Comparison::Greater(wanted) => is(wanted, &[Ordering::Greater]),
        Comparison::AtLeast(wanted) => is(wanted, &[Ordering::Greater, Ordering::Equal]),
        Comparison::Contains(part) => match value {
            Value::Text(text) => text.to_ascii_lowercase().contains(&part.to_ascii_lowercase()),
            _ => false,
        },
        Comparison::HasOneOf(parts) => match value {
            Value::Text(text) => parts.iter().any(|part| text.contains(part.as_str())),
            _ => false,
        },
        Comparison::IsNull => *value == Value::Null,
    }
}

fn position(table: &'static Table, column: &str) -> Result<usize, PortError> {
    table.position(column).ok_or_else(|| PortError::Misused(format!("{} has no column {column}", table.name)))
}

/// Whether another row agrees with this one in all columns of a unique index.
fn taken(table: &'static Table, rows: &[Row], row: &Row) -> bool {
    table.indexes.iter().filter(|index| index.unique).any(|index| {
        let of = |row: &Row| -> Vec<Value> {
            index.columns.iter().filter_map(|column| Some(row.values[table.position(column)?].clone())).collect()
        };
        let values = of(row);
        !values.contains(&Value::Null)
            && rows.iter().any(|other| other.values[0] != row.values[0] && of(other) == values)
    })
}

/// Applies one write; false when it conflicts.
fn apply(data: &mut Data, write: &Write) -> bool {
    let (table, key) = match write {
        Write::Insert(table, row) | Write::Update(table, row) | Write::Advance(table, row) => (*table, &row.values[0]),
        Write::Delete(table, key) => (*table, key),
    };
    let rows = data.tables.entry(table.name).or_default();
    let place = rows.binary_search_by(|row| compare(&row.values[0], key));
    match (write, place) {
        (Write::Insert(..), Ok(_)) | (Write::Update(..), Err(_)) => return false,
        (Write::Insert(_, row), Err(place)) => {
            if taken(table, rows, row) {
                return false;
            }
            rows.insert(place, Row { values: row.values.clone(), version: 1 });
        }
        (Write::Update(_, row), Ok(place)) => {
            if rows[place].version != row.version || taken(table, rows, row) {
                return false;
            }
            rows[place] = Row { values: row.values.clone(), version: row.version + 1 };
        }
        (Write::Advance(_, row), Ok(place)) if rows[place].version >= row.version => {}
        (Write::Advance(_, row), place) => {
            if taken(table, rows, row) {
                return false;
            }
            match place {
                Ok(place) => rows[place] = row.clone(),
                Err(place) => rows.insert(place, row.clone()),
            }
        }
        (Write::Delete(..), Ok(place)) => {
            rows.remove(place);
        }
        (Write::Delete(..), Err(_)) => {}
    }
    true
}

#[async_trait]
impl Records for MemoryRecords {
    async fn get(&self, table: &'static Table, key: Value) -> Result<Option<Row>, PortError> {
        check_keys(self.tables, table, std::slice::from_ref(&key))?;
        Ok(self.rows(table).into_iter().find(|row| row.values[0] == key))
    }

    async fn get_many(&self, table: &'static Table, keys: Vec<Value>) -> Result<Vec<Row>, PortError> {
        check_keys(self.tables, table, &keys)?;
        let rows = self.rows(table);
        let find = |key: &Value| rows.iter().find(|row| row.values[0] == *key).cloned();
        Ok(keys.iter().filter_map(find).collect())
    }

    async fn select(&self, query: Query) -> Result<Vec<Row>, PortError> {
        check_query(self.tables, &query)?;
        let mut rows = self.rows(query.table);
        for Filter { column, comparison } in &query.filters {
            let column = position(query.table, column)?;
            rows.retain(|row| holds(&row.values[column], comparison));
        }
        let column = position(query.table, query.order.0)?;
        let order = |left: (&Value, &Value), right: (&Value, &Value)| {
            let ascending = compare(left.0, right.0).then_with(|| compare(left.1, right.1));
            if query.order.1 == Direction::Ascending { ascending } else { ascending.reverse() }
        };
        rows.sort_by(|left, right| {
            order((&left.values[column], &left.values[0]), (&right.values[column], &right.values[0]))
        });
        if let Some((value, key)) = &query.after {
            rows.retain(|row| order((&row.values[column], &row.values[0]), (value, key)).is_gt());
        }
        rows.truncate(query.limit as usize);
        Ok(rows)
    }

    async fn commit(&self, unit: Unit) -> Result<Committed, PortError> {
        check_unit(self.tables, &unit)?;
        let mut state = self.lock();
        let mut data = state.data.clone();
        if let Some((consumer, from, to)) = unit.position {
            if data.positions.get(consumer).copied().unwrap_or(0) != from {
                return Ok(Committed::Conflict(unit.writes.len()));
            }
            data.positions.insert(consumer, to);
        }
        if let Some(conflict) = unit.writes.iter().position(|write| !apply(&mut data, write)) {
            return Ok(Committed::Conflict(conflict));
        }
        data.events.extend(unit.events);
        state.data = data;
        state.waiting.drain(..).for_each(Waker::wake);
        Ok(Committed::Done)
    }

    async fn position(&self, consumer: &'static str) -> Result<i64, PortError> {
        Ok(self.lock().data.positions.get(consumer).copied().unwrap_or(0))
    }
}

#[async_trait]
impl EventLog for MemoryRecords {
    async fn read(&self, topic: &'static str, after: i64, limit: usize) -> Result<Vec<LoggedEvent>, PortError> {
        if topic != self.topic {
            return Err(PortError::Misused(format!("this is the topic {}, not {topic}", self.topic)));
        }
        let events = self.events();
        let numbered = (1..).zip(events).skip_while(|(position, _)| *position <= after).take(limit);
        let logged = |(position, event): (i64, NewEvent)| LoggedEvent {
            position,
            id: event.id,
            kind: event.kind,
            subject: event.subject,
            at: event.at,
            data: event.data,
        };
        Ok(numbered.map(logged).collect())
    }

    async fn wait(&self, _topic: &'static str, after: i64) -> Result<(), PortError> {
        poll_fn(|context| {
            let mut state = self.lock();
            if state.data.events.len() as i64 > after {
                return Poll::Ready(Ok(()));
            }
            state.waiting.push(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}

/// The topics of several databases in memory as one log.
pub struct MemoryLog(pub Vec<std::sync::Arc<MemoryRecords>>);

impl MemoryLog {
    fn of(&self, topic: &str) -> Result<&MemoryRecords, PortError> {
        let records = self.0.iter().find(|records| records.topic == topic);
        records.map(AsRef::as_ref).ok_or_else(|| PortError::Misused(format!("nobody writes the topic {topic}")))
    }
}

#[async_trait]
impl EventLog for MemoryLog {
    async fn read(&self, topic: &'static str, after: i64, limit: usize) -> Result<Vec<LoggedEvent>, PortError> {
        self.of(topic)?.read(topic, after, limit).await
    }
    async fn wait(&self, topic: &'static str, after: i64) -> Result<(), PortError> {
        self.of(topic)?.wait(topic, after).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record;
    use crate::records::{Record, RecordsExt};

    record! {
        #[derive(Clone, PartialEq, Eq, Debug)]
        struct Animal in "animals" {
            id: i64,
            name: String,
            legs: Option<i64>,
        }
        indexes [unique "animals_by_name" ("name")]
    }

    fn animal(id: i64, name: &str) -> Animal {
        Animal { id, name: name.to_owned(), legs: Some(4) }
    }

    fn ready<F: Future>(future: F) -> F::Output {
        let mut future = std::pin::pin!(future);
        match future.as_mut().poll(&mut std::task::Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("memory never waits"),
        }
    }

    #[test]
    fn all_or_nothing() {
        let records = MemoryRecords::new("animals", &[Animal::TABLE]);
        assert_eq!(ready(records.commit(Unit::new().insert(&animal(1, "cat")))).unwrap(), Committed::Done);
        let twins = Unit::new().insert(&animal(2, "dog")).insert(&animal(3, "cat"));
        assert_eq!(ready(records.commit(twins)).unwrap(), Committed::Conflict(1));
        assert_eq!(ready(records.load::<Animal>(2_i64)).unwrap(), None);
    }

    #[test]
    fn update_needs_the_version_that_was_read() {
        let records = MemoryRecords::new("animals", &[Animal::TABLE]);
        ready(records.commit(Unit::new().insert(&animal(1, "cat")))).unwrap();
        let mut cat = ready(records.load::<Animal>(1_i64)).unwrap().unwrap();
        cat.record.legs = None;
        assert_eq!(ready(records.commit(Unit::new().update(&cat))).unwrap(), Committed::Done);
        assert_eq!(ready(records.commit(Unit::new().update(&cat))).unwrap(), Committed::Conflict(0));
    }

    #[test]
    fn selects_in_order_after_a_place() {
        let records = MemoryRecords::new("animals", &[Animal::TABLE]);
        for (id, name) in [(1, "cat"), (2, "dog"), (3, "ape")] {
            ready(records.commit(Unit::new().insert(&animal(id, name)))).unwrap();
        }
        let query = Query::all(Animal::TABLE, 10).order_by("name", Direction::Descending);
        let after = Some((Value::Text("dog".to_owned()), Value::Integer(2)));
        let names = |query| -> Vec<String> {
            ready(records.list::<Animal>(query)).unwrap().into_iter().map(|animal| animal.record.name).collect()
        };
        assert_eq!(names(query.clone()), ["dog", "cat", "ape"]);
        assert_eq!(names(query.after(after)), ["cat", "ape"]);
    }

    #[test]
    fn every_record_is_read_whatever_the_page() {
        let records = MemoryRecords::new("animals", &[Animal::TABLE]);
        for (id, name) in [(4, "ape"), (2, "dog"), (3, "cow"), (1, "cat")] {
            ready(records.commit(Unit::new().insert(&animal(id, name)))).unwrap();
        }
        for page in 0..6 {
            let query = Query::all(Animal::TABLE, page).order_by("name", Direction::Descending);
            let ids = ready(records.every::<Animal>(query)).unwrap().into_iter().map(|animal| animal.record.id);
            let expected: &[i64] = if page == 0 { &[] } else { &[1, 2, 3, 4] };
            assert_eq!(ids.collect::<Vec<_>>(), expected, "{page} at a time");
        }
        let cows = Query::all(Animal::TABLE, 1).is("name", "cow".to_owned());
        assert_eq!(ready(records.every::<Animal>(cows)).unwrap().len(), 1);
    }
}
