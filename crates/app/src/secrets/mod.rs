//! Secrets of the shop: the keys that sign tokens, encrypt personal data and find it again.

mod keys;
mod random;
mod seal;

pub use keys::{KeyError, Keys};
pub use random::SystemRandom;
pub use seal::{BlindIndex, Sealer, Unreadable};
