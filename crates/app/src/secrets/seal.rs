//! Personal data at rest: encrypted, and found again without being decrypted.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;

/// A value that was sealed under another key or for another place, or was altered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed value cannot be opened")]
pub struct Unreadable;

/// Encrypts with AES-256-GCM under one of its keys and opens what any of them sealed.
///
/// What is sealed is bound to a place (a table, column and row), so that a value moved to another row does not open.
pub struct Sealer {
    keys: Vec<(u32, RandomizedNonceKey)>,
    /// Where the one that seals is among them.
    sealing: usize,
}

impl Sealer {
    /// A sealer over numbered keys of 32 bytes, of which the one with this number seals; none when that is not among
    /// them or one is not 32 bytes.
    pub fn new(keys: impl IntoIterator<Item = (u32, impl AsRef<[u8]>)>, sealing: u32) -> Option<Self> {
        let key = |(number, bytes): (u32, _)| Some((number, sealing_key(AsRef::<[u8]>::as_ref(&bytes))?));
        let keys = keys.into_iter().map(key).collect::<Option<Vec<_>>>()?;
        let sealing = keys.iter().position(|(number, _)| *number == sealing)?;
        Some(Self { keys, sealing })
    }

    /// The number of the key that seals; kept beside what it sealed.
    pub fn key(&self) -> u32 {
        self.keys[self.sealing].0
    }

    /// The numbers of all keys.
    pub fn numbers(&self) -> Vec<u32> {
        self.keys.iter().map(|(number, _)| *number).collect()
    }

    /// Encrypts a text for a place: nonce, ciphertext and tag.
    pub fn seal(&self, place: &[&[u8]], text: &str) -> Vec<u8> {
        let mut sealed = text.as_bytes().to_vec();
        let (_, key) = &self.keys[self.sealing];
        let nonce = key
            .seal_in_place_append_tag(Aad::from(joined(place)), &mut sealed)
            .expect("a text of a request is far below the limit of AES-GCM");
        let mut whole = Vec::with_capacity(NONCE_LEN + sealed.len());
        whole.extend_from_slice(nonce.as_ref());
        whole.append(&mut sealed);
        whole
    }

    /// Decrypts what the key with this number sealed for this place.
    pub fn open(&self, key: u32, place: &[&[u8]], sealed: &[u8]) -> Result<String, Unreadable> {
        let (_, key) = self.keys.iter().find(|(number, _)| *number == key).ok_or(Unreadable)?;
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN).ok_or(Unreadable)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Unreadable)?;
        let mut buffer = sealed.to_vec();
        let text = key.open_in_place(nonce, Aad::from(joined(place)), &mut buffer).map_err(|_| Unreadable)?;
        String::from_utf8(text.to_vec()).map_err(|_| Unreadable)
    }

    /// Seals anew, with the key that seals now, what the key with this number sealed for this place.
    pub fn reseal(&self, key: u32, place: &[&[u8]], sealed: &[u8]) -> Result<Vec<u8>, Unreadable> {
        Ok(self.seal(place, &self.open(key, place, sealed)?))
    }
}

fn sealing_key(bytes: &[u8]) -> Option<RandomizedNonceKey> {
    RandomizedNonceKey::new(&AES_256_GCM, bytes).ok()
}

/// Each part behind its length, so that no two places read alike.
fn joined(parts: &[&[u8]]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(64);
    for part in parts {
        whole.extend_from_slice(&(part.len() as u64).to_be_bytes());
        whole.extend_from_slice(part);
    }
    whole
}

/// Stands for a value in an index without revealing it: HMAC-SHA-256 under a key that never leaves the process.
pub struct BlindIndex(hmac::Key);

impl BlindIndex {
    /// An index under this key.
    pub fn new(key: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The same 32 bytes for the same parts, and nothing that tells which.
    pub fn of(&self, parts: &[&[u8]]) -> Vec<u8> {
        hmac::sign(&self.0, &joined(parts)).as_ref().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_what_and_where_it_was_sealed() {
        let sealer = Sealer::new([(1, [1; 32])], 1).unwrap();
        let sealed = sealer.seal(&[b"users.name", b"7"], "Kim");
        assert_eq!(sealer.open(1, &[b"users.name", b"7"], &sealed).as_deref(), Ok("Kim"));
        assert_eq!(sealer.open(1, &[b"users.name", b"8"], &sealed), Err(Unreadable));
        assert_eq!(sealer.open(2, &[b"users.name", b"7"], &sealed), Err(Unreadable));
        for place in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[place] ^= 1;
            assert_eq!(sealer.open(1, &[b"users.name", b"7"], &altered), Err(Unreadable));
        }
        assert_eq!(sealer.open(1, &[b"users.name", b"7"], &sealed[..5]), Err(Unreadable));
        assert_ne!(sealed, sealer.seal(&[b"users.name", b"7"], "Kim"));
    }

    #[test]
    fn a_new_key_seals_and_old_ones_open() {
        let old = Sealer::new([(1, [1; 32])], 1).unwrap();
        let sealed = old.seal(&[b"x"], "text");
        let both = Sealer::new([(2, [2; 32]), (1, [1; 32])], 2).unwrap();
        assert_eq!(both.key(), 2);
        assert_eq!(both.open(1, &[b"x"], &sealed).as_deref(), Ok("text"));
        assert!(Sealer::new([(1, [1; 31])], 1).is_none() && Sealer::new([(1, [1; 32])], 2).is_none());
    }

    #[test]
    fn index_is_keyed() {
        let (one, two) = (BlindIndex::new(b"one"), BlindIndex::new(b"two"));
        assert_eq!(one.of(&[b"a"]), one.of(&[b"a"]));
        assert_ne!(one.of(&[b"a"]), two.of(&[b"a"]));
        assert_ne!(one.of(&[b"a", b"b"]), one.of(&[b"ab"]));
    }
}
