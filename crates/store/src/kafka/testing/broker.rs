//! A Kafka that nobody else uses, started by `scripts/servers`.

use std::path::PathBuf;
use std::process::Command;

use super::options_at;
use crate::kafka::KafkaOptions;

/// A Kafka of a test's own. It ends with the value.
pub(in crate::kafka) struct Broker {
    directory: tempfile::TempDir,
    how: Option<(&'static str, &'static str)>,
    printed: String,
}

impl Broker {
    /// Starts it.
    pub(in crate::kafka) fn start() -> Self {
        Self::started(None)
    }

    /// Starts one that is made in another way, as a variable of `scripts/servers` says.
    pub(in crate::kafka) fn start_with(variable: &'static str, value: &'static str) -> Self {
        Self::started(Some((variable, value)))
    }

    fn started(how: Option<(&'static str, &'static str)>) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mut broker = Self { directory, how, printed: String::new() };
        broker.printed = broker.servers(&["up", "kafka"]);
        broker
    }

    /// Runs `scripts/servers`.
    pub(in crate::kafka) fn servers(&self, arguments: &[&str]) -> String {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../scripts/servers");
        let mut command = Command::new(script);
        command.args(arguments).env("FIRSTCOME_SERVERS", self.directory.path()).envs(self.how);
        let ran = command.output().expect("scripts/servers runs");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).expect("text")
    }

    /// The address that it printed under this name.
    pub(in crate::kafka) fn address(&self, variable: &str) -> String {
        let found = self
            .printed
            .lines()
            .find_map(|line| line.strip_prefix("export ")?.strip_prefix(variable)?.strip_prefix('='));
        found.unwrap_or_else(|| panic!("no {variable} in {}", self.printed)).to_owned()
    }

    /// Lets the process stand still, or go on.
    pub(in crate::kafka) fn signal(&self, signal: &str) {
        let running = self.servers(&["ps"]);
        let line = running.lines().find(|line| line.starts_with("kafka: runs")).expect("it runs");
        let process = line.rsplit(' ').next().expect("its process");
        let sent = Command::new("kill").args([signal, process]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// How it is reached.
    pub(in crate::kafka) fn kafka(&self) -> KafkaOptions {
        options_at(self.address("FIRSTCOME_TEST_KAFKA"))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.servers(&["down"]);
    }
}
