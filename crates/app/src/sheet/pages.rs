//! Records of some days, a page at a time.

use std::sync::Arc;

use firstcome_core::ports::{PortError, Records};
use firstcome_core::records::{Comparison, Direction, Field as _, Query, Record, RecordsExt as _, Value};

use super::days::Days;

/// Rows in memory at a time.
const PAGE: u32 = 500;

/// The records of a table of which a column lies in some days.
pub(crate) struct Pages<R> {
    records: Arc<dyn Records>,
    query: Query,
    place: fn(&R) -> (Value, Value),
}

impl<R: Record> Pages<R> {
    /// By their primary keys: the table is gone through once, which needs no index.
    pub(crate) fn new(records: Arc<dyn Records>, column: &'static str, days: &Days) -> Self {
        let query = Query::all(R::TABLE, PAGE)
            .filter(column, Comparison::AtLeast(days.from.to_value()))
            .filter(column, Comparison::Less(days.before.to_value()));
        Self { records, query, place: |record| (record.key(), record.key()) }
    }

    /// By a column that has an index; `place` is a record's place in that order.
    pub(crate) fn ordered_by(self, column: &'static str, place: fn(&R) -> (Value, Value)) -> Self {
        Self { query: self.query.order_by(column, Direction::Ascending), place, ..self }
    }

    /// The next page; empty behind the last.
    pub(crate) async fn next(&mut self) -> Result<Vec<R>, PortError> {
        let page: Vec<R> =
            self.records.list::<R>(self.query.clone()).await?.into_iter().map(|stored| stored.record).collect();
        if let Some(last) = page.last() {
            self.query.after = Some((self.place)(last));
        }
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use firstcome_core::record;
    use firstcome_core::records::Unit;
    use firstcome_core::testkit::MemoryRecords;
    use firstcome_core::time::Time;

    use super::*;

    record! {
        #[derive(Clone, PartialEq, Eq, Debug)]
        struct Thing in "things" {
            number: i64,
            at: Time,
        }
        indexes []
    }

    #[tokio::test]
    async fn all_of_the_days_and_nothing_else_in_either_order() {
        let records = Arc::new(MemoryRecords::new("things", &[Thing::TABLE]));
        let many = i64::from(PAGE) * 2 + 1;
        // Three at a time, so that a page ends among those of the same time; one before the days, and one behind them.
        let things = (0..many).map(|number| Thing { number: many - number, at: Time(10 + number / 3) });
        let outside = [Thing { number: -1, at: Time(9) }, Thing { number: -2, at: Time(10 + many) }];
        let unit = things.chain(outside).fold(Unit::new(), |unit, thing| unit.insert(&thing));
        records.commit(unit).await.expect("committed");
        let days = Days { from: Time(10), before: Time(10 + many), name: String::new() };
        let pages = || Pages::<Thing>::new(records.clone(), "at", &days);
        for mut pages in [pages(), pages().ordered_by("at", |thing| (thing.at.to_value(), thing.key()))] {
            let (mut seen, mut lengths) = (BTreeSet::new(), Vec::new());
            loop {
                let page = pages.next().await.expect("read");
                lengths.push(page.len());
                if page.is_empty() {
                    break;
                }
                assert!(page.iter().all(|thing| seen.insert(thing.number)), "none twice");
            }
            assert_eq!(seen, (1..=many).collect());
            assert_eq!(lengths, [PAGE as usize, PAGE as usize, 1, 0]);
        }
    }
}
