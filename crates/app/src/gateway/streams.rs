//! Event streams last longer than the check of the caller at their beginning: they are checked as they go on.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use axum::body::Body;
use axum::http::Response;
use tokio::time::MissedTickBehavior;

use super::Gateway;
use crate::http::{Verified, end_event_stream};

/// How often a stream is checked. A log-out is effective within a second, of which a part goes by until it is known
/// here; asking costs less than waking every stream at every log-out.
const TICK: Duration = Duration::from_millis(250);

/// An answer that ends, if it is an event stream, when its caller's session is revoked, when nobody knows
/// whether it was, and when their token expires.
pub(super) fn while_allowed(response: Response<Body>, gateway: Arc<Gateway>, caller: Verified) -> Response<Body> {
    end_event_stream(response, async move {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Asked at every tick, and before every event: none comes after the log-out is known.
        poll_fn(|context| {
            while gateway.allows(&caller) {
                ready!(ticks.poll_tick(context));
            }
            Poll::Ready(())
        })
        .await;
    })
}

impl Gateway {
    fn allows(&self, caller: &Verified) -> bool {
        let holds = self.ports.clock.now() < caller.expires_at && self.knows_log_outs();
        holds && !self.ports.revocations.contains(caller.identity.session)
    }
}
