//! Waiting, by looking, for what comes by itself.

use std::fmt::{Debug, Display};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Far longer than anything takes that a shop does by itself, also on a busy machine: who waits so long has found a fault.
pub const SOON: Duration = Duration::from_mins(2);
/// How long nobody looks.
const PAUSE: Duration = Duration::from_millis(20);

/// What somebody sees who looks: what is waited for, or what there is instead.
pub trait Look {
    /// What is waited for.
    type Found;

    /// It, or what there is instead.
    fn found(self) -> Result<Self::Found, String>;
}

/// Whether it is so.
impl Look for bool {
    type Found = ();

    fn found(self) -> Result<(), String> {
        self.then_some(()).ok_or_else(|| "it is not so".to_owned())
    }
}

/// What is there, if it is.
impl<T> Look for Option<T> {
    type Found = T;

    fn found(self) -> Result<T, String> {
        self.ok_or_else(|| "it is not there".to_owned())
    }
}

impl<T, E: Debug> Look for Result<T, E> {
    type Found = T;

    fn found(self) -> Result<T, String> {
        self.map_err(|instead| format!("{instead:?}"))
    }
}

/// Looks again and again until there is what is waited for, and fails when it is not there within a time. Times are limits
/// here and nothing else: a test that passes says nothing about how long something took.
pub async fn until<L: Look>(what: impl Display, within: Duration, mut look: impl AsyncFnMut() -> L) -> L::Found {
    let give_up = Instant::now() + within;
    loop {
        match look().await.found() {
            Ok(found) => return found,
            Err(instead) => assert!(Instant::now() < give_up, "{what}: not within {within:?}: {instead}"),
        }
        sleep(PAUSE).await;
    }
}
