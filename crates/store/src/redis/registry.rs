//! The registry on Redis: signs of life that expire (see `registry.lua`).

use std::time::Duration;

use async_trait::async_trait;
use firstcome_core::ports::{Instance, PortError, Registry};

use super::{Library, Redis};

const LIBRARY: Library = Library { source: include_str!("registry.lua") };

/// The instances of one shop.
#[derive(Clone)]
pub struct RedisRegistry {
    redis: Redis,
    expiry: Duration,
}

impl RedisRegistry {
    /// A registry that forgets whoever is silent for `expiry`.
    pub fn new(redis: Redis, expiry: Duration) -> Self {
        Self { redis, expiry }
    }

    /// Loads the functions.
    pub(super) async fn prepare(&self) -> Result<(), PortError> {
        LIBRARY.load(&self.redis).await
    }

    fn call(&self, function: &str) -> redis::Cmd {
        let keys = ["until", "instances"].map(|name| self.redis.key("registry", name));
        LIBRARY.call(function, &[&keys[0], &keys[1]])
    }
}

#[async_trait]
impl Registry for RedisRegistry {
    async fn announce(&self, instance: &Instance) -> Result<(), PortError> {
        let text = serde_json::to_string(instance).map_err(|error| PortError::Misused(error.to_string()))?;
        let mut call = self.call("firstcome_announce_1");
        call.arg(&instance.id).arg(text).arg(self.expiry.as_millis() as u64);
        self.redis.call::<redis::Value>(&LIBRARY, &call).await.map(|_| ())
    }

    async fn withdraw(&self, id: &str) -> Result<(), PortError> {
        let mut call = self.call("firstcome_withdraw_1");
        call.arg(id);
        self.redis.call::<redis::Value>(&LIBRARY, &call).await.map(|_| ())
    }

    async fn instances(&self) -> Result<Vec<Instance>, PortError> {
        let texts: Vec<String> = self.redis.call(&LIBRARY, &self.call("firstcome_instances_1")).await?;
        // A newer program may say it in another way: who cannot be read is not there for this one.
        let mut instances: Vec<Instance> = texts.iter().filter_map(|text| serde_json::from_str(text).ok()).collect();
        instances.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(instances)
    }
}
