//! A filter of idempotency keys: says at once, and without a disk, that a key was certainly never seen.
//!
//! A Bloom filter (Bloom 1970) of 16 bits and 4 probes a key: 2 bytes a key, wrong about one unseen key in 400, which
//! then costs one look-up. It grows by layers, each twice the one before.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use firstcome_core::ids::KeyHash;
use parking_lot::RwLock;

const FIRST_LAYER_KEYS: usize = 1 << 16;
const BITS_PER_KEY: usize = 16;
const PROBES: u32 = 4;

struct Layer {
    words: Vec<AtomicU64>,
    keys: AtomicUsize,
    capacity: usize,
}

impl Layer {
    fn new(capacity: usize) -> Self {
        let words = (capacity * BITS_PER_KEY).div_ceil(64);
        Self { words: (0..words).map(|_| AtomicU64::new(0)).collect(), keys: AtomicUsize::new(0), capacity }
    }

    /// The word and the bit of each probe; capacities are powers of two.
    fn probes(&self, key: KeyHash) -> impl Iterator<Item = (usize, u64)> {
        let bits = self.words.len() * 64;
        let spread = key.0.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let step = (key.0.rotate_left(23) ^ spread.rotate_left(41)) | 1;
        (0..PROBES).map(move |probe| {
            let bit = (spread.wrapping_add(u64::from(probe).wrapping_mul(step)) >> 7) as usize & (bits - 1);
            (bit / 64, 1 << (bit % 64))
        })
    }

    fn add(&self, key: KeyHash) {
        for (word, bit) in self.probes(key) {
            self.words[word].fetch_or(bit, Ordering::Relaxed);
        }
        self.keys.fetch_add(1, Ordering::Relaxed);
    }

    fn may_contain(&self, key: KeyHash) -> bool {
        self.probes(key).all(|(word, bit)| self.words[word].load(Ordering::Relaxed) & bit != 0)
    }

    fn is_full(&self) -> bool {
        self.keys.load(Ordering::Relaxed) >= self.capacity
    }
}

/// Keys that were seen, and few others.
pub(super) struct KeyFilter(RwLock<Vec<Layer>>);

impl KeyFilter {
    pub(super) fn new() -> Self {
        Self(RwLock::new(vec![Layer::new(FIRST_LAYER_KEYS)]))
    }

    /// Whether the key may have been added; false is certain.
    pub(super) fn may_contain(&self, key: KeyHash) -> bool {
        self.0.read().iter().rev().any(|layer| layer.may_contain(key))
    }

    pub(super) fn add(&self, key: KeyHash) {
        {
            let layers = self.0.read();
            if let Some(layer) = layers.last().filter(|layer| !layer.is_full()) {
                layer.add(key);
                return;
            }
        }
        let mut layers = self.0.write();
        if layers.last().is_none_or(Layer::is_full) {
            let capacity = layers.last().map_or(FIRST_LAYER_KEYS, |layer| layer.capacity * 2);
            layers.push(Layer::new(capacity));
        }
        if let Some(layer) = layers.last() {
            layer.add(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use firstcome_core::ids::digest_parts;

    fn key(number: u64) -> KeyHash {
        let hash = digest_parts("test", &[&number.to_be_bytes()]);
        KeyHash(u64::from_be_bytes([hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]]) >> 4)
    }

    #[test]
    fn never_forgets_and_seldom_errs() {
        let filter = KeyFilter::new();
        (0..200_000).for_each(|number| filter.add(key(number)));
        assert!((0..200_000).all(|number| filter.may_contain(key(number))));
        let wrong = (200_000..300_000).filter(|number| filter.may_contain(key(*number))).count();
        assert!(wrong < 2_000, "{wrong} of 100000");
    }
}
