//! Connections that visitors share: as many as may be in flight.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;

use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::storm::client::json::{Answer, Call};
use crate::storm::client::{ClientError, Connection};

/// A bounded pool.
pub(super) struct Pool {
    address: SocketAddr,
    idle: RefCell<Vec<Connection>>,
    permits: Semaphore,
    waited: Cell<u64>,
    end: Cell<Instant>,
}

impl Pool {
    /// A pool of at most so many connections, whose calls have an end at `end`, answered or not.
    pub(super) fn new(address: SocketAddr, connections: usize, end: Instant) -> Self {
        let permits = Semaphore::new(connections);
        Self { address, idle: RefCell::default(), permits, waited: Cell::new(0), end: Cell::new(end) }
    }

    /// Lets calls that begin from now on last until `end`.
    pub(super) fn until(&self, end: Instant) {
        self.end.set(end);
    }

    /// Makes a call on the next free connection.
    pub(super) async fn call(&self, call: Call<'_>) -> Result<Answer, ClientError> {
        timeout_at(self.end.get(), self.answer(call)).await.unwrap_or(Err(ClientError::Late))
    }

    async fn answer(&self, call: Call<'_>) -> Result<Answer, ClientError> {
        if self.permits.available_permits() == 0 {
            self.waited.set(self.waited.get() + 1);
        }
        // The semaphore is never closed; if it were, calling without a permit would only be less polite.
        let _permit = self.permits.acquire().await;
        let mut connection = self.idle.borrow_mut().pop().unwrap_or_else(|| Connection::new(self.address));
        let answer = call.send(&mut connection).await;
        self.idle.borrow_mut().push(connection);
        answer
    }

    /// Calls that had to wait for a connection.
    pub(super) fn waited(&self) -> u64 {
        self.waited.get()
    }
}
