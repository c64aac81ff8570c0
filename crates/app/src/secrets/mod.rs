//! Secrets of the shop: the keys that sign tokens, encrypt personal data and find it again.

mod data;
mod key_check;
mod keys;
mod random;
mod reseal;
mod seal;

pub use data::{DataKey, load as load_data_keys, sealing as sealing_key};
pub use key_check::{KeyCheck, SealedTables, look_at_keys, require_keys};
pub use keys::{KeyError, Keys, LOOK_EVERY};
pub use random::SystemRandom;
pub use reseal::{Resealed, Sealed, oldest_key, reseal, resealer};
pub use seal::{BlindIndex, Sealer, Unreadable};
