//! The ledger with its engine in the caller's hand: for simulations, which decide themselves when the disk answers and
//! when the process dies.

use std::sync::Arc;

use firstcome_core::ports::PortError;

use super::engine::Engine;
use super::{LedgerOptions, SqliteLedger};

/// The engine of one ledger. It does nothing until it is stepped; dropping it is the death of the process.
pub struct SteppedEngine(Engine);

/// How far a batch came before the process died. Nobody was answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Died {
    /// It was decided; nothing of it was written.
    BeforeTheJournal,
    /// The journal has it, its witness does not.
    BeforeTheWitness,
    /// All of it is durable.
    BeforeTheAnswer,
}

impl SqliteLedger {
    /// Opens or creates the ledger of a directory, as [`SqliteLedger::open`] does, without a thread of its own.
    pub fn open_stepped(options: LedgerOptions) -> Result<(Arc<Self>, SteppedEngine), PortError> {
        let (ledger, engine) = Self::open_by_hand(options)?;
        Ok((Arc::new(ledger), SteppedEngine(engine)))
    }
}

impl SteppedEngine {
    /// One batch and a little housekeeping. Returns whether there is more to do.
    pub fn step(&mut self) -> Result<bool, PortError> {
        self.0.step()
    }

    /// Begins the next batch and dies in it.
    pub fn die(mut self, died: Died) {
        let batch = self.0.decide();
        if died == Died::BeforeTheJournal || batch.rows.is_empty() {
            return;
        }
        // A disk that fails at this moment leaves what dying before it leaves.
        if self.0.writer.append(&batch.rows).is_ok() && died == Died::BeforeTheAnswer {
            let _ = self.0.witness.write(batch.head);
        }
    }
}
