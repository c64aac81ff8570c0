//! What a measurement costs: processor time of the server and of the generator.

use super::machine;

/// Microseconds of processor time.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Cost {
    /// Of the server; none when it cannot be known.
    pub(crate) server: Option<u64>,
    /// Of this process.
    pub(crate) generator: u64,
}

/// Begins where a measurement does, so that what was prepared for it does not count.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meter {
    server: Option<u32>,
    before: Cost,
}

impl Meter {
    /// From now on, of this server.
    pub(crate) fn start(server: Option<u32>) -> Self {
        Self { server, before: used(server) }
    }

    /// Since the beginning.
    pub(crate) fn stop(self) -> Cost {
        let now = used(self.server);
        let server = now.server.zip(self.before.server).map(|(now, before)| now.saturating_sub(before));
        Cost { server, generator: now.generator.saturating_sub(self.before.generator) }
    }
}

fn used(server: Option<u32>) -> Cost {
    Cost {
        server: server.and_then(machine::processor_time),
        generator: machine::processor_time(std::process::id()).unwrap_or(0),
    }
}
