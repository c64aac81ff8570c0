//! Taking messages of the topic: one's own records come true, others' are applied, everything else is skipped.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use firstcome_core::ids::{OfferNumber, OrderId};
use firstcome_core::ledger::Undo;
use firstcome_core::ports::{JournalEntry, PortError};

use super::barrier;
use super::engine::{Busy, Engine, Stage};
use super::inbox::Read;
use super::start::accept;
use super::topic;
use crate::lane::{Lane, LaneState, Published, Settled, Turn, granted, settled_orders};

impl Engine {
    /// Takes the next message.
    pub(super) fn apply(&mut self, read: Read) -> Result<(), PortError> {
        if read.key == barrier::KEY {
            self.apply_barrier(&read);
            return Ok(());
        }
        if let Some(offer) = topic::offer_of(&read.key).filter(|offer| self.is_own(*offer, &read.bytes)) {
            let Some(mut busy) = self.busy.remove(&offer) else { return Ok(()) };
            self.apply_own(&mut busy, read);
            self.busy.insert(offer, busy);
            return Ok(());
        }
        if let Some(entry) = accept(&mut self.accepted, &read) {
            return self.apply_other(entry, read.bytes);
        }
        topic::offer_of(&read.key).into_iter().for_each(|offer| self.contest.saw_loser(offer));
        Ok(())
    }

    fn apply_barrier(&mut self, read: &Read) {
        let Some(barrier) = &mut self.barriers.under_way else { return };
        if barrier.name == *read.bytes {
            barrier.read = true;
            let sent = barrier.sent;
            self.compare_clocks(sent, read.appended);
        }
    }

    /// Whether a message is the record that is under way. One that lost its race is not: it was taken back.
    fn is_own(&self, offer: OfferNumber, bytes: &[u8]) -> bool {
        let stage = self.busy.get(&offer).map(|busy| &busy.stage);
        matches!(stage, Some(Stage::Flying(flight)) if !flight.read && flight.bytes == bytes)
    }

    /// One's own record counts: the offer is where it says already.
    fn apply_own(&mut self, busy: &mut Busy, read: Read) {
        let Stage::Flying(flight) = &mut busy.stage else { return };
        let accepted = self.accepted.accept(&flight.entry.record, flight.entry.hash);
        debug_assert!(accepted, "it was decided on the last accepted record");
        self.contest.own_counted(flight.entry.record.offer);
        flight.read = true;
        self.landed.extend(flight.acknowledged.then_some(flight.entry.record.offer));
        flight.entry.position = read.position;
        let (entry, sent) = (flight.entry.clone(), flight.sent);
        let recalled = std::mem::take(&mut flight.recalled);
        let lane = busy.lane.clone();
        let mut state = lane.state.write();
        state.tail = entry.hash;
        self.make_visible(&lane, &state, entry, read.bytes, recalled);
        self.compare_clocks(sent, read.appended);
    }

    /// Another's record counts. What this process has under way on the same offer does not: it is taken back.
    fn apply_other(&mut self, entry: JournalEntry, bytes: Vec<u8>) -> Result<(), PortError> {
        let lane = self.shared.lanes.get_or_new(entry.record.offer);
        let lost = self.take_lost(&lane);
        self.contest.another_counted(lane.number, lost.is_some());
        let mut state = lane.state.write();
        if let Some((undo, recalled)) = lost {
            state.offer.undo(undo);
            self.let_leave(&lane, &state, recalled);
        }
        let archive = self.shared.options.archive.clone();
        let mut turn = Turn::new(&lane, &mut state, archive.as_ref(), entry.record.at, 0);
        entry.record.events.iter().try_for_each(|event| turn.apply(event))?;
        let recalled = std::mem::take(&mut turn.recalled);
        state.tail = entry.hash;
        // Before anyone can look: of what was taken back nothing may seem durable.
        self.make_visible(&lane, &state, entry, bytes, recalled);
        Ok(())
    }

    /// Orders that were brought back into memory for nothing leave it again.
    pub(super) fn let_leave(&mut self, lane: &Arc<Lane>, state: &LaneState, recalled: Vec<OrderId>) {
        let (position, seq) = (self.shared.lanes.position(), state.offer.seq());
        let orders = settled_orders(state, recalled, &[]);
        self.leaving.add([Settled { position, lane: lane.clone(), seq, orders }]);
    }

    fn take_lost(&mut self, lane: &Arc<Lane>) -> Option<(Undo, Vec<OrderId>)> {
        let busy = self.busy.get_mut(&lane.number)?;
        if !matches!(&busy.stage, Stage::Flying(flight) if !flight.read) {
            return None;
        }
        let Stage::Flying(flight) = std::mem::replace(&mut busy.stage, Stage::Lost(Vec::new())) else { return None };
        busy.stage = Stage::Lost(flight.commands);
        self.lost.push(lane.number);
        self.barriers.insist(flight.askers);
        self.shared.races_lost.fetch_add(1, Ordering::Relaxed);
        Some((flight.undo, flight.recalled))
    }

    /// The journal first: whoever sees what became of an order must find its record there.
    fn make_visible(
        &mut self,
        lane: &Arc<Lane>,
        state: &LaneState,
        entry: JournalEntry,
        bytes: Vec<u8>,
        recalled: Vec<OrderId>,
    ) {
        self.shared.keys.take(&entry);
        let (position, granted) = (entry.position, granted(&entry.record));
        let orders = settled_orders(state, recalled, &entry.record.events);
        self.leaving.add([Settled { position, lane: lane.clone(), seq: state.offer.seq(), orders }]);
        self.shared.lanes.recent.lock().push(entry.clone());
        self.shared.keeping.push(entry, bytes);
        self.shared.lanes.progress.send_if_modified(|progress| {
            progress.position = position;
            false
        });
        lane.publish(Published::of(&state.offer), granted);
        self.set_alarm(lane.number, state.offer.next_deadline());
    }
}
