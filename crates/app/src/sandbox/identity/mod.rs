//! A provider of identity checks beside the payments: what PortOne's API says of a check, a page on which a person passes or fails
//! one, and the same for tools and tests.
//!
//! Who somebody is here is whatever name they give: the same name is the same person at every check.

mod api;
mod page;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use firstcome_core::ids::digest_parts;
use firstcome_core::ports::PortError;
use firstcome_core::records::{RecordsExt as _, Stored, Unit};
use firstcome_core::time::Time;
use firstcome_core::{record, text_enum};

use super::Sandbox;

text_enum! {
    /// The state of a check, in the provider's words.
    pub(super) enum CheckStatus {
        /// It is who they say.
        Verified = "VERIFIED",
        /// The person did not pass.
        Failed = "FAILED",
    }
}

record! {
    /// A check that a person has ended.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct SandboxIdentity in "sandbox_identities" {
        /// As the shop named it.
        pub(super) id: String,
        pub(super) status: CheckStatus,
        /// The connecting information of somebody who passed.
        pub(super) ci: Option<String>,
        pub(super) at: Time,
    }
    indexes []
}

/// Where it is mounted.
pub const PREFIX: &str = "/sandbox/identity";
/// Characters of what a shop names a check, and of a person's name.
const MAX_TEXT: usize = 100;

/// Its routes, under [`PREFIX`].
pub(super) fn router(sandbox: Arc<Sandbox>) -> Router {
    let routes = Router::new()
        .route("/identity-verifications/{id}", get(api::lookup))
        .route("/test/verifications", post(api::pass))
        .route("/check", get(page::show))
        .route("/check/{decision}", post(page::decide))
        .with_state(sandbox);
    Router::new().nest(PREFIX, routes)
}

/// Whether it can be a check's name: it becomes a part of a path.
fn is_id(text: &str) -> bool {
    (1..=MAX_TEXT).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

fn is_name(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= MAX_TEXT
}

/// The connecting information of a person: 88 characters, as the real one has.
fn ci_of(name: &str) -> String {
    use base64::Engine as _;
    let half = |part: &str| digest_parts(part, &[name.trim().as_bytes()]);
    base64::engine::general_purpose::STANDARD.encode([half("sandbox person"), half("sandbox person again")].concat())
}

impl Sandbox {
    /// A person ends a check: with their name they have passed. The first end counts.
    async fn end_check(&self, id: &str, name: Option<&str>) -> Result<(), PortError> {
        let status = if name.is_some() { CheckStatus::Verified } else { CheckStatus::Failed };
        let ended = SandboxIdentity { id: id.to_owned(), status, ci: name.map(ci_of), at: self.clock.now() };
        self.store.records().commit(Unit::new().insert(&ended)).await.map(drop)
    }

    /// What came of a check; none while nobody has ended it.
    async fn check(&self, id: &str) -> Result<Option<SandboxIdentity>, PortError> {
        Ok(self.store.records().load::<SandboxIdentity>(id.to_owned()).await?.map(|Stored { record, .. }| record))
    }
}
