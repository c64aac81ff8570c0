//! `firstcome`: see `firstcome --help`.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use firstcome_server::cli;
use firstcome_server::commands::{self, CommandError};

// Thousands of small allocations a second from many threads: mimalloc serves them without contention.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match commands::run(cli::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error @ CommandError::Unread) => error.code(),
        Err(error) => {
            // Nothing is left to do when standard error is closed.
            let _ = writeln!(std::io::stderr(), "firstcome: {error}");
            error.code()
        }
    }
}
