//! Rate limits on Redis (see `limits.lua`).

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use async_trait::async_trait;
use firstcome_core::ports::{PortError, SharedLimits, Taken};

use super::{Library, Redis};

const LIBRARY: Library = Library { source: include_str!("limits.lua") };

/// Buckets are spread over so many hash tags, and so over the nodes of a Redis Cluster; those of one go in one call.
const SHARDS: u64 = 16;
/// Buckets in one call: a function stops everyone else as long as it runs.
const BATCH: usize = 256;

/// The buckets of one shop.
#[derive(Clone)]
pub struct RedisLimits(pub Redis);

impl RedisLimits {
    async fn take_some(&self, shard: u64, some: &[&Taken]) -> Result<Vec<Duration>, PortError> {
        let subject = format!("limits-{shard}");
        let keys: Vec<String> = some.iter().map(|taken| self.0.key(&subject, &taken.key)).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let mut call = LIBRARY.call("firstcome_take_tokens_1", &keys);
        for taken in some {
            call.arg(taken.tokens).arg(1_000_000 / taken.per_second.max(1)).arg(taken.burst.max(1));
        }
        let waits: Vec<u64> = self.0.call(&LIBRARY, &call).await?;
        Ok(waits.into_iter().map(Duration::from_micros).collect())
    }
}

#[async_trait]
impl SharedLimits for RedisLimits {
    async fn take(&self, taken: &[Taken]) -> Result<Vec<Duration>, PortError> {
        let mut shards: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for (place, one) in taken.iter().enumerate() {
            shards.entry(shard(&one.key)).or_default().push(place);
        }
        let mut waits = vec![Duration::ZERO; taken.len()];
        for (shard, places) in shards {
            for places in places.chunks(BATCH) {
                let some: Vec<&Taken> = places.iter().map(|place| &taken[*place]).collect();
                for (place, wait) in places.iter().zip(self.take_some(shard, &some).await?) {
                    waits[*place] = wait;
                }
            }
        }
        Ok(waits)
    }
}

/// Without a key of its own the hasher gives every process the same.
fn shard(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish() % SHARDS
}
