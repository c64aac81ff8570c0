//! A shop that runs: the real program as a process of its own, on a folder of its own.

use std::ffi::OsString;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use hyper::Method;
use tempfile::TempDir;

use crate::program::{clean, program, run};
use crate::{Api, Finished, Random, Storefront};

/// How long the program may take to be ready, on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(100);
/// How long the program may take to stop when asked to.
const STOPPED_WITHIN: Duration = Duration::from_secs(50);

/// How a shop is started.
#[derive(Debug, Clone, Default)]
pub struct ShopOptions {
    /// Whether it brings its demo catalogue.
    pub demo: bool,
    /// More arguments for `serve`.
    pub arguments: Vec<String>,
    /// More environment for `serve`.
    pub environment: Vec<(OsString, OsString)>,
}

/// A running shop. Its process is killed and its folder removed when this is dropped; if the test is failing, what the
/// program said is printed first.
#[derive(Debug)]
pub struct Shop {
    /// How it is started; may be changed between two starts.
    pub options: ShopOptions,
    folder: TempDir,
    data: String,
    address: SocketAddr,
    child: Option<Child>,
    api: Api,
}

impl Shop {
    /// Starts an empty shop and waits until it is ready.
    pub async fn start() -> Self {
        Self::start_with(ShopOptions::default()).await
    }

    /// Starts a shop and waits until it is ready.
    pub async fn start_with(options: ShopOptions) -> Self {
        let mut shop = Self::prepare(options);
        shop.start_again().await;
        shop
    }

    /// A shop that is not started yet.
    pub fn prepare(options: ShopOptions) -> Self {
        let folder = tempfile::Builder::new().prefix("firstcome-").tempdir().expect("a temporary folder");
        let data = folder.path().join("data").to_str().expect("a folder with a plain name").to_owned();
        let address = free_address();
        let api = Api::new(&format!("http://{address}"));
        Self { options, folder, data, address, child: None, api }
    }

    /// Starts the program on the same data and address as before.
    pub async fn start_again(&mut self) {
        if let Err(status) = self.try_start().await {
            panic!("the program ended at its start with {status}:\n{}", self.log());
        }
    }

    /// Starts the program; gives its exit status if it ends before it is ready.
    pub async fn try_start(&mut self) -> Result<(), ExitStatus> {
        self.spawn();
        self.wait_ready().await
    }

    /// Starts the program without waiting.
    pub fn spawn(&mut self) {
        assert!(self.child.is_none(), "the shop runs already");
        let log = || File::options().create(true).append(true).open(self.log_path()).expect("a log file");
        let mut command = Command::new(program());
        clean(&mut command).arg("serve").args(["--data", &self.data, "--listen", &self.address.to_string()]);
        if !self.options.demo {
            command.arg("--no-demo");
        }
        command.args(&self.options.arguments).env("RUST_BACKTRACE", "1");
        command.envs(self.options.environment.iter().map(|(name, value)| (name, value)));
        let child =
            command.stdin(Stdio::null()).stdout(log()).stderr(log()).spawn().expect("the program can be started");
        self.child = Some(child);
    }

    async fn wait_ready(&mut self) -> Result<(), ExitStatus> {
        let give_up = tokio::time::Instant::now() + READY_WITHIN;
        loop {
            if let Some(status) = self.ended() {
                return Err(status);
            }
            if self.api.call(Method::GET, "/readyz").send().await.is_ok_and(|answer| answer.status == 200) {
                return Ok(());
            }
            assert!(tokio::time::Instant::now() < give_up, "not ready in time:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The exit status, if the program has ended by itself.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.as_mut()?.try_wait().expect("the state of the child")?;
        self.child = None;
        Some(status)
    }

    /// Waits until the program has ended by itself.
    pub async fn wait_end(&mut self) -> ExitStatus {
        let give_up = tokio::time::Instant::now() + STOPPED_WITHIN;
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(tokio::time::Instant::now() < give_up, "the program does not end:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Asks the program to stop (SIGTERM) and waits for it.
    pub async fn stop(&mut self) -> ExitStatus {
        self.ask_to_stop();
        self.wait_end().await
    }

    /// Asks the program to stop (SIGTERM).
    pub fn ask_to_stop(&self) {
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().expect("`kill` can be run");
        assert!(sent.success(), "the program {pid} is gone");
    }

    /// Kills the program at once (SIGKILL).
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself a moment ago; either way it is gone after the wait.
            let _ = child.kill();
            child.wait().expect("a killed child can be waited for");
        }
    }

    /// The process id of the running program.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the shop runs").id()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        Path::new(&self.data)
    }

    /// A folder beside the data that goes when the shop goes.
    pub fn scratch(&self) -> &Path {
        self.folder.path()
    }

    /// What the program has said since its first start.
    pub fn log(&self) -> String {
        fs::read(self.log_path()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

impl Storefront for Shop {
    fn api(&self) -> Api {
        self.api.clone()
    }

    fn run(&self, arguments: &[&str], input: &str) -> Finished {
        run(&[arguments, &["--data", &self.data]].concat(), input)
    }
}

impl Drop for Shop {
    #[expect(clippy::print_stderr, reason = "what the program said is what explains the failure")]
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let start = log.char_indices().rev().nth(20_000).map_or(0, |(at, _)| at);
            eprintln!("--- what {} said ---\n{}", self.address, &log[start..]);
            if std::env::var_os("FIRSTCOME_KEEP").is_some() {
                self.folder.disable_cleanup(true);
                eprintln!("--- kept {}", self.folder.path().display());
            }
        }
    }
}

/// A port on which nobody listens, below those that the kernel hands out by itself: a client that tries to reach a dead
/// shop could otherwise be given the shop's own port, and then the shop cannot come back. Those from 20,000 on are given to
/// servers and clusters by the scripts.
pub fn free_address() -> SocketAddr {
    static RANDOM: LazyLock<Mutex<Random>> = LazyLock::new(|| Mutex::new(Random::new(u64::from(std::process::id()))));
    let mut random = RANDOM.lock().expect("no panic while it is locked");
    loop {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 10_000 + random.below(10_000) as u16));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
