//! A filter of keys: says at once, and without a disk, that a key is certainly not there.
//!
//! A Bloom filter (Bloom 1970) whose probes for one key lie in one block of 512 bits, a line of the processor's cache
//! (Putze, Sanders and Singler 2007): a look-up waits for memory once. With 16 bits a key it errs on about one absent key
//! in 200, which then costs one look-up on the disk.

const BITS_PER_KEY: usize = 16;
const PROBES: u32 = 5;
const WORDS: usize = 8;

/// Keys that were added, and few others.
pub(super) struct Filter {
    blocks: Vec<[u64; WORDS]>,
}

impl Filter {
    /// A filter with room for so many keys; more make it err more.
    pub(super) fn new(keys: usize) -> Self {
        let blocks = (keys * BITS_PER_KEY).div_ceil(WORDS * 64).max(1);
        Self { blocks: vec![[0; WORDS]; blocks] }
    }

    pub(super) fn add(&mut self, key: u64) {
        let (block, bits) = self.place(key);
        for bit in bits {
            self.blocks[block][bit / 64] |= 1 << (bit % 64);
        }
    }

    /// Whether the key may have been added; false is certain.
    pub(super) fn may_contain(&self, key: u64) -> bool {
        let (block, mut bits) = self.place(key);
        let block = &self.blocks[block];
        bits.all(|bit| block[bit / 64] & (1 << (bit % 64)) != 0)
    }

    /// The block of a key and its bits there.
    fn place(&self, key: u64) -> (usize, impl Iterator<Item = usize> + use<>) {
        let spread = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let block = ((u128::from(spread) * self.blocks.len() as u128) >> 64) as usize;
        let within = (key ^ (key >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (block, (0..PROBES).map(move |probe| (within >> (9 * probe + 10)) as usize & (WORDS * 64 - 1)))
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        self.blocks.iter().flatten().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// Reads a filter back; none when the bytes are not one.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (blocks, rest) = bytes.as_chunks::<{ WORDS * 8 }>();
        let block = |bytes: &[u8; WORDS * 8]| {
            let mut words = [0; WORDS];
            for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
                *word = u64::from_le_bytes(*bytes);
            }
            words
        };
        (rest.is_empty() && !blocks.is_empty()).then(|| Self { blocks: blocks.iter().map(block).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u64) -> u64 {
        let hash = firstcome_core::ids::digest_parts("test", &[&number.to_be_bytes()]);
        u64::from_be_bytes([hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]]) >> 4
    }

    #[test]
    fn never_forgets_and_seldom_errs() {
        let mut filter = Filter::new(100_000);
        (0..100_000).for_each(|number| filter.add(key(number)));
        let filter = Filter::from_bytes(&filter.to_bytes()).expect("a filter");
        assert!((0..100_000).all(|number| filter.may_contain(key(number))));
        let wrong = (100_000..200_000).filter(|number| filter.may_contain(key(*number))).count();
        assert!(wrong < 1_500, "{wrong} of 100000");
        assert!(Filter::from_bytes(&[1; 63]).is_none() && Filter::from_bytes(&[]).is_none());
    }
}
