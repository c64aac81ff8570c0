//! Functions that run inside Redis: loaded by the program, and named after their version, so that an old and a new
//! program can use the same Redis while one replaces the other.

use firstcome_core::ports::PortError;
use redis::Cmd;

use super::Redis;

/// A library of functions (<https://redis.io/docs/latest/develop/programmability/functions-intro/>).
pub struct Library {
    /// Its source; the first line names it.
    pub source: &'static str,
}

impl Library {
    /// Loads the library on every master. Loading the same again changes nothing.
    pub(super) async fn load(&self, redis: &Redis) -> Result<(), PortError> {
        let mut load = redis::cmd("FUNCTION");
        load.arg("LOAD").arg("REPLACE").arg(self.source);
        redis.query::<redis::Value>(&load).await.map(|_| ())
    }

    /// A call of one of its functions. All keys must have the same hash tag.
    pub fn call(&self, function: &str, keys: &[&str]) -> Cmd {
        let mut call = redis::cmd("FCALL");
        call.arg(function).arg(keys.len()).arg(keys);
        call
    }
}
