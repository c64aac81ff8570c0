//! What people of the shop do: every request by a seller or an operator that changes something is written down, by whom it
//! was, when, what, about what, and from which device. Nothing else about the person. So is whoever looks up where a buyer
//! lives, which changes nothing.
//!
//! - The door writes it down, not each endpoint ([`witness`]): a new endpoint cannot forget it. What is done in the role's
//!   database is written down in the very commit that does it ([`Actions`] is that database); what is done elsewhere, in
//!   the ledger say, in a commit of its own before it is answered.
//! - Rows are appended and stay: every adapter refuses to change or to delete one. Each carries a proof: a keyed hash of
//!   itself and of the row before, and a head beside them says which is the last. So what is changed, taken out, put in or
//!   cut off by hand `firstcome audit` sees, and nobody mends it without the keys.
//! - Each role has its own chain, in its own database; they are listed as one ([`crate::letters`] asks the roles).

mod acting;
mod chain;
mod list;
mod records;
#[cfg(test)]
mod tests;

pub use acting::{about, aside, witness};
pub use chain::{Action, ActionHead, Prover, check};
pub use list::ActionView;
pub(crate) use list::{Filters, PATH};
pub use records::Actions;
