//! A registry in memory, for several roles in one process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::ports::{Clock, Instance, PortError, Registry};
use crate::time::Time;

/// Instances with the moment until which each is listed.
pub struct MemoryRegistry {
    clock: Arc<dyn Clock>,
    expiry: Duration,
    instances: Mutex<BTreeMap<String, (Instance, Time)>>,
}

impl MemoryRegistry {
    /// A registry that forgets whoever is silent for `expiry`.
    pub fn new(clock: Arc<dyn Clock>, expiry: Duration) -> Self {
        Self { clock, expiry, instances: Mutex::default() }
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, (Instance, Time)>> {
        self.instances.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets everything, as an emptied Redis does.
    pub fn forget(&self) {
        self.locked().clear();
    }
}

#[async_trait]
impl Registry for MemoryRegistry {
    async fn announce(&self, instance: &Instance) -> Result<(), PortError> {
        let until = self.clock.now() + self.expiry;
        self.locked().insert(instance.id.clone(), (instance.clone(), until));
        Ok(())
    }

    async fn withdraw(&self, id: &str) -> Result<(), PortError> {
        self.locked().remove(id);
        Ok(())
    }

    async fn instances(&self) -> Result<Vec<Instance>, PortError> {
        let now = self.clock.now();
        let mut instances = self.locked();
        instances.retain(|_, (_, until)| *until > now);
        Ok(instances.values().map(|(instance, _)| instance.clone()).collect())
    }
}
