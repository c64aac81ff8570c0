//! The ledger's port: what callers do before and after the engine.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use firstcome_core::ids::{OfferNumber, OrderId};
use firstcome_core::ledger::{Command, Hold, HoldRequest, HoldState, Outcome, Refusal, ReleaseReason};
use firstcome_core::ports::{JournalEntry, LedgerState, PortError, StockLedger};
use firstcome_core::time::Time;
use tokio::sync::oneshot;

use super::KafkaLedger;
use super::shared::Shared;
use crate::lane::{Lane, Life};
use crate::sqlite::ledger::{Reader, Stored};

/// How long a reader waits for the copy to have what has left memory; then it gets what is there.
const COPIED_WITHIN: Duration = Duration::from_secs(1);

impl KafkaLedger {
    /// Returns when everything that was acknowledged to anyone before is read here.
    pub(super) async fn current(&self) -> Result<(), PortError> {
        if let Some(trouble) = self.shared.trouble() {
            return Err(trouble);
        }
        let (asker, answer) = oneshot::channel();
        {
            let mut askers = self.shared.askers.lock();
            let Some(askers) = askers.as_mut() else { return Err(self.shared.lanes.ended()) };
            if askers.len() >= self.shared.options.queue_total {
                return Err(PortError::Overloaded);
            }
            askers.push(asker);
        }
        self.shared.lanes.ring();
        answer.await.unwrap_or_else(|_| Err(self.shared.lanes.ended()))
    }

    /// The refusal of a new hold, if that is what is known already.
    fn refusal(&self, lane: &Lane, command: &Command, request: &HoldRequest) -> Option<Refusal> {
        let state = lane.state.read();
        if state.offer.hold(request.order).is_some() {
            return None;
        }
        let now = self.shared.options.clock.now();
        let Outcome::Refused(refusal) = state.offer.decide(command, now, &mut Vec::new()) else { return None };
        // A record that is under way may be taken back, and with it what refuses.
        if state.offer.seq() != lane.durable_seq() && !lane.confirms(&refusal, request.quantity) {
            return None;
        }
        // A forgotten hold must be recalled before its order is refused. Asked last: refusals are the common case only
        // when there are many.
        (!self.shared.options.archive.may_contain(request.order.key_hash())).then_some(refusal)
    }

    /// The refusal of a new hold without entering the lane. What is known here may be old: the order may have been granted
    /// elsewhere a moment ago, and whoever was told so must not be refused. So it is looked at again when what was read is
    /// known to be current; the crowd at a sold-out offer shares one barrier.
    async fn proven_refusal(
        &self,
        lane: &Lane,
        command: &Command,
        request: &HoldRequest,
    ) -> Result<Option<Refusal>, PortError> {
        if self.refusal(lane, command, request).is_none() {
            return Ok(None);
        }
        self.current().await?;
        Ok(self.refusal(lane, command, request))
    }

    /// The lane of an offer. One that is not known here may have been made elsewhere a moment ago.
    async fn lane_of(&self, offer: OfferNumber) -> Result<Option<Arc<Lane>>, PortError> {
        let known = self.shared.lanes.get(offer);
        if known.is_none() {
            self.current().await?;
            return Ok(self.shared.lanes.get(offer));
        }
        Ok(known)
    }

    /// The accepted hold of an order, from memory or from the archive.
    async fn look_up(&self, order: OrderId) -> Result<Option<Hold>, PortError> {
        let Some(lane) = self.shared.lanes.get(order.home()) else { return Ok(None) };
        let mut progress = self.shared.lanes.progress.subscribe();
        loop {
            progress.mark_unchanged();
            {
                let state = lane.state.read();
                match state.offer.hold(order) {
                    None => break,
                    Some(hold) if hold.seq <= lane.durable_seq() => return Ok(Some(hold.clone())),
                    // Its record is under way, and may be taken back.
                    Some(_) => {}
                }
            }
            if let Some(trouble) = self.shared.trouble() {
                return Err(trouble);
            }
            if !matches!(progress.borrow().life, Life::Serving) {
                return Err(self.shared.lanes.ended());
            }
            let _ = tokio::time::timeout(Duration::from_millis(50), progress.changed()).await;
        }
        let archive = Arc::clone(&self.shared.options.archive);
        if !archive.may_contain(order.key_hash()) {
            return Ok(None);
        }
        let found = tokio::task::spawn_blocking(move || archive.hold(order.home(), order)).await;
        found.map_err(|_| PortError::Unavailable("the reading of the archive was given up".to_owned()))?
    }

