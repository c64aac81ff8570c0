//! What people of the shop did, against the proofs that each role's chain carries.

use firstcome_app::actions::{self, Prover};
use firstcome_app::letters;
use firstcome_core::ports::PortError;

use super::report::Report;
use crate::place::Place;

pub(super) async fn check(place: &Place, report: &mut Report) -> Result<(), PortError> {
    let keys = place.keys().map_err(|error| PortError::Unavailable(error.to_string()))?;
    for role in letters::ROLES.into_iter().filter(|role| place.has(*role)) {
        let prover = Prover { role, index: &keys.index };
        match actions::check(&*place.records(role).await?, &prover).await? {
            Ok(count) => report.actions += count,
            Err(why) => report.differ(format!("actions of {}", role.as_str()), why),
        }
    }
    Ok(())
}
