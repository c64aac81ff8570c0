//! The power is cut: what was not synced is gone. A library that is preloaded into the program (`powercut/powercut.c`) holds
//! back every write until it is synced, so that killing the program is what a power cut is to a real machine.

mod disk;
mod first_start;
mod library;
mod sale;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use firstcome_tests::{Shop, ShopOptions};

/// The library, built once per run with the C compiler that building SQLite needs anyway.
static LIBRARY: LazyLock<PathBuf> = LazyLock::new(|| {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("powercut/powercut.c");
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let library = folder.join("powercut.so");
    let fresh = folder.join(format!("powercut-{}.so", std::process::id()));
    let mut compiler = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
    compiler.args(["-std=gnu11", "-O1", "-Wall", "-Wextra", "-shared", "-fPIC", "-o"]).args([&fresh, &source]);
    let output = compiler.arg("-ldl").arg("-lpthread").output().expect("a C compiler (apt-get install gcc)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Another run of the tests may be using the old one at this moment.
    fs::rename(&fresh, &library).expect("a library that can be put in its place");
    library
});

/// The environment that puts the files under `folder` on a disk that forgets. `settings` are those of `powercut.c`.
fn environment(folder: &Path, settings: &[(&str, String)]) -> Vec<(OsString, OsString)> {
    let fixed = [("LD_PRELOAD", LIBRARY.as_os_str()), ("POWERCUT_DIR", folder.as_os_str())];
    let fixed = fixed.iter().map(|(name, value)| (OsString::from(name), value.to_os_string()));
    fixed.chain(settings.iter().map(|(name, value)| (name.into(), value.into()))).collect()
}

/// After a cut: SQLite's shared memory was only ever in memory.
fn forget_shared_memory(folder: &Path) {
    for entry in fs::read_dir(folder).expect("the data folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            forget_shared_memory(&entry);
        } else if entry.to_string_lossy().ends_with("-shm") {
            fs::remove_file(&entry).expect("a file that can be removed");
        }
    }
}

/// The next start of this shop is on a disk that forgets.
fn put_on_forgetful_disk(shop: &mut Shop, settings: &[(&str, String)]) {
    shop.options = ShopOptions { environment: environment(shop.data(), settings), ..shop.options.clone() };
}

/// The next start of this shop is on a disk like any other.
fn put_on_good_disk(shop: &mut Shop) {
    shop.options.environment.clear();
}

/// Cuts the power.
fn cut(shop: &mut Shop) {
    shop.kill();
    forget_shared_memory(shop.data());
}
