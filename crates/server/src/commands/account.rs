//! `firstcome account add`.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use firstcome_app::accounts::admin::{AddAccountError, AddedAccount, Ports, add_account};
use firstcome_app::http::{AccountRole, Roles};
use firstcome_app::secrets::SystemRandom;
use firstcome_core::ports::{RoleName, SystemClock};
use secrecy::SecretString;

use super::CommandError;
use crate::cli::AccountArguments;
use crate::folder::Folder;
use crate::place::Place;

/// The accounts of the demo: role and e-mail.
pub const DEMO: [(&str, &str); 3] =
    [("seller", "seller@example.com"), ("merchant", "merchant@example.com"), ("buyer", "buyer@example.com")];
/// Their password; only ever set in development, on a folder that was empty.
pub const DEMO_PASSWORD: &str = "firstcome";
/// A file that says that the demo's accounts are there.
const DEMO_MARK: &str = "demo";

/// Adds an account, or roles to one.
pub fn run(arguments: &AccountArguments) -> Result<(), CommandError> {
    let config = arguments.data.load()?;
    let place = Place::existing(config)?;
    let roles = roles(&arguments.role)?;
    if !arguments.password_stdin {
        return Err(CommandError::Input("give the password on standard input, with --password-stdin".to_owned()));
    }
    let mut password = String::new();
    std::io::stdin().take(1_024).read_to_string(&mut password)?;
    let password = SecretString::from(password.trim_end_matches(['\r', '\n']).to_owned());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let added = runtime.block_on(async { add(&ports(&place).await?, roles, &arguments.email, &password).await })?;
    let what = if added.created { "created" } else { "changed" };
    writeln!(std::io::stdout(), "{what} {} with {}", added.user, arguments.role.join(", "))?;
    Ok(())
}

fn roles(names: &[String]) -> Result<Roles, CommandError> {
    names
        .iter()
        .map(|name| {
            name.trim().parse::<AccountRole>().map_err(|_| {
                CommandError::Input(format!("there is no role {name}; use buyer, merchant, seller or operator"))
            })
        })
        .collect()
}

/// What the accounts' functions need, also while the shop runs.
pub(super) async fn ports(place: &Place) -> Result<Ports, CommandError> {
    let (records, keys) = (place.records(RoleName::Accounts).await?, place.keys()?);
    Ok(Ports { records, clock: Arc::new(SystemClock), random: Arc::new(SystemRandom), keys })
}

async fn add(ports: &Ports, roles: Roles, email: &str, password: &SecretString) -> Result<AddedAccount, CommandError> {
    add_account(ports, roles, email, password).await.map_err(|error| match error {
        AddAccountError::Port(error) => error.into(),
        other => CommandError::Input(other.to_string()),
    })
}

/// Makes the accounts of the demo.
pub async fn demo(folder: &Folder) -> Result<(), CommandError> {
    let ports = ports(&Place::Folder(folder.clone())).await?;
    for (role, email) in DEMO {
        let roles = roles(&[role.to_owned()])?;
        add(&ports, roles, email, &SecretString::from(DEMO_PASSWORD.to_owned())).await?;
    }
    std::fs::write(folder.path().join(DEMO_MARK), "The accounts of the demo are in here.\n")?;
    Ok(())
}

/// Whether the accounts of the demo are in the folder.
pub fn is_demo(folder: &Folder) -> bool {
    folder.path().join(DEMO_MARK).is_file()
}
