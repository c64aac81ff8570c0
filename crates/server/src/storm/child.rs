//! Processes of this executable that a storm starts, and never leaves behind.
//!
//! Each is killed and waited for when its handle is dropped, and by the system when the storm itself is killed. Each is in a process group
//! of its own: Ctrl-C reaches the storm alone, which ends them in order. None sees `FIRSTCOME_...` variables, so that a storm never
//! reaches the payment provider or the data of the shop that they were set for.

use std::ffi::OsStr;
use std::process::{ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::StormError;

/// How long a process that runs to its end may take: an audit of large books takes minutes.
const RUN: Duration = Duration::from_secs(60 * 60);
/// How long a killed process may take to be gone.
const GONE: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// A process of this executable. Dropped, it is killed and gone.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) child: Child,
    name: String,
}

impl Process {
    /// Starts it; its output is piped, and its input too if wanted.
    pub(super) fn start<A: AsRef<OsStr>>(arguments: &[A], input: bool) -> Result<Self, StormError> {
        let name = arguments.iter().map(|word| word.as_ref().to_string_lossy()).collect::<Vec<_>>().join(" ");
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--ends-with").arg(std::process::id().to_string()).args(arguments).process_group(0);
        for (variable, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("FIRSTCOME_")) {
            command.env_remove(variable);
        }
        // Nobody reads e-mails to the buyers that a storm makes up.
        command.env("FIRSTCOME_MAILS_OFF", "all");
        // Its last words are shown in the midst of others.
        command.env("NO_COLOR", "1");
        command.stdin(if input { Stdio::piped() } else { Stdio::null() }).stdout(Stdio::piped()).stderr(Stdio::piped());
        match command.spawn() {
            Ok(child) => Ok(Self { child, name }),
            Err(error) => Err(StormError::Child { name, why: error.to_string() }),
        }
    }

    /// An error of this process.
    pub(super) fn error(&self, why: impl Into<String>) -> StormError {
        StormError::Child { name: self.name.clone(), why: why.into() }
    }

    /// Asks it to stop.
    pub(super) fn terminate(&self) {
        if let Some(pid) = self.child.id().and_then(|pid| Pid::from_raw(pid as i32)) {
            // It may have ended just now.
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    /// Gives it its input and waits for its end.
    async fn finish(&mut self, input: Option<&str>) -> Result<Output, StormError> {
        let (Some(mut out), Some(mut err)) = (self.child.stdout.take(), self.child.stderr.take()) else {
            return Err(self.error("its output cannot be read"));
        };
        let stdin = self.child.stdin.take();
        let write = async {
            // One that does not want its input says so by its end.
            if let (Some(mut stdin), Some(input)) = (stdin, input) {
                let _ = stdin.write_all(input.as_bytes()).await;
            }
        };
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let all = async { tokio::join!(write, out.read_to_end(&mut stdout), err.read_to_end(&mut stderr)) };
        if timeout(RUN, all).await.is_err() {
            return Err(self.error(format!("it had not ended after {} minutes", RUN.as_secs() / 60)));
        }
        let status: ExitStatus = self.child.wait().await?;
        Ok(Output { status, stdout, stderr })
    }
}

impl Drop for Process {
    /// What it worked on may be removed as soon as this returns, so it waits, for a moment, without a runtime.
    fn drop(&mut self) {
        let _ = self.child.start_kill();
        let since = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && since.elapsed() < GONE {
            std::thread::sleep(LOOK_AGAIN);
        }
    }
}

/// Runs this executable to its end.
pub(crate) async fn run<A: AsRef<OsStr>>(arguments: &[A], input: Option<&str>) -> Result<Output, StormError> {
    Process::start(arguments, input.is_some())?.finish(input).await
}

/// Runs this executable to its end and gives what it printed, or its complaint when it failed.
pub(crate) async fn printed<A: AsRef<OsStr>>(arguments: &[A], input: Option<&str>) -> Result<String, StormError> {
    let mut process = Process::start(arguments, input.is_some())?;
    let output = process.finish(input).await?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(process.error(String::from_utf8_lossy(&output.stderr).trim()))
}
