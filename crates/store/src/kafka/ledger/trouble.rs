//! When Kafka does not answer, or the clocks are apart: what waits is told so, and the engine looks until it is over.

use std::time::{Duration, Instant};

use firstcome_core::ids::OfferNumber;
use firstcome_core::ports::PortError;
use firstcome_core::time::Time;

use super::barrier::{self, Askers, Barrier};
use super::engine::{Engine, Stage, refuse, unavailable};

/// How long after [`super::KafkaLedgerOptions::patience`], by which the client gives up by itself, the engine does.
const LAST_WORD: Duration = Duration::from_secs(1);
/// The least time between two looks.
const LOOK: Duration = Duration::from_millis(20);
/// The least time between two tries whether Kafka is back.
const PROBE: Duration = Duration::from_millis(100);

impl Engine {
    /// Gives up what takes too long, and looks whether a trouble is over.
    pub(super) fn look_after_kafka(&mut self) {
        if self.barriers.next.callers.len() < self.shared.options.queue_total {
            let callers = self.shared.askers.lock().as_mut().map(std::mem::take);
            self.barriers.next.callers.extend(callers.into_iter().flatten());
        }
        let patience = self.shared.options.patience + LAST_WORD;
        let late = |stage: &Stage, since: &Instant| match stage {
            Stage::Flying(flight) => flight.began.elapsed() > patience,
            Stage::Proving(_) => false,
            Stage::Lost(_) | Stage::Asking(_) => since.elapsed() > patience,
        };
        if self.last_look.elapsed() < LOOK {
            return;
        }
        self.last_look = Instant::now();
        let late: Vec<_> =
            self.busy.iter().filter(|(_, busy)| late(&busy.stage, &busy.since)).map(|(offer, _)| *offer).collect();
        for offer in late {
            self.give_up(offer, &unavailable("no answer in time"));
        }
        if self.barriers.under_way.as_ref().is_some_and(|barrier| barrier.began.elapsed() > patience) {
            self.fail_barrier(&unavailable("no answer in time"));
        }
        // A ledger that closes does not wait for Kafka to come back.
        let suspicious = !self.shared.lanes.is_closing()
            && (self.shared.inbox.take_unreachable().is_some() || self.shared.trouble().is_some());
        if suspicious && self.barriers.is_idle() && self.last_probe.is_none_or(|last| last.elapsed() > PROBE) {
            self.last_probe = Some(Instant::now());
            self.send_barrier(Askers::default());
        }
    }

    /// Appends a barrier if someone waits for one and none is under way.
    pub(super) fn append_barrier(&mut self) {
        if let Some(askers) = self.barriers.due() {
            self.send_barrier(askers);
        }
    }

    fn send_barrier(&mut self, askers: Askers) {
        let id = self.next_id();
        let mut name = [0; 16];
        name[..8].copy_from_slice(&self.own.to_be_bytes());
        name[8..].copy_from_slice(&(id as u64).to_be_bytes());
        let (began, sent) = (Instant::now(), self.shared.options.clock.now());
        let appended = self.appender.append(id, barrier::KEY, &name);
        self.barriers.under_way = Some(Barrier { id, name, began, sent, acknowledged: false, read: false, askers });
        if let Err(error) = appended {
            self.fail_barrier(&error);
        }
    }

    /// The barrier under way proves nothing any more.
    pub(super) fn fail_barrier(&mut self, error: &PortError) {
        let Some(barrier) = self.barriers.under_way.take() else { return };
        self.set_trouble(error);
        self.fail_askers(barrier.askers, error);
    }

    fn fail_askers(&mut self, askers: Askers, error: &PortError) {
        for caller in askers.callers {
            let _ = caller.send(Err(error.clone()));
        }
        for offer in askers.lanes {
            if self.busy.get(&offer).is_some_and(|busy| matches!(busy.stage, Stage::Proving(_))) {
                self.give_up(offer, error);
            }
        }
    }

    /// What an offer waits for does not come: its commands are answered with the error, and the offer is again what was
    /// accepted. If the record comes after all and counts, it counts like another's.
    pub(super) fn give_up(&mut self, offer: OfferNumber, error: &PortError) {
        let Some(busy) = self.busy.remove(&offer) else { return };
        match busy.stage {
            Stage::Flying(flight) => {
                self.flights.remove(&flight.id);
                if !flight.read {
                    let mut state = busy.lane.state.write();
                    state.offer.undo(flight.undo);
                    self.let_leave(&busy.lane, &state, flight.recalled);
                }
                refuse(flight.commands, error);
                self.set_trouble(error);
                self.fail_askers(flight.askers, error);
            }
            Stage::Proving(commands) | Stage::Lost(commands) | Stage::Asking(commands) => refuse(commands, error),
        }
        self.release(busy.lane, busy.more);
    }

    pub(super) fn set_trouble(&self, error: &PortError) {
        let mut trouble = self.shared.trouble.write();
        if trouble.is_none() {
            tracing::error!(%error, "the ledger decides nothing for now");
        }
        *trouble = Some(error.clone());
    }

    /// Kafka took a message and gave it back.
    pub(super) fn end_trouble(&mut self) {
        if let Some(skewed) = &self.skewed {
            return self.set_trouble(&PortError::Unavailable(skewed.clone()));
        }
        if self.shared.trouble.write().take().is_some() {
            tracing::warn!("the ledger decides again");
        }
    }

    /// Compares this machine's clock with the broker's, for a message that was appended between `sent` and now.
    pub(super) fn compare_clocks(&mut self, sent: Time, appended: Option<Time>) {
        let (Some(bound), Some(appended)) = (self.shared.options.skew, appended) else { return };
        let now = self.shared.options.clock.now();
        let off = sent.since(appended).max(appended.since(now));
        let was_skewed = self.skewed.is_some();
        self.skewed = (off > bound).then(|| {
            format!(
                "this machine's clock and that of Kafka's broker are {} ms apart, more than the {} ms allowed; set the \
                 clocks",
                off.as_millis(),
                bound.as_millis()
            )
        });
        if let Some(skewed) = self.skewed.as_ref().filter(|_| !was_skewed) {
            self.set_trouble(&PortError::Unavailable(skewed.clone()));
        }
    }

    /// Rings when an offer's next hold is over without a doubt; in every process a little later than in the others.
    pub(super) fn set_alarm(&mut self, offer: OfferNumber, deadline: Option<Time>) {
        let jitter = self.shared.options.jitter.mul_f64((self.own % 1_000) as f64 / 1_000.0);
        let late = self.shared.now().doubt + jitter;
        self.alarms.set(offer, deadline.map(|deadline| deadline + late));
    }
}
