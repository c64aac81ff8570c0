//! What people of the shop did, against the proofs that each role's chain carries.

use firstcome_app::{actions, letters};
use firstcome_core::ports::PortError;

use super::report::Report;
use crate::place::Place;

pub(super) async fn check(place: &Place, report: &mut Report) -> Result<(), PortError> {
    let keys = place.keys().map_err(|error| PortError::Unavailable(error.to_string()))?;
    for role in letters::ROLES {
        match actions::check(&*place.records(role).await?, &keys.index).await? {
            Ok(count) => report.actions += count,
            Err(why) => report.differ(format!("actions of {}", role.as_str()), why),
        }
    }
    Ok(())
}
