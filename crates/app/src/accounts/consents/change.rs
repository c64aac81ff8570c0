//! `PUT /me/consents`: the caller agrees, or takes it back.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::UserId;
use firstcome_core::ports::Committed;
use firstcome_core::records::{Comparison, Field as _, Query, Record as _};

use super::super::Accounts;
use super::show::ConsentsView;
use super::{ConsentEntry, ConsentState, ConsentWay, ConsentsGiven};
use crate::http::{Body, Buyer, Outcome, Problem};

/// Entries of a person in a day after which nothing more is given: the history is kept for ever.
const PER_DAY: u32 = 50;
const DAY: Duration = Duration::from_hours(24);

/// Agrees to what is named, or takes advertising back.
///
/// What is left out stays. Terms and privacy are agreed to in the version that holds now; to take them back, delete the account.
/// What becomes of advertising is told by e-mail.
#[utoipa::path(
    put, path = "/api/v1/me/consents", tag = "accounts", security(("bearer" = [])),
    request_body = ConsentsGiven,
    responses(
        (status = 200, description = "How it is now", body = ConsentsView),
        (status = 401, description = "`unauthenticated`"),
        (status = 422, description = "`invalid_body`: also a version that does not hold now"),
        (status = 429, description = "`rate_limited`: it was changed very often today; to take something back is still possible"),
    )
)]
pub(super) async fn put(
    State(accounts): State<Arc<Accounts>>,
    Buyer(caller): Buyer,
    Body { value, .. }: Body<ConsentsGiven>,
) -> Outcome<Json<ConsentsView>> {
    let versions = &accounts.options.consents;
    accounts.user(caller.user).await?;
    loop {
        let known = accounts.consents(caller.user).await?;
        let before = known.as_ref().map_or_else(|| ConsentState::none(caller.user), |stored| stored.record.clone());
        value.check(versions, before.is_advertised)?;
        let after = value.applied(before.clone(), versions);
        if after == before {
            break;
        }
        if after.gives_more_than(&before) {
            accounts.may_give_again(caller.user).await?;
        }
        if accounts.change_consents(known, &after, ConsentWay::Account).await? == Committed::Done {
            break;
        }
    }
    Ok(Json(accounts.show_consents(caller.user).await?))
}

impl Accounts {
    /// Refuses what would let the history grow for ever; to take something back is always possible.
    async fn may_give_again(&self, owner: UserId) -> Outcome<()> {
        let since = Comparison::AtLeast((self.ports.clock.now() - DAY).to_value());
        let today = Query::all(ConsentEntry::TABLE, PER_DAY).is("owner", owner).filter("at", since);
        if self.ports.records.select(today).await?.len() < PER_DAY as usize {
            return Ok(());
        }
        let detail = "It was changed very often today; to take something back is still possible";
        Err(Problem::new(ErrorCode::RateLimited).detail(detail).retry_after(DAY.as_secs()))
    }
}
