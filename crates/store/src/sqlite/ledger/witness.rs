//! The synced head of the journal, in a file of its own.
//!
//! SQLite drops a damaged frame at the end of its write-ahead log, and every frame after it, without a word: that is how
//! it recovers from a crash. To whoever was answered, it is a loss. So after every sync of the journal its head goes here
//! and is synced too, before anyone is answered. A journal that does not contain this head is not the one that answered.
//!
//! Two slots are written in turn, each with a checksum, so that a torn write leaves the other.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use firstcome_core::ledger::Digest;
use sha2::{Digest as _, Sha256};

/// Distance of the slots: no disk writes more than this as one sector.
const SLOT: u64 = 4096;
const MAGIC: &[u8; 8] = b"FCWITN01";
const LENGTH: usize = 8 + 8 + 32 + 8;

/// A place in the journal: everything up to `position` is durable, and rolls up to `chain`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Head {
    /// The position of the last record; 0 for an empty journal.
    pub position: i64,
    /// The rolling hash over all records up to there.
    pub chain: Digest,
}

impl Head {
    /// The head after one more record, which stands at `position`.
    pub(crate) fn after(self, position: i64, record: &Digest) -> Self {
        let chain = Sha256::new().chain_update(self.chain).chain_update(record).finalize().into();
        Self { position, chain }
    }

    fn to_bytes(self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..16].copy_from_slice(&self.position.to_be_bytes());
        bytes[16..48].copy_from_slice(&self.chain);
        let checksum = Sha256::digest(&bytes[..48]);
        bytes[48..].copy_from_slice(&checksum[..8]);
        bytes
    }

    fn from_bytes(bytes: &[u8; LENGTH]) -> Option<Self> {
        let mut position = [0; 8];
        position.copy_from_slice(&bytes[8..16]);
        let mut chain = [0; 32];
        chain.copy_from_slice(&bytes[16..48]);
        let head = Self { position: i64::from_be_bytes(position), chain };
        (head.to_bytes() == *bytes).then_some(head)
    }
}

/// The file that keeps the head.
pub(super) struct Witness {
    file: File,
    slot: u64,
}

impl Witness {
    /// Reads the newest head that a witness file keeps: none when there is no such file, an error of kind `InvalidData`
    /// when neither slot is whole.
    pub(super) fn read(path: &Path) -> io::Result<Option<Head>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let newest = slots(&file)?.into_iter().flatten().max_by_key(|head| head.position);
        newest.map(Some).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "neither of its two slots is whole"))
    }

    /// Opens or creates the file and makes `head` what it says.
    pub(super) fn open(path: &Path, head: Head) -> io::Result<Self> {
        if !path.exists() {
            Self::create(path, head)?;
        }
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        // The slot that holds the newest head stays as it is until the other one is synced.
        let [first, second] = slots(&file)?.map(|head| head.map_or(-1, |head| head.position));
        let mut witness = Self { file, slot: u64::from(first >= second) };
        witness.write(head)?;
        Ok(witness)
    }

    /// Puts a whole file in place in one step, so that no crash leaves half of one.
    fn create(path: &Path, head: Head) -> io::Result<()> {
        let fresh = path.with_extension("witness.new");
        let file = File::create(&fresh)?;
        file.set_len(2 * SLOT)?;
        file.write_all_at(&head.to_bytes(), 0)?;
        file.write_all_at(&head.to_bytes(), SLOT)?;
        file.sync_all()?;
        std::fs::rename(&fresh, path)?;
        path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
    }

    /// Makes `head` durable.
    pub(super) fn write(&mut self, head: Head) -> io::Result<()> {
        self.file.write_all_at(&head.to_bytes(), self.slot * SLOT)?;
        self.file.sync_data()?;
        self.slot ^= 1;
        Ok(())
    }
}

#[cfg(test)]
impl Witness {
    /// From here on no write succeeds.
    pub(super) fn break_it(&mut self, path: &Path) {
        self.file = File::open(path).expect("it is there");
    }
}

fn slots(file: &File) -> io::Result<[Option<Head>; 2]> {
    let mut heads = [None; 2];
    for (slot, head) in heads.iter_mut().enumerate() {
        let mut bytes = [0; LENGTH];
        match file.read_exact_at(&mut bytes, slot as u64 * SLOT) {
            Ok(()) => *head = Head::from_bytes(&bytes),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            Err(error) => return Err(error),
        }
    }
    Ok(heads)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(position: i64) -> Head {
        Head { position, chain: [position as u8; 32] }
    }

    #[test]
    fn the_newest_head_is_read_back() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("witness");
        assert_eq!(Witness::read(&path).expect("readable"), None);
        let mut witness = Witness::open(&path, head(0)).expect("opened");
        for position in 1..6 {
            witness.write(head(position)).expect("written");
            assert_eq!(Witness::read(&path).expect("readable"), Some(head(position)));
        }
        drop(witness);
        drop(Witness::open(&path, head(7)).expect("opened"));
        assert_eq!(Witness::read(&path).expect("readable"), Some(head(7)));
    }

    #[test]
    fn a_torn_write_leaves_the_head_before() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("witness");
        let mut witness = Witness::open(&path, head(1)).expect("opened");
        witness.write(head(2)).expect("written");
        let torn = witness.slot ^ 1;
        witness.file.write_all_at(&[0xff; 20], torn * SLOT + 10).expect("written");
        assert_eq!(Witness::read(&path).expect("readable"), Some(head(1)));
        // Opening it again must not write over the one whole slot first.
        let again = Witness::open(&path, head(2)).expect("opened");
        assert_eq!(again.slot, torn ^ 1, "the torn slot was written");
        witness.file.write_all_at(&[0; 60], 0).expect("written");
        witness.file.write_all_at(&[0; 60], SLOT).expect("written");
        assert_eq!(Witness::read(&path).expect_err("damaged").kind(), io::ErrorKind::InvalidData);
    }
}
