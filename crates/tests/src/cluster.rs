//! A shop whose roles run as processes of their own, on real servers: `scripts/cluster` on a folder of its own.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::program::{clean, program, run};
use crate::{Api, Finished, Storefront};

/// A running cluster, without the demo if nothing else is said. It is taken down when this is dropped; if the test is failing,
/// what its processes said last is printed first.
#[derive(Debug)]
pub struct Cluster {
    folder: Ground,
    config: String,
    address: SocketAddr,
    gateways: Vec<Api>,
    /// More environment for what is started from now on.
    pub environment: Vec<(OsString, OsString)>,
}

impl Cluster {
    /// Starts the servers and every role, and waits until all are ready. Blocks.
    pub fn up() -> Self {
        Self::start(&[], &["up"])
    }

    /// The same in another shape, as variables of `scripts/cluster` and `scripts/servers` say.
    pub fn up_with(environment: &[(&str, &str)]) -> Self {
        let environment: Vec<_> = environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self::start(&environment, &["up"])
    }

    /// The same with more environment, also for what is started later.
    pub fn up_within(environment: Vec<(OsString, OsString)>) -> Self {
        let mut cluster = Self::start(&environment, &["up"]);
        cluster.environment = environment;
        cluster
    }

    /// The same with the data of an embedded shop, which must not run.
    pub fn up_from(data: &Path) -> Self {
        Self::start(&[], &["up", "--from", data.to_str().expect("a folder with a plain name")])
    }

    fn start(environment: &[(OsString, OsString)], arguments: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("firstcome-cluster-").tempdir().expect("a temporary folder");
        let folder = Ground(folder);
        let printed = control(folder.0.path(), environment, arguments);
        let line = |name: &str| {
            let found = printed.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            found.unwrap_or_else(|| panic!("no line `{name}` in: {printed}")).to_owned()
        };
        let (gateway, config) = (line("gateway "), line("config "));
        let address = gateway.trim_start_matches("http://").parse().expect("an address");
        let gateways = printed.lines().filter_map(|line| line.strip_prefix("gateway ")).map(Api::new).collect();
        Self { folder, config, address, gateways, environment: Vec::new() }
    }

    /// Runs `scripts/cluster` with these arguments: `["stop", "orders-1"]`. Blocks until it is done.
    pub fn control(&self, arguments: &[&str]) -> String {
        control(self.data(), &self.environment, arguments)
    }

    /// The process of a server or role.
    pub fn pid(&self, name: &str) -> u32 {
        let running = self.control(&["ps"]);
        let pid = running.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        pid.unwrap_or_else(|| panic!("{name} does not run: {running}"))
    }

    /// Sends a signal (`"STOP"`) to a server or role.
    pub fn signal(&self, name: &str, signal: &str) {
        let pid = self.pid(name).to_string();
        let sent = Command::new("kill").args([&format!("-{signal}"), &pid]).status().expect("`kill` can be run");
        assert!(sent.success(), "{name} ({pid}) is gone");
    }

    /// The port of a server or role.
    pub fn port(&self, name: &str) -> u16 {
        let places = [self.data().join("servers").join(name), self.data().join(name)];
        let port = places.iter().find_map(|place| fs::read_to_string(place.join("port")).ok());
        port.and_then(|port| port.trim().parse().ok()).unwrap_or_else(|| panic!("{name} has no port"))
    }

    /// The gateway, or the first of several.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The configuration of all processes.
    pub fn config(&self) -> &Path {
        Path::new(&self.config)
    }

    /// Where everything lies.
    pub fn data(&self) -> &Path {
        self.folder.0.path()
    }

    /// What a process has said since its first start.
    pub fn log(&self, name: &str) -> String {
        fs::read(self.data().join(name).join("log"))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }
}

impl Storefront for Cluster {
    fn api(&self) -> Api {
        self.gateways.first().expect("one at least").clone()
    }

    fn doors(&self) -> Vec<Api> {
        self.gateways.clone()
    }

    fn run(&self, arguments: &[&str], input: &str) -> Finished {
        run(&[arguments, &["--config", &self.config]].concat(), input)
    }
}

impl Drop for Cluster {
    #[expect(clippy::print_stderr, reason = "what the processes said is what explains the failure")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut names: Vec<_> = fs::read_dir(self.data()).into_iter().flatten().flatten().collect();
            names.sort_by_key(fs::DirEntry::file_name);
            for entry in names {
                let name = entry.file_name().to_string_lossy().into_owned();
                let log = self.log(&name);
                let start = log.char_indices().rev().nth(4_000).map_or(0, |(at, _)| at);
                if !log.is_empty() {
                    eprintln!("--- what {name} said ---\n{}", &log[start..]);
                }
            }
        }
    }
}

/// Where a cluster lies, from before its first process on: what was started ends with it, also when the rest did not start.
#[derive(Debug)]
struct Ground(TempDir);

impl Drop for Ground {
    #[expect(clippy::print_stderr, reason = "what is left behind must be known")]
    fn drop(&mut self) {
        let down = script(self.0.path(), &[]).arg("down").output();
        if !down.is_ok_and(|done| done.status.success()) {
            eprintln!("--- the cluster in {} could not be taken down", self.0.path().display());
        }
    }
}

fn script(folder: &Path, environment: &[(OsString, OsString)]) -> Command {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut command = Command::new(project.join("scripts/cluster"));
    let kept = ["FIRSTCOME_KAFKA_LIBS"].map(|name| (name, std::env::var_os(name)));
    clean(&mut command).env("FIRSTCOME_CLUSTER", folder).env("FIRSTCOME_PROGRAM", program());
    command.env("FIRSTCOME_CLUSTER_EMPTY", "1");
    command.envs(kept.into_iter().filter_map(|(name, value)| Some((name, value?))));
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command
}

fn control(folder: &Path, environment: &[(OsString, OsString)], arguments: &[&str]) -> String {
    let done = script(folder, environment).args(arguments).output().expect("scripts/cluster can be run");
    let (out, said) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "scripts/cluster {arguments:?} failed: {out}{said}");
    out.into_owned()
}
