//! A role's database that writes down who acts, in the commit of what they do.

use std::sync::Arc;

use async_trait::async_trait;
use firstcome_core::ids::ActionId;
use firstcome_core::ports::{Clock, Committed, PortError, Random, Records, RoleName, random_bytes};
use firstcome_core::records::{Query, RecordsExt as _, Row, Stored, Table, Unit, Value};
use tokio::sync::Mutex;

use super::acting::Acting;
use super::chain::{Action, ActionHead, HEAD, Prover};
use crate::secrets::Keys;

/// How often an action is tried while other processes write down theirs.
const TRIES: u32 = 64;

/// The database of a role, opened with the tables of [`Action`] and [`ActionHead`] among its own.
pub struct Actions {
    role: RoleName,
    records: Arc<dyn Records>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    keys: Arc<Keys>,
    /// Actions of one process come one after the other; others' are met at the head.
    turn: Mutex<()>,
}

impl Actions {
    /// The same database, with a witness.
    pub fn over(
        role: RoleName,
        records: Arc<dyn Records>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        keys: Arc<Keys>,
    ) -> Arc<Self> {
        Arc::new(Self { role, records, clock, random, keys, turn: Mutex::default() })
    }

    /// Writes down what was done elsewhere.
    pub(super) async fn note(&self, acting: &Acting) -> Result<(), PortError> {
        match self.commit_with(Unit::new(), acting).await? {
            Committed::Done => Ok(()),
            Committed::Conflict(_) => Err(PortError::Overloaded),
        }
    }

    /// Commits a unit of work with the action that it is.
    async fn commit_with(&self, unit: Unit, acting: &Acting) -> Result<Committed, PortError> {
        let _turn = self.turn.lock().await;
        let own = unit.writes.len();
        for _ in 0..TRIES {
            let head = self.records.load::<ActionHead>(HEAD).await?;
            let mut whole = unit.clone();
            whole.append(self.row(head, acting));
            match self.records.commit(whole).await? {
                Committed::Done => {
                    acting.written();
                    return Ok(Committed::Done);
                }
                Committed::Conflict(write) if write < own => return Ok(Committed::Conflict(write)),
                // Another process has written down an action meanwhile.
                Committed::Conflict(_) => {}
            }
        }
        Err(PortError::Overloaded)
    }

    /// The action behind the last one, and the head that says so.
    fn row(&self, head: Option<Stored<ActionHead>>, acting: &Acting) -> Unit {
        let now = self.clock.now();
        let (seq, before) = head.as_ref().map_or((0, &[][..]), |head| (head.record.seq, head.record.proof.as_slice()));
        let mut action = Action {
            id: ActionId::at(now, random_bytes(&*self.random)),
            seq: seq + 1,
            at: now,
            user: acting.who.user,
            roles: acting.who.roles,
            session: acting.who.session,
            action: acting.action.clone(),
            object: acting.object(),
            proof: Vec::new(),
        };
        let prover = Prover { role: self.role, index: &self.keys.index };
        action.proof = action.proof(&prover, before);
        let next = ActionHead::at(action.seq, action.proof.clone(), &prover);
        let unit = Unit::new().insert(&action);
        match head {
            None => unit.insert(&next),
            Some(Stored { version, .. }) => unit.update(&Stored { record: next, version }),
        }
    }
}

#[async_trait]
impl Records for Actions {
    async fn get(&self, table: &'static Table, key: Value) -> Result<Option<Row>, PortError> {
        self.records.get(table, key).await
    }

    async fn get_many(&self, table: &'static Table, keys: Vec<Value>) -> Result<Vec<Row>, PortError> {
        self.records.get_many(table, keys).await
    }

    async fn select(&self, query: Query) -> Result<Vec<Row>, PortError> {
        self.records.select(query).await
    }

    async fn commit(&self, unit: Unit) -> Result<Committed, PortError> {
        match Acting::unwritten() {
            // A consumer's own step is no person's action, wherever it is taken.
            Some(acting) if unit.position.is_none() => self.commit_with(unit, &acting).await,
            _ => self.records.commit(unit).await,
        }
    }

    async fn position(&self, consumer: &'static str) -> Result<i64, PortError> {
        self.records.position(consumer).await
    }
}
