//! What tills have taken in the ledger, written to the rows: all that waits in one commit. A card that many tills use at once
//! is one row, which would let only one of them through at a time; and one commit for many cards costs less than many.

use std::collections::BTreeMap;
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
/// How often a batch is tried when a row was changed by somebody else, or a movement was there already.
const TRIES: usize = 16;
/// Movements that are known to be written without asking the database: more than tills write until the journal is read.
const REMEMBERED: usize = 16_384;

/// What was left when a movement was written; none when its voucher must be looked at again.
type Written = Result<Option<i64>, PortError>;

/// Vouchers in an order that is the same for everybody, so that two processes never wait for each other.
type Rows = BTreeMap<VoucherId, Stored<Voucher>>;

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

/// Everything that waits: at most as much as there are requests.
#[derive(Default)]
struct Queue {
    waiting: Vec<Waiting>,
    /// Whether somebody has the [turn](Turn).
    is_taken: bool,
}

/// See the [module](self).
pub(super) struct Tills {
    records: Arc<dyn Records>,
    queue: Mutex<Queue>,
    /// The names of movements that were written here lately.
    written: Cache<OrderId, ()>,
}

impl Tills {
    pub(super) fn new(records: Arc<dyn Records>) -> Arc<Self> {
        Arc::new(Self { records, queue: Mutex::default(), written: Cache::new(REMEMBERED) })
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
        let is_taken = {
            let mut queue = self.queue.lock();
            queue.waiting.push(Waiting { stored, movement, answer });
            std::mem::replace(&mut queue.is_taken, true)
        };
        if !is_taken {
            tokio::spawn(Turn { tills: Arc::clone(self), is_over: false }.write_all());
        }
        written.await.unwrap_or_else(|_| Err(PortError::Unavailable("nobody writes what tills take".to_owned())))
    }
}

/// The right to write: one has it, until nothing waits.
struct Turn {
    tills: Arc<Tills>,
    is_over: bool,
}

impl Turn {
    async fn write_all(mut self) {
        let mut rows = Rows::new();
        while let Some(batch) = self.next() {
            rows = self.write(batch, rows).await;
        }
    }

    /// What waits; at the end nothing, and the turn is over.
    fn next(&mut self) -> Option<Vec<Waiting>> {
        let mut queue = self.tills.queue.lock();
        if queue.waiting.is_empty() {
            queue.is_taken = false;
            self.is_over = true;
            return None;
        }
        let count = queue.waiting.len().min(BATCH);
        Some(queue.waiting.drain(..count).collect())
    }

    /// Writes a batch and answers everyone in it. Goes on from the rows that were written last, and returns those of this
    /// batch.
    async fn write(&self, mut batch: Vec<Waiting>, mut rows: Rows) -> Rows {
        for one in &batch {
            let row = rows.entry(one.movement.voucher).or_insert_with(|| one.stored.clone());
            if row.version < one.stored.version {
                row.clone_from(&one.stored);
            }
        }
        let written = self.try_to_write(&mut batch, rows).await;
        for one in batch {
            if let Ok(Some(_)) = &written {
                one.movement.name.into_iter().for_each(|name| self.tills.written.insert(name, ()));
            }
            let left = one.movement.balance;
            one.answer(written.as_ref().map(|rows| rows.as_ref().map(|_| left)).map_err(Clone::clone));
        }
        written.ok().flatten().unwrap_or_default()
    }

    /// Writes what is left of a batch when everyone was answered who must look again. Returns the rows as they are then.
    async fn try_to_write(&self, batch: &mut Vec<Waiting>, mut rows: Rows) -> Result<Option<Rows>, PortError> {
        for _ in 0..TRIES {
            let mut changed = take_off(batch, &rows);
            if batch.is_empty() {
                return Ok(None);
            }
            let unit = changed.values().fold(Unit::new(), Unit::update);
            let unit = batch.iter().fold(unit, |unit, one| unit.insert(&one.movement));
            match self.tills.records.commit(unit).await? {
                Committed::Done => {
                    changed.values_mut().for_each(|row| row.version += 1);
                    return Ok(Some(changed));
                }
                Committed::Conflict(write) => {
                    // A row that was changed, or the same request twice.
                    if let Some(twin) = write.checked_sub(changed.len()) {
                        batch.remove(twin).answer(Ok(None));
                    }
                }
            }
            rows = self.look_again(batch).await?;
        }
        Ok(None)
    }

    /// The rows as they are now, of which something may be taken off. Whoever reads the journal may have written some of these
    /// movements by now.
    async fn look_again(&self, batch: &mut Vec<Waiting>) -> Result<Rows, PortError> {
        let records = &*self.tills.records;
        let mut rows = Rows::new();
        for voucher in batch.iter().map(|one| one.movement.voucher) {
            if !rows.contains_key(&voucher) {
                let row = records.load::<Voucher>(voucher).await?.filter(|row| !row.record.voided);
                rows.extend(row.map(|row| (voucher, row)));
            }
        }
        let names: Vec<OrderId> = batch.iter().filter_map(|one| one.movement.name).collect();
        let known = follow::named(records, &names).await?;
        let is_known = |one: &mut Waiting| known.iter().any(|stored| stored.record.name == one.movement.name);
        batch.extract_if(.., is_known).for_each(|one| one.answer(Ok(None)));
        Ok(rows)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.is_over {
            *self.tills.queue.lock() = Queue::default();
        }
    }
}

/// Takes the movements off their vouchers, one after the other, and returns these. What a row has too little for, since it
/// does not know yet what came back, is left for later.
fn take_off(batch: &mut Vec<Waiting>, rows: &Rows) -> Rows {
    let mut changed = Rows::new();
    let is_too_much = |Waiting { movement, .. }: &mut Waiting| {
        let Some(row) = rows.get(&movement.voucher) else { return true };
        let voucher = &mut changed.entry(movement.voucher).or_insert_with(|| row.clone()).record;
        let left = voucher.balance - movement.amount;
        if left >= 0 {
            (voucher.balance, movement.balance) = (left, left);
        }
        left < 0
    };
    batch.extract_if(.., is_too_much).for_each(|one| one.answer(Ok(None)));
    changed
}
