//! What the shop may ask about its buyers: where a parcel goes, and whose an e-mail address is. Both are written down as
//! what people of the shop do ([`crate::actions`]), and neither puts personal data into an address line.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use firstcome_core::ids::{AddressId, UserId};
use firstcome_core::records::{RecordsExt as _, Unit};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Accounts;
use super::people::{EmailAddress, find};
use super::records::Address;
use crate::actions::about;
use crate::http::{Body, Operator, Outcome, Path, Problem};

/// Where the parcels of an order go.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ParcelAddress)]
pub(super) struct Label {
    /// Who receives them.
    #[schema(example = "김하나")]
    name: String,
    /// For the carrier, if the account had one.
    #[schema(example = "010-1234-5678")]
    phone: Option<String>,
    /// Street, town, code.
    #[schema(example = "서울특별시 중구 세종대로 110")]
    address: String,
}

/// An address of an account, as it was when an order was placed: a changed address is another one.
/// `GET /admin/orders/{id}/address` leads here.
#[utoipa::path(
    get, path = "/api/v1/admin/addresses/{id}", tag = "admin",
    params(("id" = String, Path, example = "adr_01h455vb4pex5vsknk084sn02q")),
    responses(
        (status = 200, body = Label),
        (status = 404, description = "`not_found`: no such address, or its account was deleted"),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn address(
    State(accounts): State<Arc<Accounts>>,
    _: Operator,
    Path(id): Path<String>,
) -> Outcome<Json<Label>> {
    let id: AddressId = id.parse().map_err(|_| Problem::not_found())?;
    let address = accounts.ports.records.load::<Address>(id).await?.ok_or_else(Problem::not_found)?;
    let (name, phone, address) = address.record.label(&accounts.ports.keys)?;
    Ok(Json(Label { name, phone, address }))
}

/// Whom the shop looks for.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FindUser)]
pub(super) struct Request {
    /// The whole address; parts of one find nobody.
    #[garde(skip)]
    #[schema(value_type = String, example = "kim@example.com")]
    email: EmailAddress,
}

/// Whose an e-mail address is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FoundUser)]
pub(super) struct Found {
    /// For `GET /admin/orders?user=`.
    #[schema(value_type = String, example = "usr_01h455vb4pex5vsknk084sn02q")]
    user_id: UserId,
}

/// Finds the account of an e-mail address by the keyed hash of it.
#[utoipa::path(
    post, path = "/api/v1/admin/users/find", tag = "admin", request_body = Request,
    responses(
        (status = 200, body = Found),
        (status = 404, description = "`not_found`: no account has this address"),
        (status = 422, description = "`invalid_body`"),
    ),
    security(("bearer" = [])),
)]
pub(super) async fn find_user(
    State(accounts): State<Arc<Accounts>>,
    _: Operator,
    body: Body<Request>,
) -> Outcome<Json<Found>> {
    let index = body.value.email.index(&accounts.ports.keys.index);
    let records = accounts.ports.records.as_ref();
    let Some(user) = find(records, index).await? else {
        // What is refused is not written down, but that nobody has an address is an answer too: the commit is the action.
        records.commit(Unit::new()).await?;
        return Err(Problem::not_found());
    };
    about(user.record.id);
    Ok(Json(Found { user_id: user.record.id }))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use axum::middleware::from_fn_with_state;
    use firstcome_core::ids::SessionId;
    use firstcome_core::ports::RoleName;
    use firstcome_core::records::{Query, Record as _};
    use prometheus_client::registry::Registry;
    use serde_json::json;
    use tower::ServiceExt as _;

    use super::*;
    use crate::accounts::testing::TestApp;
    use crate::accounts::{Options, Ports};
    use crate::actions::{Action, Actions, witness};
    use crate::http::{AccountRole, Identity, Roles};
    use crate::secrets::SystemRandom;

    const KIM: &str = "kim@example.com";

    #[tokio::test]
    async fn an_account_is_found_by_its_whole_address_and_by_the_shop_alone() {
        let app = TestApp::new().await;
        app.sign_up(KIM).await;
        let buyer = app.log_in(KIM).await.access;
        let seller = app.token_of_staff(AccountRole::Seller);
        let me = app.get("/api/v1/me", Some(&buyer)).await.body["user_id"].clone();
        let find = async |token: &str, email: &str| {
            app.post("/api/v1/admin/users/find", Some(token), &json!({ "email": email })).await
        };
        let found = find(&seller, "Kim@Example.com").await;
        assert_eq!((found.status, &found.body["user_id"]), (200, &me));
        find(&seller, "ki@example.com").await.is_problem(404, "not_found");
        find(&seller, "kim").await.is_problem(422, "invalid_body");
        find(&buyer, KIM).await.is_problem(403, "forbidden");
    }

    #[tokio::test]
    async fn an_address_stays_what_it_was_when_it_was_ordered_and_goes_with_the_account() {
        let app = TestApp::new().await;
        app.sign_up(KIM).await;
        let buyer = app.log_in(KIM).await.access;
        let seller = app.token_of_staff(AccountRole::Operator);
        let mut ids = Vec::new();
        for street in ["1 Old Street", "2 New Street"] {
            app.send("PATCH", "/api/v1/me", Some(&buyer), &json!({ "address": street }).to_string()).await;
            ids.push(app.address_of_last_event());
        }
        let read = async |token: &str, id: &str| app.get(&format!("/api/v1/admin/addresses/{id}"), Some(token)).await;
        for (id, street) in ids.iter().zip(["1 Old Street", "2 New Street"]) {
            let label = read(&seller, id).await;
            assert_eq!((label.status, label.body["address"].as_str()), (200, Some(street)), "{}", label.text);
        }
        read(&buyer, &ids[0]).await.is_problem(403, "forbidden");
        read(&seller, "adr_00000000000000000000000000").await.is_problem(404, "not_found");
        assert_eq!(app.delete("/api/v1/me", Some(&buyer)).await.status, 204);
        read(&seller, &ids[1]).await.is_problem(404, "not_found");
    }

    #[tokio::test]
    async fn who_looked_for_whom_is_written_down_also_when_it_was_nobody() {
        let app = TestApp::new().await;
        app.sign_up(KIM).await;
        let clock = Arc::new(app.clock.clone());
        let actions =
            Actions::over(RoleName::Accounts, app.records.clone(), clock, Arc::new(SystemRandom), app.keys.clone());
        let ports = Ports { records: actions.clone(), ..app.accounts().ports.clone() };
        let accounts = Accounts::new(Options::default(), ports, &mut Registry::default());
        let router = crate::accounts::routes().with_state(accounts).split_for_parts().0;
        let router = router.layer(from_fn_with_state(Some(actions), witness));
        let roles = Roles::default().with(AccountRole::Seller);
        let seller = Identity { user: UserId([7; 16]), session: SessionId([7; 16]), roles, unlimited: false };
        for (email, status) in [(KIM, 200), ("nobody@example.com", 404), ("nobody", 422)] {
            let request = Request::post("/api/v1/admin/users/find")
                .header("content-type", "application/json")
                .extension(seller)
                .body(axum::body::Body::from(json!({ "email": email }).to_string()))
                .unwrap();
            assert_eq!(router.clone().oneshot(request).await.unwrap().status(), status);
        }
        let written = app.records.list::<Action>(Query::all(Action::TABLE, 10)).await.unwrap();
        let mut about: Vec<_> = written.iter().map(|action| action.record.object.is_some()).collect();
        about.sort_unstable();
        assert_eq!(about, [false, true]);
        assert!(written.iter().all(|action| action.record.action == "POST /admin/users/find"));
    }
}
