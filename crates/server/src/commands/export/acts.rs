//! What is known beside sales: checks with the provider, what people of the shop did, what buyers agreed to. People are named
//! by their ids alone.

use firstcome_app::accounts::ConsentEntry;
use firstcome_app::actions::Action;
use firstcome_app::letters;
use firstcome_app::payments::{Finding, Settlement};
use firstcome_core::ports::RoleName;
use firstcome_core::records::Record;

use super::books::written;
use crate::audit::every;
use crate::commands::CommandError;
use crate::place::Place;

/// Files with their names. A configuration of a cluster that leaves accounts out has no consents.
pub(super) async fn write(place: &Place) -> Result<Vec<(&'static str, Vec<u8>)>, CommandError> {
    let mut files = vec![
        ("settlements.csv", all(place, RoleName::Payments, &Settlement::COLUMNS, Settlement::row).await?),
        ("findings.csv", all(place, RoleName::Payments, &Finding::COLUMNS, Finding::row).await?),
        ("actions.csv", actions(place).await?),
    ];
    if place.has(RoleName::Accounts) {
        let consents = all(place, RoleName::Accounts, &ConsentEntry::COLUMNS, ConsentEntry::row).await?;
        files.push(("consents.csv", consents));
    }
    Ok(files)
}

async fn all<R: Record>(
    place: &Place,
    role: RoleName,
    columns: &[&str],
    row: fn(&R) -> Vec<String>,
) -> Result<Vec<u8>, CommandError> {
    let mut rows = Vec::new();
    every::<R>(&*place.records(role).await?, |record| rows.push(row(&record))).await?;
    written(columns, &rows)
}

/// Of every part of the shop, each in the order in which it was done.
async fn actions(place: &Place) -> Result<Vec<u8>, CommandError> {
    let mut rows = Vec::new();
    for role in letters::ROLES.into_iter().filter(|role| place.has(*role)) {
        let mut done = Vec::new();
        every::<Action>(&*place.records(role).await?, |action| done.push(action)).await?;
        done.sort_by_key(|action| action.seq);
        rows.extend(done.iter().map(|action| [vec![role.as_str().to_owned()], action.row()].concat()));
    }
    written(&[&["role"][..], &Action::COLUMNS].concat(), &rows)
}