    /// Reads the copy's file on a thread that may block.
    async fn read(
        &self,
        work: impl FnOnce(&Reader<'_>) -> Result<Vec<Stored>, rusqlite::Error> + Send + 'static,
    ) -> Result<Vec<JournalEntry>, PortError> {
        let reader = self.reader.clone();
        let read = tokio::task::spawn_blocking(move || work(&Reader(&reader.lock())));
        let read =
            read.await.map_err(|_| PortError::Unavailable("the reading of the journal was given up".to_owned()))?;
        let rows = read.map_err(|error| self.files.unreadable(&error))?;
        rows.iter().map(|row| row.open().map_err(|reason| self.files.corrupt(&reason))).collect()
    }
}

impl Shared {
    /// Lets a command wait for its lane, and waits for the answer.
    async fn ask(&self, lane: &Arc<Lane>, command: Command) -> Result<Outcome, PortError> {
        let (reply, answer) = oneshot::channel();
        self.lanes.submit(lane, command, reply)?;
        answer.await.unwrap_or_else(|_| Err(self.lanes.ended()))
    }
}

fn is_free(lane: &Lane) -> bool {
    lane.state.read().offer.terms().is_some_and(|terms| terms.price.amount == 0)
}

/// Releases an order that was granted under a key of another, also when nobody waits any more. If that fails, its time
/// runs out.
async fn give_back(shared: Arc<Shared>, lane: Arc<Lane>, order: OrderId) -> Result<Outcome, PortError> {
    let release = Command::Release { order, reason: ReleaseReason::Aborted };
    let released = tokio::spawn(async move { shared.ask(&lane, release).await }).await;
    released.map_err(|error| PortError::Unavailable(error.to_string()))?.map(|_| Outcome::KeyReused)
}

#[async_trait]
impl StockLedger for KafkaLedger {
    async fn decide(&self, offer: OfferNumber, command: Command) -> Result<Outcome, PortError> {
        let lane = match &command {
            Command::SetTerms(_) => self.shared.lanes.get_or_new(offer),
            _ => match (self.lane_of(offer).await?, &command) {
                (Some(lane), _) => lane,
                (None, Command::Expire) => return Ok(Outcome::ReleasedByTime(Vec::new())),
                (None, _) => return Ok(Outcome::Refused(Refusal::UnknownOffer)),
            },
        };
        match &command {
            Command::Hold(request) => {
                let is_free = is_free(&lane);
                if is_free {
                    // What is granted for good cannot be given back when its key turns out to be another order's.
                    self.current().await?;
                }
                if self.shared.keys.belongs_to_another(request.order) {
                    return Ok(Outcome::KeyReused);
                }
                let refusal = if is_free {
                    // What is known is current already.
                    self.refusal(&lane, &command, request)
                } else {
                    self.proven_refusal(&lane, &command, request).await?
                };
                if let Some(refusal) = refusal {
                    lane.count_refusal(&refusal);
                    return Ok(Outcome::Refused(refusal));
                }
            }
            Command::SetTerms(terms) => {
                terms.check().map_err(|error| PortError::Misused(error.to_string()))?;
                if terms.offer.number() != offer {
                    return Err(PortError::Misused(format!("the terms of {} are not for offer {offer}", terms.offer)));
                }
            }
            _ => {}
        }
        if let Some(trouble) = self.shared.trouble() {
            return Err(trouble);
        }
        let is_hold = matches!(command, Command::Hold(_));
        let outcome = self.shared.ask(&lane, command).await?;
        let granted = match &outcome {
            Outcome::Held(hold) => Some(hold.order),
            // Its twin is in the same record, and hears the same.
            Outcome::AlreadyHeld(hold) if is_hold && hold.state == HoldState::Held => Some(hold.order),
            _ => None,
        };
        match granted.filter(|order| self.shared.keys.belongs_to_another(*order)) {
            Some(order) => give_back(self.shared.clone(), lane, order).await,
            None => Ok(outcome),
        }
    }

    async fn find(&self, order: OrderId) -> Result<Option<Hold>, PortError> {
        // Another process may have granted or changed it a moment ago.
        self.current().await?;
        self.look_up(order).await
    }

    async fn known(&self, order: OrderId) -> Result<Option<Hold>, PortError> {
        self.look_up(order).await
    }

    async fn snapshot(&self, offer: OfferNumber) -> Result<Option<LedgerState>, PortError> {
        Ok(self.lane_of(offer).await?.and_then(|lane| lane.durable_state()))
    }

    async fn would_refuse(
        &self,
        offer: OfferNumber,
        request: &HoldRequest,
        now: Time,
    ) -> Result<Option<Refusal>, PortError> {
        let lane = self.lane_of(offer).await?;
        Ok(lane.map_or(Some(Refusal::UnknownOffer), |lane| lane.state.read().offer.would_refuse(request, now)))
    }

    async fn journal(&self, offer: OfferNumber, from_seq: u64, limit: usize) -> Result<Vec<JournalEntry>, PortError> {
        let kept = self.shared.keeping.kept();
        let mut entries = self.read(move |reader| reader.of_offer(offer, from_seq, kept, limit)).await?;
        // What the copy does not have yet is in memory.
        let later = self.shared.lanes.recent.lock().after(kept, usize::MAX).unwrap_or_default();
        let wanted = |entry: &JournalEntry| entry.record.offer == offer && entry.record.last_seq() >= from_seq;
        let room = limit.saturating_sub(entries.len());
        entries.extend(later.into_iter().filter(wanted).take(room));
        Ok(entries)
    }

    async fn entries(&self, after: i64, limit: usize) -> Result<Vec<JournalEntry>, PortError> {
        let to = self.shared.lanes.position();
        if after >= to {
            return Ok(Vec::new());
        }
        if let Some(recent) = self.shared.lanes.recent.lock().after(after, limit) {
            return Ok(recent);
        }
        // What has left memory is in the copy, or will be in a moment.
        let since = Instant::now();
        while self.shared.keeping.kept() < to && since.elapsed() < COPIED_WITHIN {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let read = move |reader: &Reader<'_>| {
            let mut rows = Vec::new();
            reader.after(after, to, limit, |row| {
                rows.push(row);
                Ok::<_, rusqlite::Error>(())
            })?;
            Ok(rows)
        };
        self.read(read).await
    }

    async fn wait(&self, after: i64) -> Result<(), PortError> {
        self.shared.lanes.wait(after).await
    }

    fn archived(&self, position: i64) {
        self.shared.lanes.set_archived(position);
    }
}
