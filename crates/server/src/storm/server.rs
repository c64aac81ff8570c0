//! A server of our own executable: the shop or the floor.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::time::timeout;

use super::StormError;
use super::child::Process;

/// How long it may take to stop by itself.
const STOP: Duration = Duration::from_secs(30);
/// How long the last words of a server that has ended may take to arrive.
const SPEAK: Duration = Duration::from_millis(200);
/// The longest piece of its last words that is shown.
const LAST_WORDS: usize = 2048;

/// A server. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Server {
    process: Process,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    words: Words,
    /// Open as long as it is to live.
    _stdin: Option<ChildStdin>,
}

/// The last that it said on standard error.
type Words = Rc<RefCell<Vec<u8>>>;

impl Server {
    /// Starts this executable and waits, at most for `patience`, until it has printed the address where it listens.
    pub(crate) async fn start<A: AsRef<OsStr>>(arguments: &[A], patience: Duration) -> Result<Self, StormError> {
        let mut process = Process::start(arguments, true)?;
        let stdin = process.child.stdin.take();
        let (Some(stdout), Some(stderr)) = (process.child.stdout.take(), process.child.stderr.take()) else {
            return Err(process.error("its output cannot be read"));
        };
        let words = Words::default();
        tokio::task::spawn_local(listen(stderr, words.clone()));
        let mut lines = BufReader::new(stdout).lines();
        match timeout(patience, address_in(&mut lines)).await {
            Ok(Some(address)) => {
                // Nobody reads on, so a full pipe must not stop it.
                tokio::task::spawn_local(drain(lines.into_inner()));
                Ok(Self { process, address, words, _stdin: stdin })
            }
            Ok(None) => {
                tokio::time::sleep(SPEAK).await;
                Err(process.error(format!("it ended before it listened: {}", said(&words))))
            }
            Err(_) => Err(process.error(format!("it did not say where it listens within {} s", patience.as_secs()))),
        }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.process.child.id()
    }

    /// Nothing while it runs; after its end, an error with its last words.
    pub(crate) async fn check(&mut self) -> Result<(), StormError> {
        let Ok(Some(status)) = self.process.child.try_wait() else { return Ok(()) };
        tokio::time::sleep(SPEAK).await;
        Err(self.process.error(format!("it ended with {status} before it was to: {}", said(&self.words))))
    }

    /// Asks it to stop, and makes it when it does not.
    pub(crate) async fn stop(mut self) -> Result<(), StormError> {
        self.check().await?;
        self.process.terminate();
        match timeout(STOP, self.process.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(self.process.error(format!("it ended with {status}: {}", said(&self.words)))),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(self.process.error(format!("asked to stop, it had to be killed after {} s", STOP.as_secs()))),
        }
    }
}

fn said(words: &Words) -> String {
    String::from_utf8_lossy(&words.borrow()).trim().to_owned()
}

/// Keeps the last that a server says.
async fn listen(mut from: impl AsyncRead + Unpin, words: Words) {
    let mut buffer = [0; 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let mut words = words.borrow_mut();
        words.extend_from_slice(&buffer[..count]);
        let surplus = words.len().saturating_sub(LAST_WORDS);
        words.drain(..surplus);
    }
}

async fn drain(mut from: impl AsyncRead + Unpin) {
    let _ = tokio::io::copy(&mut from, &mut tokio::io::sink()).await;
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

    #[tokio::test]
    async fn the_last_words_are_kept() {
        let (words, said_much) = (Words::default(), [vec![b'a'; 3 * LAST_WORDS], b"the end".to_vec()].concat());
        listen(&said_much[..], words.clone()).await;
        assert_eq!(words.borrow().len(), LAST_WORDS);
        assert!(said(&words).ends_with("the end"));
    }
}
