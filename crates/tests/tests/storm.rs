//! A storm leaves nothing behind, however it ends.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use firstcome_tests::program;

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Begins a rehearsal in a folder of its own, and returns when its shop is there.
fn begin(folder: &Path) -> Child {
    let storm = Command::new(program())
        .args(["storm", "mixed", "--stock", "20"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program can be started");
    let begun = Instant::now();
    while !children(storm.id()).iter().any(|line| line.contains(" serve ")) {
        assert!(begun.elapsed() < PATIENCE, "the storm has no shop: {:?}", children(storm.id()));
        std::thread::sleep(Duration::from_millis(5));
    }
    storm
}

/// The command lines of the processes that a storm has started.
fn children(storm: u32) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").expect("Linux");
    let lines = processes.flatten().filter_map(|process| std::fs::read_to_string(process.path().join("cmdline")).ok());
    let lines = lines.map(|line| line.replace('\0', " "));
    lines.filter(|line| line.contains(&format!(" --ends-with {storm} "))).collect()
}

fn no_child_is_left(storm: u32) {
    let begun = Instant::now();
    while !children(storm).is_empty() {
        assert!(begun.elapsed() < PATIENCE, "left behind: {:?}", children(storm));
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn ctrl_c_ends_a_storm_with_its_shop_and_its_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let storm = begin(folder.path());
    let pid = storm.id();
    let told = Command::new("kill").args(["-INT", &pid.to_string()]).status().expect("kill");
    assert!(told.success());
    let output = storm.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    no_child_is_left(pid);
    let left: Vec<_> = std::fs::read_dir(folder.path().join("target")).expect("there").flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_storm_that_is_killed_takes_its_shop_along() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut storm = begin(folder.path());
    storm.kill().expect("SIGKILL");
    storm.wait().expect("it ends");
    no_child_is_left(storm.id());
}
