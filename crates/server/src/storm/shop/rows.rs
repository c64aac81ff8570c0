//! What a shop still does behind its answers.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Shop;
use crate::storm::client::{Connection, request};
use crate::storm::{StormError, machine};

const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// Looks in a row at which no row may be missing.
const LOOKS: u32 = 5;
/// How long order rows may take to be written after the last answer.
const ROWS: Duration = Duration::from_secs(120);
/// How long a shop is watched to see whether it works, how often, and the share of a core that counts as nothing.
const WATCH: Duration = Duration::from_millis(500);
const WATCHES: u32 = 3;
const NOTHING: f64 = 0.03;

impl Shop {
    /// Waits until every order has its row and gives the moment when that was first seen; none when the shop does not tell.
    pub(crate) async fn rows_written(&self) -> Result<Option<Instant>, StormError> {
        let mut connection = Connection::new(self.address);
        let start = Instant::now();
        let mut seen = None;
        let mut looks = 0;
        loop {
            request::get(connection.request(), self.address, "/metrics", None);
            let response = connection.send().await?;
            match lag(response.body) {
                None => return Ok(None),
                Some(0) => {
                    seen.get_or_insert_with(Instant::now);
                    looks += 1;
                }
                Some(lag) if start.elapsed() > ROWS => {
                    return Err(StormError::Shop(format!("{lag} orders have no row after {} s", ROWS.as_secs())));
                }
                Some(_) => (seen, looks) = (None, 0),
            }
            // Entries that nobody has begun to look at are not in the lag yet: it must stay at nothing for a while.
            if looks == LOOKS {
                return Ok(seen);
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Waits until the shop has nothing more to do for itself, at most for `patience`; false when it still has.
    pub(crate) async fn quiet(&self, patience: Duration) -> bool {
        let used = || self.pid().and_then(machine::processor_time);
        let end = Instant::now() + patience;
        let mut watches = 0;
        while watches < WATCHES {
            let Some(before) = used() else { return true };
            sleep(WATCH).await;
            let share = used().map_or(0.0, |after| after.saturating_sub(before) as f64 / WATCH.as_micros() as f64);
            watches = if share < NOTHING { watches + 1 } else { 0 };
            if watches < WATCHES && Instant::now() > end {
                return false;
            }
        }
        true
    }
}

/// Journal entries without their rows yet, from the metrics' text.
fn lag(metrics: &[u8]) -> Option<u64> {
    const NAME: &str = "firstcome_orders_projection_lag_entries";
    let text = std::str::from_utf8(metrics).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(NAME))?;
    value.split_whitespace().last()?.parse::<f64>().ok().map(|lag| lag.max(0.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_lag_from_metrics() {
        let text =
            "# HELP firstcome_orders_projection_lag_entries x\nfirstcome_orders_projection_lag_entries 12\n# EOF\n";
        assert_eq!(lag(text.as_bytes()), Some(12));
        assert_eq!(lag(b"other 1\n"), None);
    }
}
