//! The rows, and how one proves that it follows the other.

use firstcome_core::ids::{ActionId, SessionId, UserId};
use firstcome_core::ports::{PortError, Records, RoleName};
use firstcome_core::record;
use firstcome_core::records::{Comparison, Direction, Field as _, Query, Record, RecordsExt as _, Stored};
use firstcome_core::time::Time;

use crate::http::{AccountRole, Roles};
use crate::secrets::BlindIndex;
use crate::sheet::guarded;

/// Rows read at a time.
const PAGE: u32 = 1_000;

record! {
    /// Something that a person of the shop did.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Action in "actions" {
        /// Names it.
        pub id: ActionId,
        /// Its place in the chain, from 1 on.
        pub seq: i64,
        /// When.
        pub at: Time,
        /// Who.
        pub user: UserId,
        /// What they might do then.
        pub roles: Roles,
        /// From which device.
        pub session: SessionId,
        /// What: the endpoint that was called.
        pub action: String,
        /// About what, if there is something to name.
        pub object: Option<String>,
        /// A keyed hash of this row and of the proof before it.
        pub proof: Vec<u8>,
    }
    indexes [
        unique "actions_by_seq" ("seq"),
        index "actions_by_time" ("at"),
        index "actions_by_user" ("user", "at"),
        index "actions_by_object" ("object", "at"),
    ]
    append only
}

impl Action {
    /// What is written of it in books, behind the part of the shop that did it.
    pub const COLUMNS: [&str; 7] = ["action_id", "at", "user_id", "roles", "session_id", "action", "object"];

    /// Its row.
    pub fn row(&self) -> Vec<String> {
        let roles: Vec<_> = self.roles.iter().map(AccountRole::as_str).collect();
        vec![
            self.id.to_string(),
            self.at.to_string(),
            self.user.to_string(),
            roles.join(" "),
            self.session.to_string(),
            guarded(&self.action),
            guarded(self.object.as_deref().unwrap_or_default()),
        ]
    }
}

record! {
    /// Which action is the last.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct ActionHead in "action_heads" {
        /// There is one.
        pub name: String,
        /// Its place.
        pub seq: i64,
        /// Its proof.
        pub proof: Vec<u8>,
        /// A keyed hash of both: an older head cannot be made from older rows.
        pub seal: Vec<u8>,
    }
    indexes []
}

/// Makes the proofs of one role's chain: they prove nothing in another role's database.
pub struct Prover<'a> {
    /// Whose chain it is.
    pub role: RoleName,
    /// What hashes with a key.
    pub index: &'a BlindIndex,
}

impl Prover<'_> {
    fn of(&self, what: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        self.index.of(&[&[what, self.role.as_str().as_bytes()], parts].concat())
    }
}

/// The key of the one head.
pub(super) const HEAD: &str = "head";

impl Action {
    /// Its proof, behind the one before it.
    pub(super) fn proof(&self, prover: &Prover<'_>, before: &[u8]) -> Vec<u8> {
        let object = self.object.as_deref();
        let parts: [&[u8]; 10] = [
            before,
            &self.id.0,
            &self.seq.to_be_bytes(),
            &self.at.0.to_be_bytes(),
            &self.user.0,
            &[self.roles.bits()],
            &self.session.0,
            self.action.as_bytes(),
            &[u8::from(object.is_some())],
            object.unwrap_or_default().as_bytes(),
        ];
        prover.of(b"action", &parts)
    }
}

impl ActionHead {
    /// The head when the action at this place, with this proof, is the last.
    pub(super) fn at(seq: i64, proof: Vec<u8>, prover: &Prover<'_>) -> Self {
        let seal = prover.of(b"action head", &[&seq.to_be_bytes(), &proof]);
        Self { name: HEAD.to_owned(), seq, proof, seal }
    }
}

/// Reads a role's chain whole. Returns how many actions there are, or what is not as it was written.
pub async fn check(records: &dyn Records, prover: &Prover<'_>) -> Result<Result<u64, String>, PortError> {
    // Rows and head change in one commit: a head that is read after a row is not behind it.
    let newest = Query::all(Action::TABLE, 1).order_by("seq", Direction::Descending);
    let newest = records.list::<Action>(newest).await?.first().map_or(0, |row| row.record.seq);
    let head = records.load::<ActionHead>(HEAD).await?.map(|stored| stored.record);
    let last = head.as_ref().map_or(0, |head| head.seq);
    if newest > last {
        return Ok(Err(format!("action {newest} was put behind the last one")));
    }
    let (mut seq, mut proof) = (0, Vec::new());
    while seq < last {
        let read = seq;
        let page = Query::all(Action::TABLE, PAGE)
            .filter("seq", Comparison::Greater(seq.to_value()))
            .order_by("seq", Direction::Ascending);
        let rows = records.list::<Action>(page).await?;
        for Stored { record, .. } in rows.into_iter().take_while(|row| row.record.seq <= last) {
            seq += 1;
            if record.seq != seq {
                return Ok(Err(format!("action {seq} is gone")));
            }
            let expected = record.proof(prover, &proof);
            if record.proof != expected {
                return Ok(Err(format!("action {seq} ({}) is not as it was written", record.id)));
            }
            proof = expected;
        }
        if seq == read {
            return Ok(Err(format!("action {} is gone", seq + 1)));
        }
    }
    let is_whole = head.is_none_or(|head| head == ActionHead::at(seq, proof, prover));
    Ok(if is_whole { Ok(seq as u64) } else { Err("which action is the last is not as it was written".to_owned()) })
}
