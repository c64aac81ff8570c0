//! What a crash left of orders over several offers: prepared lines of which nobody speaks any more, lines of orders that
//! have ended, and free orders that were not sold whole. Found in the journal, and brought to what the home offer says.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use firstcome_core::ids::{OfferNumber, OrderId, UserId};
use firstcome_core::ledger::{Event, Hold, HoldState, Record};
use firstcome_core::ports::{Clock, OrderArchive, PortError, StockLedger};
use firstcome_core::time::Time;

use super::Ports;
use super::lines::{Lines, is_free};
use crate::role::{Worker, WorkerFailed};

/// How often it looks.
const EVERY: Duration = Duration::from_secs(1);
/// How long a line may be prepared, or outlive its order, before it is taken for left behind. The request that prepared it
/// may live: then it is told that its order was aborted, and decides anew.
pub(super) const LEFT_BEHIND: Duration = Duration::from_secs(5);
/// Journal entries read at a time.
const BATCH: usize = 256;

/// A line that is set aside for an order that another offer decides.
struct OpenLine {
    person: UserId,
    /// Since when it is prepared, if it is.
    prepared: Option<Time>,
    /// Since when its order has ended, if it has.
    ended: Option<Time>,
}

impl OpenLine {
    /// Whether it was left behind.
    fn is_left(&self, now: Time) -> bool {
        self.prepared.or(self.ended).is_some_and(|since| is_old(since, now))
    }
}

fn is_old(since: Time, now: Time) -> bool {
    now.since(since) >= LEFT_BEHIND
}

/// What is open of orders over several offers. No larger than what the offers hold.
pub(super) struct Sweeper {
    ledger: Arc<dyn StockLedger>,
    clock: Arc<dyn Clock>,
    lines: Arc<Lines>,
    position: i64,
    /// Open lines, but those at their order's home.
    open: BTreeMap<(OrderId, OfferNumber), OpenLine>,
    /// Free orders that are not sold.
    free: HashMap<OrderId, Time>,
}

impl Sweeper {
    /// Begins at the rows that are written now.
    pub(super) async fn create(ports: &Ports, lines: Arc<Lines>) -> Result<Self, PortError> {
        let archive = ports.archive.clone();
        let held = tokio::task::spawn_blocking(move || open_holds(&*archive)).await;
        let (position, held) = held.map_err(|error| PortError::Unavailable(error.to_string()))??;
        let (ledger, clock) = (ports.ledger.clone(), ports.clock.clone());
        let mut sweeper = Self { ledger, clock, lines, position, open: BTreeMap::new(), free: HashMap::new() };
        let is_home = |(offer, hold): &&(OfferNumber, Hold)| hold.order.home() == *offer;
        let homes: HashSet<OrderId> = held.iter().filter(is_home).map(|(_, hold)| hold.order).collect();
        for (offer, hold) in &held {
            sweeper.note(*offer, hold);
        }
        // What is not open at its home has ended, or never was.
        let left = sweeper.open.iter_mut().filter(|((order, _), _)| !homes.contains(order));
        left.for_each(|(_, line)| line.ended = Some(Time(0)));
        Ok(sweeper)
    }

    fn note(&mut self, offer: OfferNumber, hold: &Hold) {
        let is_home = hold.order.home() == offer;
        if !is_home && hold.state.is_open() {
            let prepared = (hold.state == HoldState::Prepared).then_some(hold.created_at);
            self.open.insert((hold.order, offer), OpenLine { person: hold.person, prepared, ended: None });
        } else if is_home && hold.state.is_open() && !hold.other_lines().is_empty() && is_free(hold) {
            self.free.insert(hold.order, hold.created_at);
        }
    }

    fn lines_of(&mut self, order: OrderId) -> impl Iterator<Item = &mut OpenLine> {
        let lines = (order, OfferNumber(0))..=(order, OfferNumber(u32::MAX));
        self.open.range_mut(lines).map(|(_, line)| line)
    }

    fn take(&mut self, record: &Record) {
        let offer = record.offer;
        for (seq, event) in record.numbered() {
            if let Some(hold) = Hold::created_by(event, seq, record.at) {
                self.note(offer, &hold);
                continue;
            }
            match event {
                Event::Promoted { order, .. } => {
                    if let Some(line) = self.open.get_mut(&(*order, offer)) {
                        line.prepared = None;
                    }
                }
                Event::Released { order, .. } if order.home() == offer => {
                    self.free.remove(order);
                    self.lines_of(*order).for_each(|line| line.ended = Some(record.at));
                }
                Event::Committed { order, .. } if order.home() == offer => {
                    self.free.remove(order);
                }
                Event::Reclaimed { order, .. } if order.home() == offer => {
                    self.lines_of(*order).for_each(|line| line.ended = None);
                }
                Event::Released { order, .. } | Event::Committed { order, .. } => {
                    self.open.remove(&(*order, offer));
                }
                _ => {}
            }
        }
    }

    /// Reads on to the journal's end and heals what was left behind. What cannot be healed now is tried again.
    pub(super) async fn step(&mut self) -> Result<(), PortError> {
        loop {
            let entries = self.ledger.entries(self.position, BATCH).await?;
            let Some(last) = entries.last() else { break };
            self.position = last.position;
            entries.iter().for_each(|entry| self.take(&entry.record));
        }
        self.heal(self.clock.now()).await
    }

    /// One that cannot be healed does not keep the others from it.
    async fn heal(&self, now: Time) -> Result<(), PortError> {
        let mut healed = Ok(());
        for ((order, offer), line) in self.open.iter().filter(|(_, line)| line.is_left(now)) {
            healed = healed.and(self.lines.settle(*order, *offer, line.person).await);
        }
        for (order, _) in self.free.iter().filter(|(_, since)| is_old(**since, now)) {
            healed = healed.and(self.finish(*order).await);
        }
        healed
    }

    async fn finish(&self, order: OrderId) -> Result<(), PortError> {
        if let Some(hold) = self.ledger.find(order).await? {
            self.lines.complete(hold).await?;
        }
        Ok(())
    }

    /// The worker that keeps looking.
    pub(super) fn into_worker(mut self) -> Worker {
        Worker::new("orders.lines", move |stop| async move {
            while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
                match self.step().await {
                    Ok(()) => {}
                    Err(error) if error.is_retryable() => tracing::warn!(%error, "lines are looked after later"),
                    Err(error) => return Err(WorkerFailed(error.to_string())),
                }
            }
            Ok(())
        })
    }
}

/// Every open hold with its offer, and up to where the archive has them.
fn open_holds(archive: &dyn OrderArchive) -> Result<(i64, Vec<(OfferNumber, Hold)>), PortError> {
    let position = archive.head()?.position;
    let mut open = Vec::new();
    for offer in archive.offers()? {
        let number = offer.terms.offer.number();
        open.extend(archive.open_holds(number)?.into_iter().map(|hold| (number, hold)));
    }
    Ok((position, open))
}
