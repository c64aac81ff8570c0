//! Advertising by e-mail, to those who agreed to it.
//!
//! - A mailing goes over them in the order of their ids, a batch at a time: the batch is queued in the commit that moves its place
//!   on, so a crash, or another process, queues nobody twice. The commit conflicts with whoever takes their consent back meanwhile.
//! - The next batch waits until the one before has gone or was put off, so codes and news of orders never wait behind advertising.
//! - Between the hours at which the shop is quiet nothing goes to those who did not agree to nights: a mailing is for days, or for
//!   those who agreed to nights. What could not be delivered before the quiet begins is given up.

mod compose;
mod create;
mod list;
mod send;
mod stop;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use firstcome_core::ids::{MailingId, UserId};
use firstcome_core::time::Time;
use firstcome_core::{record, text_enum};
use jiff::tz::TimeZone;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Accounts;

pub(super) use send::worker;

/// How advertising is sent.
#[derive(Debug, Clone)]
pub struct Advertising {
    /// Who sends it, and how they are reached; none while the shop sends none.
    pub sender: Option<Sender>,
    /// The address of the shop, as those see it who get the e-mails.
    pub base: String,
    /// The hour of the day from which nothing is sent by night.
    pub quiet_from: i8,
    /// The hour of the day from which it is sent again; the same as `quiet_from`: always.
    pub quiet_until: i8,
    /// Where the hours are.
    pub time_zone: TimeZone,
}

/// Who sends advertising, as the law wants it named.
#[derive(Debug, Clone)]
pub struct Sender {
    /// The name.
    pub name: String,
    /// A telephone number, an address.
    pub contact: String,
}

impl Default for Advertising {
    fn default() -> Self {
        Self { sender: None, base: String::new(), quiet_from: 21, quiet_until: 8, time_zone: TimeZone::UTC }
    }
}

text_enum! {
    /// Where a mailing is.
    #[derive(utoipa::ToSchema)]
    pub(super) enum MailingState {
        /// It goes on, by day at least.
        Sending = "sending",
        /// Everybody was sent it.
        Done = "done",
        /// Somebody stopped it.
        Stopped = "stopped",
    }
}

record! {
    /// An e-mail to all who agreed to advertising.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(super) struct Mailing in "mailings" {
        /// Names it.
        pub(super) id: MailingId,
        /// The digest of the request that made it.
        pub(super) request: Vec<u8>,
        /// Where it is.
        pub(super) state: MailingState,
        /// Its subject, without the mark.
        pub(super) subject: String,
        /// Its text, without what the law adds.
        pub(super) text: String,
        /// Whether it goes to those only who agreed to nights, then.
        pub(super) at_night: bool,
        /// The last person that it has come to.
        pub(super) after: Option<UserId>,
        /// How many e-mails were queued.
        pub(super) queued: u32,
        /// When it was made.
        pub(super) created_at: Time,
        /// When it was done or stopped.
        pub(super) ended_at: Option<Time>,
    }
    indexes [index "mailings_by_state" ("state", "created_at"), index "mailings_by_time" ("created_at")]
}

/// The endpoints.
pub(super) fn routes() -> OpenApiRouter<Arc<Accounts>> {
    OpenApiRouter::new()
        .routes(routes!(create::post, list::get))
        .routes(routes!(list::get_one))
        .routes(routes!(stop::post))
}
