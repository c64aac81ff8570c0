//! `GET /admin/actions`: what people of the shop did, newest first, of one role; [`crate::letters`] puts the roles together.

use firstcome_core::ids::{ActionId, SessionId, UserId};
use firstcome_core::ports::{Records, RoleName};
use firstcome_core::records::{Comparison, Direction, Field as _, Query, Record as _, RecordsExt as _};
use firstcome_core::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Action;
use crate::http::{Items, Outcome, PageParameters, Roles, merge, named};

/// Where they are listed.
pub(crate) const PATH: &str = "/api/v1/admin/actions";

/// Which actions are asked for.
#[derive(Debug, Deserialize)]
pub(crate) struct Filters {
    pub(crate) role: Option<String>,
    user: Option<String>,
    session: Option<String>,
    action: Option<String>,
    object: Option<String>,
    from: Option<String>,
    to: Option<String>,
}

/// Something that a person of the shop did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Action)]
pub struct ActionView {
    #[schema(value_type = String, example = "act_01h455vb4pex5vsknk084sn02q")]
    action_id: ActionId,
    #[schema(value_type = String, format = DateTime)]
    at: Time,
    /// Who.
    #[schema(value_type = String, example = "usr_01h455vb4pex5vsknk084sn02q")]
    user_id: UserId,
    /// What they might do then.
    #[schema(value_type = Vec<String>, example = json!(["seller"]))]
    roles: Roles,
    /// From which device.
    #[schema(value_type = String, example = "ses_01h455vb4pex5vsknk084sn02q")]
    session_id: SessionId,
    /// What: the endpoint that was called.
    #[schema(example = "POST /admin/offers/{id}/freeze")]
    action: String,
    /// About what; null where there is nothing to name.
    #[schema(example = "ofr_01h455vb4pex5vsknk084sn02q")]
    object: Option<String>,
    /// The part of the shop that did it.
    #[schema(value_type = String, example = "catalog")]
    role: RoleName,
}

impl Filters {
    /// A page of what one role has written down.
    pub(crate) async fn page(
        &self,
        records: &dyn Records,
        role: RoleName,
        asked: &PageParameters,
    ) -> Outcome<Items<ActionView>> {
        let mut query = Query::all(Action::TABLE, asked.limit + 1).order_by("at", Direction::Descending);
        if let Some(user) = named::<UserId>("user", self.user.as_deref())? {
            query = query.is("user", user);
        }
        if let Some(session) = named::<SessionId>("session", self.session.as_deref())? {
            query = query.is("session", session);
        }
        if let Some(from) = named::<Time>("from", self.from.as_deref())? {
            query = query.filter("at", Comparison::AtLeast(from.to_value()));
        }
        if let Some(to) = named::<Time>("to", self.to.as_deref())? {
            query = query.filter("at", Comparison::Less(to.to_value()));
        }
        for (column, text) in [("action", &self.action), ("object", &self.object)] {
            if let Some(text) = text.as_ref().filter(|text| !text.is_empty()) {
                query = query.is(column, text.clone());
            }
        }
        let rows = records.list::<Action>(asked.within(query)?).await?;
        Ok(asked.page(rows, |row| (row.record.at.to_value(), row.record.key()), |row| ActionView::of(role, row.record)))
    }
}

impl ActionView {
    fn of(role: RoleName, action: Action) -> Self {
        let Action { id, at, user, roles, session, action, object, .. } = action;
        Self { action_id: id, at, user_id: user, roles, session_id: session, action, object, role }
    }

    /// One page out of the same page of each role.
    pub(crate) fn merge(pages: Vec<Items<Self>>, asked: &PageParameters) -> Items<Self> {
        merge(pages, asked, |action| (action.at, action.action_id.0))
    }
}
