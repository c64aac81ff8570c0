//! Looks at the letters now and then: counts those that wait, for whoever is called at night, and tells what is kept in this
//! process' memory of those that another process replayed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use firstcome_core::ports::PortError;
use firstcome_core::records::{Comparison, Direction, Field as _, Query, Record as _, RecordsExt as _};
use firstcome_core::time::Time;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::Letters;
use crate::consumer::DeadLetter;
use crate::role::Worker;

/// How often.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Letters that are counted at most, of one role; when so many wait, the number does not matter.
const COUNTED: u32 = 1_000;
/// Letters that are read at once.
const PAGE: u32 = 100;
/// What was replayed so long before the last look is looked at again: clocks differ, and commits take their time. To
/// remember twice is to remember once.
const OVERLAP: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Labels {
    consumer: String,
}

pub(super) type Waiting = Family<Labels, Gauge>;

/// The worker that looks.
pub(super) fn worker(roles: Arc<Vec<Letters>>, metrics: &mut Registry) -> Worker {
    let waiting = Waiting::default();
    let help = "Events that could not be handled and wait for an operator, by consumer";
    metrics.register("firstcome_dead_letters_waiting", help, waiting.clone());
    Worker::new("letters", move |stop| async move {
        let mut seen: Vec<Time> = roles.iter().map(|letters| letters.clock.now()).collect();
        loop {
            for (letters, seen) in roles.iter().zip(&mut seen) {
                let looked = async {
                    letters.count(&waiting).await?;
                    letters.remember(*seen).await
                };
                let now = letters.clock.now();
                match looked.await {
                    Ok(()) => *seen = now,
                    // The consumers, which meet the same, warn of it.
                    Err(error) => tracing::debug!(role = letters.role.as_str(), %error, "letters are counted later"),
                }
            }
            if stop.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_none() {
                return Ok(());
            }
        }
    })
}

impl Letters {
    /// Counts those that wait.
    pub(super) async fn count(&self, waiting: &Waiting) -> Result<(), PortError> {
        let query = Query::all(DeadLetter::TABLE, COUNTED).filter("replayed_at", Comparison::IsNull);
        let mut counts: HashMap<String, i64> =
            self.consumers.iter().map(|consumer| (consumer.consumer().to_owned(), 0)).collect();
        for letter in self.records.list::<DeadLetter>(query).await? {
            *counts.entry(letter.record.consumer).or_default() += 1;
        }
        for (consumer, count) in counts {
            waiting.get_or_create(&Labels { consumer }).set(count);
        }
        Ok(())
    }

    /// Tells consumers that keep something in memory what was replayed since then, by whichever process.
    pub(super) async fn remember(&self, since: Time) -> Result<(), PortError> {
        let since = since - OVERLAP;
        let mut after = None;
        while self.consumers.iter().any(|consumer| consumer.keeps_memory()) {
            let query = Query::all(DeadLetter::TABLE, PAGE)
                .filter("replayed_at", Comparison::AtLeast(since.to_value()))
                .order_by("replayed_at", Direction::Ascending)
                .after(after.take());
            let letters = self.records.list::<DeadLetter>(query).await?;
            let more = letters.len() == PAGE as usize;
            after = letters.last().map(|last| (last.record.replayed_at.to_value(), last.record.key()));
            for letter in letters {
                let of = |name| self.consumers.iter().find(|consumer| consumer.consumer() == name);
                if let Some(consumer) = of(letter.record.consumer.as_str()).filter(|found| found.keeps_memory()) {
                    consumer.remember(&letter.record).await?;
                }
            }
            if !more {
                return Ok(());
            }
        }
        Ok(())
    }
}
