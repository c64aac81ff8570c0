//! The commands, one file each.

pub mod account;
pub mod audit;
pub mod config;
pub mod doctor;
pub mod export;
pub mod import;
pub mod keys;
pub mod migrate;
#[cfg(feature = "cluster")]
pub mod moving;
pub mod serve;
pub mod tokens;

use std::process::ExitCode;

use crate::cli::{AccountCommand, Cli, Command, DevCommand, KeysCommand, ServeArguments};
use crate::config::ConfigError;
use crate::folder::FolderError;
use crate::lifecycle;
use crate::storm::{self, StormError, Verdict};
use crate::wire::StartError;

/// The catalogue in a folder that was exported.
const CATALOGUE: &str = "catalogue.json";
/// The folder of pictures beside a catalogue.
const IMAGES: &str = "images";

/// Why a command did not do its work. Each kind has an exit code of its own, for scripts.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The command line or the configuration is wrong: exit code 2.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// What was given cannot be taken: exit code 2.
    #[error("{0}")]
    Input(String),
    /// The data folder cannot be used: exit code 3.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The shop could not start: exit code 3.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Something broke while it ran: exit code 4.
    #[error("{0}")]
    Broken(String),
    /// Nobody reads what it prints any more, as after `| head`: exit code 141, as a shell says it, and no message.
    #[error("nobody reads what it prints")]
    Unread,
    /// A check did not pass; what it found is printed: exit code 1.
    #[error("the check did not pass")]
    Disagrees,
    /// The storm could not be brought to its end: exit code 4, 2 for a command line that makes no sense, 130 after Ctrl-C.
    #[error(transparent)]
    Storm(#[from] StormError),
}

impl CommandError {
    /// The exit code.
    pub fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Disagrees => 1,
            Self::Config(_) | Self::Input(_) | Self::Storm(StormError::Usage(_)) => 2,
            Self::Folder(_) | Self::Start(_) => 3,
            // As a shell says it of what ended by Ctrl-C.
            Self::Storm(StormError::Interrupted) => 130,
            Self::Unread => 141,
            Self::Broken(_) | Self::Storm(_) => 4,
        })
    }
}

impl From<std::io::Error> for CommandError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::Unread,
            _ => Self::Broken(error.to_string()),
        }
    }
}

impl From<firstcome_core::ports::PortError> for CommandError {
    fn from(error: firstcome_core::ports::PortError) -> Self {
        Self::Broken(error.to_string())
    }
}

/// Runs what the command line says. Options of the shop that stand before a command, which has its own, are refused: it would
/// look into another folder than the one that is named.
pub fn run(cli: Cli) -> Result<(), CommandError> {
    if let Some(parent) = cli.ends_with {
        lifecycle::end_with(parent)?;
    }
    if cli.command.is_some() && cli.serve != ServeArguments::default() {
        let why = "options stand behind the command, as in `firstcome audit --data DIR`; none may stand before it";
        return Err(CommandError::Input(why.to_owned()));
    }
    match cli.command {
        None => serve::run(&cli.serve),
        Some(Command::Serve(arguments)) => serve::run(&arguments),
        Some(Command::Import(arguments)) => import::run(&arguments),
        Some(Command::Export(arguments)) => export::run(&arguments),
        Some(Command::Account(AccountCommand::Add(arguments))) => account::run(&arguments),
        Some(Command::Dev(DevCommand::Tokens(arguments))) => tokens::run(&arguments),
        Some(Command::Keys(KeysCommand::Rotate(arguments))) => keys::rotate(&arguments),
        Some(Command::Keys(KeysCommand::Status(arguments))) => keys::status(&arguments),
        Some(Command::Audit(arguments)) => audit::run(&arguments),
        Some(Command::Config(arguments)) => config::run(&arguments),
        #[cfg(feature = "cluster")]
        Some(Command::Move(arguments)) => moving::run(&arguments),
        Some(Command::Migrate(arguments)) => migrate::run(&arguments),
        Some(Command::Doctor(arguments)) => doctor::run(&arguments),
        Some(Command::Storm(arguments)) => match storm::run(arguments.try_into()?)? {
            Verdict::Passed => Ok(()),
            Verdict::Failed => Err(CommandError::Disagrees),
        },
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn options_before_a_command_are_not_forgotten() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().to_str().expect("a plain path");
        for command in ["audit", "export", "config", "serve", "migrate", "keys status"] {
            let words = ["firstcome", "--data", data].into_iter().chain(command.split(' '));
            let words = words.chain((command == "export").then_some("nowhere.csv"));
            let refused = run(Cli::try_parse_from(words).expect("parsed"));
            assert!(
                matches!(&refused, Err(CommandError::Input(why)) if why.contains("--data")),
                "{command} {refused:?}"
            );
        }
        let listed = Cli::try_parse_from(["firstcome", "config", "--data", data]).expect("parsed");
        assert!(matches!(&listed.command, Some(Command::Config(_))) && listed.serve == ServeArguments::default());
    }
}
