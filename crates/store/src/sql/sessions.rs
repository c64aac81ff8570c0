//! Connections that read.

use std::sync::Arc;

use firstcome_core::ports::PortError;
use firstcome_core::records::{Kind, Value};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::fault::Fault;
use super::options::{Address, SqlOptions};
use super::session::Session;
use super::value::Param;

/// Reads that run or wait; the next is refused.
const WAITING: usize = 4_096;
/// How often a read is tried when its connection turns out to be gone.
const TRIES: usize = 3;

/// A bounded number of connections, made when they are needed. What is lost is made again.
pub(super) struct Sessions {
    address: Address,
    options: SqlOptions,
    turns: Semaphore,
    waiting: Semaphore,
    idle: Mutex<Vec<Session>>,
}

impl Sessions {
    pub(super) fn new(address: Address, options: SqlOptions) -> Self {
        let turns = Semaphore::new(options.readers.max(1));
        Self { address, options, turns, waiting: Semaphore::new(WAITING), idle: Mutex::default() }
    }

    /// The rows of a read. It may run twice.
    pub(super) async fn rows(
        &self,
        sql: &Arc<str>,
        params: &[Param<'_>],
        kinds: &[Kind],
    ) -> Result<Vec<Vec<Value>>, PortError> {
        let Ok(_place) = self.waiting.try_acquire() else { return Err(PortError::Overloaded) };
        let answer = tokio::time::timeout(self.options.timeout, self.rows_now(sql, params, kinds)).await;
        let answer = answer.unwrap_or_else(|_| Err(Fault::Refused("no answer in time".to_owned())));
        answer.map_err(|fault| fault.into_port_error(&self.address.name))
    }

    /// Runs a statement that changes something and may run twice without harm.
    pub(super) async fn execute(&self, sql: &Arc<str>, params: &[Param<'_>]) -> Result<(), PortError> {
        self.rows(sql, params, &[]).await.map(drop)
    }

    async fn rows_now(&self, sql: &Arc<str>, params: &[Param<'_>], kinds: &[Kind]) -> Result<Vec<Vec<Value>>, Fault> {
        let _turn = self.turns.acquire().await.map_err(|error| Fault::Refused(error.to_string()))?;
        let mut tries = 0;
        loop {
            tries += 1;
            let idle = self.idle.lock().pop().filter(|session| !session.is_stale());
            let mut session = match idle {
                Some(session) => session,
                None => Session::connect(&self.address, self.options.connect_timeout, self.options.timeout).await?,
            };
            match session.rows(sql, params, kinds).await {
                // The server was stopped, and the others are gone as well.
                Err(Fault::Lost(_)) if tries < TRIES => self.idle.lock().clear(),
                Err(fault @ Fault::Lost(_)) => return Err(fault),
                answer => {
                    self.idle.lock().push(session);
                    return answer;
                }
            }
        }
    }
}
