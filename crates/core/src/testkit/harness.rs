//! What an adapter brings so that suites can run on it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::clock::TestClock;
use super::runtime::{self, Task};
use crate::ports::StockLedger;

/// One ledger on storage of its own, empty at first, whose time stands under the suite's control.
///
/// The suite makes one for every clause. Methods that fail say what went wrong, in words.
#[async_trait]
pub trait LedgerHarness: Send + Sync {
    /// The ledger, running. After [`LedgerHarness::restart`] and [`LedgerHarness::crash`] another one.
    fn ledger(&self) -> Arc<dyn StockLedger>;

    /// The clock that the ledger reads, and nothing else does. A restart does not set it back.
    fn clock(&self) -> TestClock;

    /// Ends the ledger in order and opens it again on the same storage.
    async fn restart(&mut self) -> Result<(), String>;

    /// Abandons the ledger without a word and opens it again on what its storage kept. What had been answered must be
    /// there, so an adapter that cannot die may simply restart.
    async fn crash(&mut self) -> Result<(), String> {
        self.restart().await
    }

    /// Brings the archive up to the journal's end and tells the ledger, so that settled holds leave its memory. Nothing
    /// for a ledger without an archive.
    async fn archive(&mut self) -> Result<(), String> {
        Ok(())
    }

    /// How long the suite waits for what must happen by itself before it calls it missing. Nothing to reach: a ledger
    /// that keeps its contract never comes near it.
    fn patience(&self) -> Duration {
        Duration::from_mins(1)
    }

    /// Runs a task somewhere else, so that races are real. The default is a thread of its own; an adapter that needs its
    /// runtime's context spawns there.
    fn spawn(&self, task: Task<()>) {
        std::thread::spawn(move || runtime::block_on(task));
    }
}
