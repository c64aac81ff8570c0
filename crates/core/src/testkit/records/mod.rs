//! The promises of [`Records`] and [`EventLog`], one test each, for every adapter.
//!
//! An adapter implements [`RecordsHarness`] in its tests and calls `records_conformance!(ItsHarness)`.

#![expect(clippy::missing_panics_doc, reason = "a promise that is not kept panics, as tests do")]

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use async_trait::async_trait;

use crate::events::RoleEvent;
use crate::ids::{OrderId, PaymentId, UserId};
use crate::money::{Currency, Money};
use crate::ports::{Committed, EventLog, PortError, Records};
use crate::record;
use crate::records::{Comparison, Direction, Query, Record, RecordsExt as _, Stored, Table, Unit, Value};
use crate::time::Time;

mod events;
mod queries;
mod races;
mod rows;

pub use events::*;
pub use queries::*;
pub use races::*;
pub use rows::*;

/// The topic that the database under test writes.
pub const TOPIC: &str = "tested";
/// The tables that the database under test is opened with.
pub static TABLES: &[&Table] = &[Ticket::TABLE, Tally::TABLE, Number::TABLE, Note::TABLE];

record! {
    /// A row with an id as key and every kind of column.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Ticket in "tickets" {
        /// The key.
        pub ticket: OrderId,
        /// Many tickets have the same.
        pub owner: String,
        /// No two tickets have the same.
        pub seat: Option<i64>,
        /// Text that may be empty.
        pub note: Option<String>,
        /// A time.
        pub at: Time,
        /// Bytes.
        pub proof: Vec<u8>,
    }
    indexes [
        unique "tickets_by_seat" ("seat"),
        index "tickets_by_owner" ("owner", "at"),
    ]
}

record! {
    /// A row with a text as key and nothing unique beside it.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Tally in "tallies" {
        /// The key.
        pub name: String,
        /// A number.
        pub count: i64,
    }
    indexes []
}

record! {
    /// A row that stays.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Note in "notes" {
        /// The key.
        pub number: i64,
        /// Anything.
        pub text: String,
    }
    indexes []
    append only
}

record! {
    /// A row with a number as key.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Number in "numbers" {
        /// The key.
        pub number: i64,
        /// Orders rows; may be empty.
        pub place: Option<i64>,
    }
    indexes [ index "numbers_by_place" ("place") ]
}

record! {
    /// A table that no database under test has.
    pub struct Stranger in "strangers" {
        /// The key.
        pub number: i64,
        /// A second column.
        pub other: i64,
    }
    indexes []
}

/// Makes databases for the tests.
#[async_trait]
pub trait RecordsHarness: Sized + Send + Sync {
    /// A place for one empty database. What it holds ends with the value.
    async fn fresh() -> Self;
    /// Opens the database with [`TABLES`]: the first time, again after everything was dropped, or beside one that is
    /// open, as another process would.
    async fn open(&self) -> Opened;
}

/// An open database.
pub struct Opened {
    /// Its rows.
    pub records: Arc<dyn Records>,
    /// Its events, under [`TOPIC`].
    pub log: Arc<dyn EventLog>,
}

/// Makes one test of each promise.
#[macro_export]
macro_rules! records_conformance {
    ($harness:ty) => {
        $crate::records_conformance! { @tests $harness:
            stores_every_kind_of_value
            reads_many_in_the_order_of_keys
            insert_of_a_taken_key_conflicts
            unique_index_conflict_names_its_write
            empty_values_are_never_alike
            update_needs_the_stored_version
            delete_twice_is_once
            unit_is_all_or_nothing
            writes_see_those_before
            advance_never_goes_back
            what_is_appended_stays
            advance_takes_large_units
            conflict_disturbs_nobody_else
            two_updates_one_winner
            two_inserts_one_winner
            two_consumers_one_winner
            many_inserters_all_there
            events_if_and_only_if_committed
            events_in_order_after_a_position
            position_moves_only_from_where_it_is
            wait_returns_when_there_is_an_event
            wait_sees_other_processes
            reopen_keeps_everything
            openers_see_each_others_commits
            selects_by_every_comparison
            contains_ignores_case_of_ascii
            has_one_of_compares_bytes
            orders_ties_by_key
            pages_are_stable_under_inserts
            pages_over_empty_values
            misuse_is_refused
        }
    };
    (@tests $harness:ty: $($promise:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                let harness = <$harness as $crate::testkit::records::RecordsHarness>::fresh().await;
                $crate::testkit::records::$promise(&harness).await;
            }
        )*
    };
}

type Task<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Drives futures at the same time, so that their calls meet in the adapter.
pub async fn all<T>(mut tasks: Vec<Task<'_, T>>) -> Vec<T> {
    let mut answers: Vec<Option<T>> = tasks.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (task, answer) in tasks.iter_mut().zip(&mut answers).filter(|(_, answer)| answer.is_none()) {
            if let Poll::Ready(value) = task.as_mut().poll(context) {
                *answer = Some(value);
            }
        }
        if answers.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    answers.into_iter().flatten().collect()
}

fn ticket(number: u64) -> Ticket {
    let mut id = [0; 16];
    // Ids that do not arrive in their order.
    id[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    id[8..].copy_from_slice(&number.to_be_bytes());
    Ticket {
        ticket: OrderId(id),
        owner: format!("owner {}", number % 3),
        seat: None,
        note: None,
        at: Time(number as i64),
        proof: vec![number as u8; 3],
    }
}

fn seated(number: u64, seat: i64) -> Ticket {
    Ticket { seat: Some(seat), ..ticket(number) }
}

fn tally(name: &str, count: i64) -> Tally {
    Tally { name: name.to_owned(), count }
}

fn event(number: u8) -> RoleEvent {
    let amount = Money::new(i64::from(number), Currency::KRW);
    RoleEvent::PaymentDone { order: OrderId([number; 16]), attempt: PaymentId([number; 16]), amount }
}

async fn commit(records: &Arc<dyn Records>, unit: Unit) -> Committed {
    records.commit(unit).await.expect("the database answers")
}

async fn done(records: &Arc<dyn Records>, unit: Unit) {
    assert_eq!(commit(records, unit).await, Committed::Done);
}

async fn load(records: &Arc<dyn Records>, ticket: &Ticket) -> Option<Stored<Ticket>> {
    records.load::<Ticket>(ticket.ticket).await.expect("the database answers")
}

async fn numbers(records: &Arc<dyn Records>, query: Query) -> Vec<i64> {
    let rows = records.list::<Number>(query).await.expect("the database answers");
    rows.into_iter().map(|stored| stored.record.number).collect()
}
