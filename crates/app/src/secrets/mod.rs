//! Secrets of the shop: the keys that sign tokens, encrypt personal data and find it again.

mod data;
mod keys;
mod random;
mod reseal;
mod seal;

pub use data::{DataKey, load as load_data_keys};
pub use keys::{KeyError, Keys, LOOK_EVERY};
pub use random::SystemRandom;
pub use reseal::{LOOK_EVERY as RESEAL_EVERY, Sealed, oldest_key, reseal};
pub use seal::{BlindIndex, Sealer, Unreadable};
