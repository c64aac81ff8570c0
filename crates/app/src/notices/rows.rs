//! What the role keeps.

use firstcome_core::ids::{DeliveryId, NoticeId, OfferNumber, WebhookId};
use firstcome_core::records::Json;
use firstcome_core::time::Time;
use firstcome_core::{record, text_enum};

use super::notice::{Notice, NoticeKind};

text_enum! {
    /// Where a webhook is.
    pub(super) enum WebhookState {
        /// It is told what happens.
        Active = "active",
        /// What happens meanwhile it is not told; what waits goes on waiting.
        Paused = "paused",
        /// It is gone; what is left of it is being removed.
        Removed = "removed",
    }
}

text_enum! {
    /// Where a delivery is.
    #[derive(utoipa::ToSchema)]
    pub(super) enum DeliveryState {
        /// It is sent when it is due.
        Waiting = "waiting",
        /// The system has answered that it took it.
        Delivered = "delivered",
        /// It was tried often enough.
        GivenUp = "given_up",
    }
}

record! {
    /// A system of the seller's that is told what happens.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct Webhook in "webhooks" {
        /// Names it.
        pub(super) id: WebhookId,
        /// Where it listens.
        pub(super) url: String,
        /// For people.
        pub(super) description: String,
        /// What it is told; everything when it is empty.
        pub(super) kinds: Json<Vec<NoticeKind>>,
        /// Where it is.
        pub(super) state: WebhookState,
        /// Why it was paused, unless a person did it.
        pub(super) reason: Option<String>,
        /// The key that sealed the secrets.
        pub(super) sealed_with: u32,
        /// Sealed JSON: the secret, and the one before it.
        pub(super) secrets: Vec<u8>,
        /// Until when notices are signed with the one before as well.
        pub(super) previous_until: Option<Time>,
        /// Since when it is told what happens.
        pub(super) created_at: Time,
        /// When it was removed.
        pub(super) removed_at: Option<Time>,
        /// When it was let go on after a pause. What happened before that it is not told, whoever reads it again.
        pub(super) resumed_at: Option<Time>,
    }
    indexes [index "webhooks_by_state" ("state", "created_at"), index "webhooks_by_key" ("sealed_with")]
}

record! {
    /// A notice on its way to one webhook.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct Delivery in "deliveries" {
        /// Follows from the notice and the webhook, so that twice is once.
        pub(super) id: DeliveryId,
        /// To which.
        pub(super) webhook: WebhookId,
        /// The notice; its receiver knows it by this id.
        pub(super) notice: NoticeId,
        /// What it tells.
        pub(super) kind: NoticeKind,
        /// What it is about.
        pub(super) subject: String,
        /// What is sent, to the byte.
        pub(super) body: String,
        /// Where it is.
        pub(super) state: DeliveryState,
        /// When it is tried next; when it is forgotten, once that is over.
        pub(super) due_at: Time,
        /// Tries so far.
        pub(super) tries: u32,
        /// The status of the last answer.
        pub(super) answer: Option<u16>,
        /// Why the last try failed.
        pub(super) reason: Option<String>,
        /// When it was queued.
        pub(super) created_at: Time,
        /// When it was delivered or given up.
        pub(super) ended_at: Option<Time>,
        /// When a person asked that it be sent again.
        pub(super) resent_at: Option<Time>,
    }
    indexes [
        index "deliveries_due" ("webhook", "state", "due_at"),
        index "deliveries_by_end" ("state", "due_at"),
        index "deliveries_by_state" ("state", "created_at"),
        index "deliveries_by_time" ("created_at"),
    ]
}

record! {
    /// An offer of which everything is sold, as far as anyone was told.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct SoldOut in "sold_out_offers" {
        /// The offer.
        pub(super) offer: OfferNumber,
        /// Since when.
        pub(super) since: Time,
    }
    indexes []
}

impl Webhook {
    /// Whether it is told of this. What happened before it was there it is not.
    pub(super) fn wants(&self, kind: NoticeKind, at: Time) -> bool {
        let chosen = self.kinds.0.is_empty() || self.kinds.0.contains(&kind);
        self.state == WebhookState::Active && self.resumed_at.unwrap_or(self.created_at) <= at && chosen
    }
}

impl Delivery {
    /// A notice to be sent to a webhook at once.
    pub(super) fn new(webhook: WebhookId, notice: &Notice, now: Time) -> Self {
        Self {
            id: DeliveryId::derived(&[&notice.id.0, &webhook.0]),
            webhook,
            notice: notice.id,
            kind: notice.kind,
            subject: notice.subject.clone(),
            body: notice.body.clone(),
            state: DeliveryState::Waiting,
            due_at: now,
            tries: 0,
            answer: None,
            reason: None,
            created_at: now,
            ended_at: None,
            resent_at: None,
        }
    }
}
