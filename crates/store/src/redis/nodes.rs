//! A real Redis Cluster of three masters, for tests.

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long it may take to come together.
const PATIENCE: Duration = Duration::from_secs(60);

/// Three masters that share the slots. They end when this is dropped.
pub(super) struct Nodes {
    processes: Vec<Child>,
    ports: Vec<u16>,
    folder: TempDir,
}

impl Nodes {
    /// Starts them and waits until every slot is served. Blocks.
    pub(super) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut nodes = Self { processes: Vec::new(), ports: Vec::new(), folder };
        for number in 0..3 {
            nodes.launch(number);
        }
        let since = Instant::now();
        let addresses: Vec<String> = nodes.ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        while !nodes.ports.iter().all(|port| nodes.cli(*port, &["ping"]).contains("PONG")) {
            assert!(since.elapsed() < PATIENCE, "the nodes do not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        let create: Vec<&str> =
            ["--cluster", "create"].into_iter().chain(addresses.iter().map(String::as_str)).collect();
        let created =
            Command::new("redis-cli").args(create).arg("--cluster-yes").output().expect("redis-cli can be run");
        assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stdout));
        while !nodes.ports.iter().all(|port| nodes.cli(*port, &["cluster", "info"]).contains("cluster_state:ok")) {
            assert!(since.elapsed() < PATIENCE, "the nodes do not come together");
            std::thread::sleep(Duration::from_millis(50));
        }
        nodes
    }

    /// The addresses.
    pub(super) fn urls(&self) -> Vec<String> {
        self.ports.iter().map(|port| format!("redis://127.0.0.1:{port}")).collect()
    }

    fn launch(&mut self, number: usize) {
        let home = self.folder.path().join(number.to_string());
        std::fs::create_dir(&home).expect("a folder");
        let port = free_port();
        let process = Command::new("redis-server")
            .args([
                "--port",
                &port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--cluster-enabled",
                "yes",
                "--dir",
            ])
            .arg(&home)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server can be run");
        self.processes.push(process);
        self.ports.push(port);
    }

    fn cli(&self, port: u16, command: &[&str]) -> String {
        let done = Command::new("redis-cli").args(["-p", &port.to_string()]).args(command).output();
        done.map(|done| String::from_utf8_lossy(&done.stdout).into_owned()).unwrap_or_default()
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        for process in &mut self.processes {
            // It may have ended by itself; either way it is gone after the wait.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// A port whose bus, 10,000 above it, is free too.
fn free_port() -> u16 {
    loop {
        let low = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = low.local_addr().expect("its address").port();
        let bus = port.checked_add(10_000).filter(|bus| TcpListener::bind((Ipv4Addr::LOCALHOST, *bus)).is_ok());
        if bus.is_some() {
            return port;
        }
    }
}
