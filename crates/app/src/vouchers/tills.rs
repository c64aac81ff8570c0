//! What tills have taken in the ledger, written to the rows: all that waits for one voucher in one commit. A card that many
//! tills use at once is one row, which would let only one of them through at a time.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use firstcome_core::ids::{OrderId, VoucherId};
use firstcome_core::ports::{Committed, PortError, Records};
use firstcome_core::records::{RecordsExt as _, Stored, Unit};
use parking_lot::Mutex;
use quick_cache::sync::Cache;
use tokio::sync::oneshot;

use super::follow;
use super::store::{Movement, Voucher};

/// Movements in one commit at most.
const BATCH: usize = 256;
/// How often a batch is tried when the row was changed by somebody else, or a movement was there already.
const TRIES: usize = 16;
/// Movements that are known to be written without asking the database: more than tills write until the journal is read.
const REMEMBERED: usize = 16_384;

/// What was left when a movement was written; none when its voucher must be looked at again.
type Written = Result<Option<i64>, PortError>;

/// A movement that is to be written, with the row as whoever wants it has read it.
struct Waiting {
    stored: Stored<Voucher>,
    movement: Movement,
    answer: oneshot::Sender<Written>,
}

impl Waiting {
    fn answer(self, written: Written) {
        // Whoever asked may have gone.
        let _ = self.answer.send(written);
    }
}

/// See the [module](self).
pub(super) struct Tills {
    records: Arc<dyn Records>,
    /// For each voucher that is being written what waits for it; at most as many as there are requests.
    waiting: Mutex<HashMap<VoucherId, Vec<Waiting>>>,
    /// The names of movements that were written here lately.
    written: Cache<OrderId, ()>,
}

impl Tills {
    pub(super) fn new(records: Arc<dyn Records>) -> Arc<Self> {
        Arc::new(Self { records, waiting: Mutex::default(), written: Cache::new(REMEMBERED) })
    }

    /// Whether it is certain that the movement of this name is in the database; false says nothing.
    pub(super) fn has_written(&self, name: OrderId) -> bool {
        self.written.peek(&name).is_some()
    }

    /// Writes a movement that the ledger knows of, and what it changes of its voucher. None when the voucher must be looked
    /// at again: somebody else has written this movement, or its row does not know yet what came back.
    ///
    /// It is written also when the request that wants it is dropped.
    pub(super) async fn write(self: &Arc<Self>, stored: Stored<Voucher>, movement: Movement) -> Written {
        let (answer, written) = oneshot::channel();
        let voucher = movement.voucher;
        let next = Waiting { stored, movement, answer };
        let is_first = match self.waiting.lock().entry(voucher) {
            Entry::Occupied(mut waiting) => {
                waiting.get_mut().push(next);
                false
            }
            Entry::Vacant(free) => {
                free.insert(vec![next]);
                true
            }
        };
        if is_first {
            let turn = Turn { tills: Arc::clone(self), voucher, is_over: false };
            tokio::spawn(turn.write_all());
        }
        written.await.unwrap_or_else(|_| Err(PortError::Unavailable("nobody writes this voucher".to_owned())))
    }
}

/// The right to write one voucher. There is one as long as the voucher is among those that are waited for.
struct Turn {
    tills: Arc<Tills>,
    voucher: VoucherId,
    is_over: bool,
}

impl Turn {
    async fn write_all(mut self) {
        let mut row = None;
        while let Some(batch) = self.next() {
            row = self.write(batch, row).await;
        }
    }

    /// What waits; at the end nothing, and the turn is over.
    fn next(&mut self) -> Option<Vec<Waiting>> {
        let mut waiting = self.tills.waiting.lock();
        let Entry::Occupied(mut queue) = waiting.entry(self.voucher) else { return None };
        if queue.get().is_empty() {
            queue.remove();
            self.is_over = true;
            return None;
        }
        let count = queue.get().len().min(BATCH);
        Some(queue.get_mut().drain(..count).collect())
    }

    /// Writes a batch and answers everyone in it. Returns the row as it is then, if that is known.
    async fn write(&self, mut batch: Vec<Waiting>, row: Option<Stored<Voucher>>) -> Option<Stored<Voucher>> {
        let row = row.or_else(|| batch.iter().map(|one| &one.stored).max_by_key(|row| row.version).cloned())?;
        let written = self.try_to_write(&mut batch, row).await;
        for one in batch {
            if let Ok(Some(_)) = &written {
                one.movement.name.into_iter().for_each(|name| self.tills.written.insert(name, ()));
            }
            let left = one.movement.balance;
            one.answer(written.as_ref().map(|row| row.as_ref().map(|_| left)).map_err(Clone::clone));
        }
        written.ok().flatten()
    }

    /// Writes what is left of a batch when everyone was answered who must look again. Returns the row as it is then.
    async fn try_to_write(
        &self,
        batch: &mut Vec<Waiting>,
        mut row: Stored<Voucher>,
    ) -> Result<Option<Stored<Voucher>>, PortError> {
        for _ in 0..TRIES {
            take_off(batch, &mut row.record);
            if batch.is_empty() {
                return Ok(None);
            }
            let unit = batch.iter().fold(Unit::new().update(&row), |unit, one| unit.insert(&one.movement));
            match self.tills.records.commit(unit).await? {
                Committed::Done => return Ok(Some(Stored { version: row.version + 1, ..row })),
                Committed::Conflict(0) => {}
                // The same request came twice.
                Committed::Conflict(write) => batch.remove(write - 1).answer(Ok(None)),
            }
            let Some(now) = self.look_again(batch).await? else { return Ok(None) };
            row = now;
        }
        Ok(None)
    }

    /// The row as it is now; none when nothing is to be taken off it any more. Whoever reads the journal may have written
    /// some of these movements by now.
    async fn look_again(&self, batch: &mut Vec<Waiting>) -> Result<Option<Stored<Voucher>>, PortError> {
        let records = &*self.tills.records;
        let row = records.load::<Voucher>(self.voucher).await?.filter(|row| !row.record.voided);
        let names: Vec<OrderId> = batch.iter().filter_map(|one| one.movement.name).collect();
        let known = follow::named(records, &names).await?;
        let is_known = |one: &mut Waiting| known.iter().any(|stored| stored.record.name == one.movement.name);
        batch.extract_if(.., is_known).for_each(|one| one.answer(Ok(None)));
        Ok(row)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.is_over {
            self.tills.waiting.lock().remove(&self.voucher);
        }
    }
}

/// Takes the movements off the voucher, one after the other. What the row has too little for, since it does not know yet
/// what came back, is left for later.
fn take_off(batch: &mut Vec<Waiting>, voucher: &mut Voucher) {
    let is_too_much = |one: &mut Waiting| {
        let left = voucher.balance - one.movement.amount;
        if left >= 0 {
            (voucher.balance, one.movement.balance) = (left, left);
        }
        left < 0
    };
    batch.extract_if(.., is_too_much).for_each(|one| one.answer(Ok(None)));
}
