//! Processes that a storm starts, and never leaves behind.

use std::ffi::OsStr;
use std::io;
use std::net::SocketAddr;
use std::process::{Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::StormError;

/// How long a process may take to tell where it listens; a shop with full books reads them first.
const START: Duration = Duration::from_secs(120);
/// How long it may take to stop by itself.
const STOP: Duration = Duration::from_secs(30);
/// The longest piece of its last words that is shown.
const LAST_WORDS: u64 = 4096;

/// A server of our own executable. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Open as long as it is to live.
    _stdin: Option<ChildStdin>,
}

impl Server {
    /// Starts this executable and waits until it has printed the address where it listens.
    pub(crate) async fn start<A: AsRef<OsStr>>(arguments: &[A]) -> Result<Self, StormError> {
        let name = arguments.iter().map(|word| word.as_ref().to_string_lossy()).collect::<Vec<_>>().join(" ");
        let mut child = this_program(arguments)?
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| StormError::Child { name: name.clone(), why: error.to_string() })?;
        let stdin = child.stdin.take();
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(StormError::Child { name, why: "its output cannot be read".to_owned() });
        };
        let mut lines = BufReader::new(stdout).lines();
        match timeout(START, address_in(&mut lines)).await {
            Ok(Some(address)) => {
                // Nobody reads on, so a full pipe must not stop it.
                tokio::spawn(drain(lines.into_inner()));
                tokio::spawn(drain(stderr));
                Ok(Self { child, address, _stdin: stdin })
            }
            Ok(None) => {
                let mut words = String::new();
                let _ = timeout(STOP, stderr.take(LAST_WORDS).read_to_string(&mut words)).await;
                Err(StormError::Child { name, why: format!("it ended before it listened: {}", words.trim()) })
            }
            Err(_) => Err(StormError::Child { name, why: "it did not say where it listens".to_owned() }),
        }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Asks it to stop, and makes it when it does not.
    pub(crate) async fn stop(mut self) -> Result<(), StormError> {
        if let Some(pid) = self.child.id().and_then(|pid| Pid::from_raw(pid as i32)) {
            // It may have ended just now.
            let _ = kill_process(pid, Signal::TERM);
        }
        match timeout(STOP, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => {
                Err(StormError::Child { name: "serve".to_owned(), why: format!("it ended with {status}") })
            }
            Ok(Err(error)) => Err(error.into()),
            Err(_) => {
                self.child.kill().await?;
                Err(StormError::Child { name: "serve".to_owned(), why: "it had to be killed".to_owned() })
            }
        }
    }
}

/// Runs this executable to its end.
pub(crate) async fn run<A: AsRef<OsStr>>(arguments: &[A], input: Option<&str>) -> Result<Output, StormError> {
    let mut child = this_program(arguments)?
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
        stdin.write_all(input.as_bytes()).await?;
    }
    Ok(child.wait_with_output().await?)
}

/// Runs this executable to its end and gives what it printed, or its complaint when it failed.
pub(crate) async fn printed<A: AsRef<OsStr>>(arguments: &[A], input: Option<&str>) -> Result<String, StormError> {
    let output = run(arguments, input).await?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let name = arguments.iter().map(|word| word.as_ref().to_string_lossy()).collect::<Vec<_>>().join(" ");
    Err(StormError::Child { name, why: String::from_utf8_lossy(&output.stderr).trim().to_owned() })
}

fn this_program<A: AsRef<OsStr>>(arguments: &[A]) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments).kill_on_drop(true);
    Ok(command)
}

/// The first loopback address among the lines that a server prints.
async fn address_in(lines: &mut Lines<BufReader<ChildStdout>>) -> Option<SocketAddr> {
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(address) = address_of(&line) {
            return Some(address);
        }
    }
    None
}

/// The address behind the first `http://` of a line.
fn address_of(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("http://")?;
    let end = rest.find(|letter: char| !(letter.is_ascii_hexdigit() || ".:[]".contains(letter))).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

async fn drain(mut from: impl AsyncRead + Unpin) {
    let _ = tokio::io::copy(&mut from, &mut tokio::io::sink()).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_address_in_a_line() {
        let expected = Some(SocketAddr::from(([127, 0, 0, 1], 4711)));
        assert_eq!(address_of("floor http://127.0.0.1:4711"), expected);
        assert_eq!(address_of("  shop   \u{1b}[1mhttp://127.0.0.1:4711/\u{1b}[0m"), expected);
        assert_eq!(address_of("open http://[::1]:80/"), Some("[::1]:80".parse().expect("address")));
        assert_eq!(address_of("nothing here"), None);
    }
}
