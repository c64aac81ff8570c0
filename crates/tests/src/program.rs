//! Where the program is, and running one of its commands.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The program under test: `FIRSTCOME_PROGRAM`, or `firstcome` in the folder that cargo built this test into.
pub fn program() -> PathBuf {
    if let Some(path) = std::env::var_os("FIRSTCOME_PROGRAM") {
        return path.into();
    }
    let this = std::env::current_exe().expect("the path of the running test");
    let profile = this.parent().and_then(Path::parent).expect("target/<profile>/deps/<test>");
    let path = profile.join("firstcome");
    assert!(path.exists(), "{} is not there: build it first with `cargo build -p firstcome-server`", path.display());
    path
}

/// How a command ended.
#[derive(Debug)]
pub struct Finished {
    /// The exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub out: String,
    /// What it complained about.
    pub err: String,
}

impl Finished {
    /// Its output, if it ended well.
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "the command failed: {}{}", self.out, self.err);
        self.out
    }

    /// Everything it said.
    pub fn said(&self) -> String {
        format!("{}{}", self.out, self.err)
    }
}

/// Runs the program with `arguments` to its end, giving it `input`.
pub fn run(arguments: &[&str], input: &str) -> Finished {
    run_with(arguments, &[], input)
}

/// The same with more environment.
pub fn run_with(arguments: &[&str], environment: &[(&str, &str)], input: &str) -> Finished {
    let mut child = clean(&mut Command::new(program()))
        .args(arguments)
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program can be started");
    // A command that reads no input may have closed it already.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("the program ends");
    Finished {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Takes settings of whoever runs the tests out of the environment.
pub(crate) fn clean(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("FIRSTCOME_") {
            command.env_remove(name);
        }
    }
    command
}
