//! Signs of life: what a process says of itself to the registry, from its start to its end.

use std::sync::Arc;
use std::time::Duration;

use firstcome_core::ports::{Instance, Load, Registry};
use tokio::sync::watch;

use crate::role::Worker;

/// Says what waits in this process now.
pub type Measure = Box<dyn Fn() -> Load + Send + Sync>;

/// Tells the registry that this process is alive, and when it begins to drain.
pub struct Heartbeat {
    registry: Arc<dyn Registry>,
    instance: Instance,
    every: Duration,
    load: Measure,
    draining: watch::Sender<bool>,
}

impl Heartbeat {
    /// Signs of life of an instance.
    pub fn new(registry: Arc<dyn Registry>, instance: Instance, every: Duration, load: Measure) -> Arc<Self> {
        Arc::new(Self { registry, instance, every, load, draining: watch::Sender::new(false) })
    }

    /// Says from now on, and at once, that nothing new should come.
    pub fn drain(&self) {
        self.draining.send_replace(true);
    }

    /// Keeps announcing; takes the instance out of the registry when it is stopped.
    pub fn worker(self: &Arc<Self>) -> Worker {
        let heartbeat = Arc::clone(self);
        Worker::new("heartbeat", move |stop| async move {
            stop.run_until_cancelled(heartbeat.beat()).await;
            // Without it the others would learn it when the last sign of life expires.
            let farewell = heartbeat.registry.withdraw(&heartbeat.instance.id);
            let _ = tokio::time::timeout(heartbeat.every, farewell).await;
            Ok(())
        })
    }

    async fn beat(&self) {
        let mut draining = self.draining.subscribe();
        let mut failing = false;
        loop {
            let now = *draining.borrow_and_update();
            let instance = Instance { draining: now, load: (self.load)(), ..self.instance.clone() };
            let announced = self.registry.announce(&instance).await;
            match &announced {
                Ok(()) if failing => tracing::info!("the registry takes signs of life again"),
                Err(error) if !failing => tracing::warn!(%error, "the registry takes no signs of life"),
                _ => {}
            }
            failing = announced.is_err();
            // The sender lives as long as this.
            let _ = tokio::time::timeout(self.every, draining.changed()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use firstcome_core::ports::RoleName;
    use firstcome_core::testkit::registry::check;
    use firstcome_core::testkit::{MemoryRegistry, TestClock};
    use firstcome_core::time::Time;
    use tokio_util::sync::CancellationToken;

    use super::*;

    const EXPIRY: Duration = Duration::from_secs(2);

    #[tokio::test]
    async fn a_registry_in_memory_keeps_its_contract() {
        let clock = TestClock::default();
        let memory = MemoryRegistry::new(Arc::new(clock.clone()), EXPIRY);
        let pass = async |time| {
            clock.advance(time);
        };
        check(&memory, pass, EXPIRY).await;
    }

    #[tokio::test(start_paused = true)]
    async fn from_start_to_end() {
        let memory = Arc::new(MemoryRegistry::new(Arc::new(TestClock::default()), EXPIRY));
        let roles = vec![RoleName::Orders];
        let instance = Instance {
            id: "one".into(),
            address: "one:80".into(),
            roles,
            draining: false,
            started_at: Time(1),
            load: Load::default(),
        };
        let load = Box::new(|| Load { commands: 7, ..Load::default() });
        let heartbeat = Heartbeat::new(memory.clone(), instance, Duration::from_millis(500), load);
        let stop = CancellationToken::new();
        let running = tokio::spawn(heartbeat.worker().start(stop.clone()));
        let draining = async || memory.instances().await.unwrap().first().map(|instance| instance.draining);
        let until = async |state| {
            while draining().await != state {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        until(Some(false)).await;
        assert_eq!(memory.instances().await.unwrap()[0].load.commands, 7);
        memory.forget();
        until(Some(false)).await;
        heartbeat.drain();
        until(Some(true)).await;
        stop.cancel();
        running.await.unwrap().unwrap();
        assert_eq!(draining().await, None);
    }
}
