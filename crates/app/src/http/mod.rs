//! What every role's endpoints share: problem documents, bodies, callers, lists and streams.

mod address;
mod body;
mod caller;
mod ended;
mod expected;
mod idempotency;
mod money;
mod page;
mod problem;
mod revocations;
mod signature;
mod streams;
mod text;
mod token;

pub use address::{Path, QueryString, escape, named};
pub use body::{Body, MAX_BODY_BYTES, MAX_UPLOAD_BYTES, NoBody, present, read_body, read_upload};
pub use caller::{
    AccountRole, Administrator, Buyer, ClientAddress, Identity, Merchant, Operator, Permission, Roles, Seller,
};
pub use ended::{ENDED_SESSIONS, EndedSession, EndedWithin};
pub use expected::in_words;
pub use idempotency::IdempotencyKey;
pub use money::MoneySchema;
pub use page::{Items, PageParameters, decode_cursor, encode_cursor, merge};
pub use problem::{Outcome, Problem};
pub use revocations::Revocations;
pub use signature::{CALLER, DEADLINE, DRAINING, NotVouched, Signatures, Vouched};
pub use streams::end_event_stream;
pub use text::{lines, one_line, some_text};
pub use token::{AccessTokens, InvalidKey, InvalidToken, Verified, expiry};
