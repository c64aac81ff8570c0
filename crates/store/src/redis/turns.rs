//! Taking turns: advice to the lanes of several processes that decide about the same offer (see `turns.lua`).

use std::time::Duration;

use firstcome_core::ids::OfferNumber;
use firstcome_core::ports::PortError;

use super::{Library, Redis};

const LIBRARY: Library = Library { source: include_str!("turns.lua") };

/// The turns of one lane.
#[derive(Clone)]
pub struct RedisTurns {
    redis: Redis,
    /// Names the lane among those of all processes.
    lane: String,
    /// A turn ends by itself after this: longer than a batch takes, shorter than anyone would want to wait.
    lasts: Duration,
}

/// How long a lane that waits may be silent before it is passed over: several times its pause between two questions.
pub(super) const SILENT: Duration = Duration::from_millis(20);

impl RedisTurns {
    /// The turns of the lane of this name. A turn that is not given back ends after `lasts`.
    pub fn new(redis: Redis, lane: impl Into<String>, lasts: Duration) -> Self {
        Self { redis, lane: lane.into(), lasts }
    }

    /// Asks for the turn on an offer: how many lanes are before this one, 0 when it is its turn.
    pub async fn take(&self, offer: OfferNumber) -> Result<u64, PortError> {
        let mut call = self.call("firstcome_take_turn_1", offer);
        call.arg(&self.lane).arg(self.lasts.as_millis() as u64).arg(SILENT.as_millis() as u64);
        self.redis.call(&LIBRARY, &call).await
    }

    /// Ends the turn on an offer. Returns how many lanes wait.
    pub async fn give(&self, offer: OfferNumber) -> Result<u64, PortError> {
        let mut call = self.call("firstcome_give_turn_1", offer);
        call.arg(&self.lane);
        self.redis.call(&LIBRARY, &call).await
    }

    fn call(&self, function: &str, offer: OfferNumber) -> redis::Cmd {
        let subject = format!("offer-{}", offer.0);
        let keys = ["turn", "waiting", "asking"].map(|name| self.redis.key(&subject, name));
        LIBRARY.call(function, &[&keys[0], &keys[1], &keys[2]])
    }
}
