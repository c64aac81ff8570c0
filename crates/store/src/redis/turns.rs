//! Taking turns: advice to the lanes of several processes that decide about the same offer (see `turns.lua`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use firstcome_core::ids::OfferNumber;
use firstcome_core::ports::PortError;
use parking_lot::Mutex;

use super::{Library, Redis};
use crate::kafka::ledger::Turns;

const LIBRARY: Library = Library { source: include_str!("turns.lua") };

/// The turns of one lane.
#[derive(Clone)]
pub struct RedisTurns {
    redis: Redis,
    /// Names the lane among those of all processes.
    lane: String,
    /// A turn ends by itself after this: longer than a batch takes, shorter than anyone would want to wait.
    lasts: Duration,
    /// Until when Redis is not asked, because it did not answer.
    silent_until: Arc<Mutex<Option<Instant>>>,
}

/// How long a lane that waits may be silent before it is passed over: several times its pause between two questions.
pub(super) const SILENT: Duration = Duration::from_millis(20);
/// Between two questions of a lane that waits.
const ASK_AGAIN: Duration = Duration::from_millis(1);
/// After this nobody waits for advice any more.
const LONGEST_WAIT: Duration = Duration::from_millis(25);
/// A Redis that did not answer is left alone for so long.
const LEFT_ALONE: Duration = Duration::from_secs(1);

impl RedisTurns {
    /// The turns of the lane of this name. A turn that is not given back ends after `lasts`.
    pub fn new(redis: Redis, lane: impl Into<String>, lasts: Duration) -> Self {
        Self { redis, lane: lane.into(), lasts, silent_until: Arc::default() }
    }

    /// Asks for the turn on an offer: how many lanes are before this one, 0 when it is its turn.
    pub async fn ask(&self, offer: OfferNumber) -> Result<u64, PortError> {
        let mut call = self.call("firstcome_take_turn_1", offer);
        call.arg(&self.lane).arg(self.lasts.as_millis() as u64).arg(SILENT.as_millis() as u64);
        self.redis.call(&LIBRARY, &call).await
    }

    /// Ends the turn on an offer. Returns how many lanes wait.
    pub async fn end(&self, offer: OfferNumber) -> Result<u64, PortError> {
        let mut call = self.call("firstcome_give_turn_1", offer);
        call.arg(&self.lane);
        self.redis.call(&LIBRARY, &call).await
    }

    fn is_left_alone(&self) -> bool {
        self.silent_until.lock().is_some_and(|until| Instant::now() < until)
    }

    fn leave_alone(&self, error: &PortError) {
        if self.silent_until.lock().replace(Instant::now() + LEFT_ALONE).is_none() {
            tracing::warn!(%error, "lanes do without turns while Redis does not answer");
        }
    }

    fn call(&self, function: &str, offer: OfferNumber) -> redis::Cmd {
        let subject = format!("offer-{}", offer.0);
        let keys = ["turn", "waiting", "asking"].map(|name| self.redis.key(&subject, name));
        LIBRARY.call(function, &[&keys[0], &keys[1], &keys[2]])
    }
}

#[async_trait]
impl Turns for RedisTurns {
    async fn take(&self, offer: OfferNumber) {
        let since = Instant::now();
        while !self.is_left_alone() && since.elapsed() < LONGEST_WAIT {
            match self.ask(offer).await {
                Ok(before) => {
                    *self.silent_until.lock() = None;
                    if before == 0 {
                        return;
                    }
                }
                Err(error) => return self.leave_alone(&error),
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    async fn give_back(&self, offer: OfferNumber) {
        if !self.is_left_alone()
            && let Err(error) = self.end(offer).await
        {
            self.leave_alone(&error);
        }
    }
}
