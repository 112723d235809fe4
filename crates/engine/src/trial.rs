//! Entries of a journal that end the process which takes them up.
//!
//! Each entry is written down before it is taken up. A process that starts and finds one written down knows that its
//! predecessor died of it, or with it; after a few such deaths the entry is left where it is and the others go on.
//!
//! The file need not survive the machine, only the process, so nothing is synced.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// How often an entry is taken up that nobody has survived.
const TRIES: u64 = 3;

/// The name of the file in the folder of the journal: the entry that is being taken up and how often that has been tried,
/// then those that are left alone; eight octets each.
const NAME: &str = "recalling";

/// Who decides whether an entry of an earlier life is taken up, and remembers across lives which ones were not survived.
pub trait Try: fmt::Debug + Send {
    /// Whether an entry is to be taken up. If so, that is written down first. Being asked for the next one says that those
    /// before have been survived.
    fn admits(&mut self, key: u64) -> bool;

    /// All have been taken up.
    fn passed(&mut self);
}

#[derive(Debug)]
pub(crate) struct Trial {
    path: PathBuf,
    file: File,
    /// The entry that an earlier life died of, and how many lives did.
    suspect: Option<(u64, u64)>,
    left_alone: BTreeSet<u64>,
}

impl Trial {
    pub(crate) fn open(folder: &Path) -> io::Result<Trial> {
        let path = folder.join(NAME);
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
        let mut octets = Vec::new();
        file.read_to_end(&mut octets)?;
        let (numbers, _) = octets.as_chunks();
        let mut numbers = numbers.iter().map(|number| u64::from_le_bytes(*number));
        let suspect = numbers.next().zip(numbers.next()).filter(|(_, tries)| *tries > 0);
        Ok(Trial { path, file, suspect, left_alone: numbers.collect() })
    }

    fn note(&self, key: u64, tries: u64) {
        self.write(0, [key.to_le_bytes(), tries.to_le_bytes()].as_flattened());
    }

    /// Without the file there is no trial, and the entries are taken up as they are.
    fn write(&self, place: u64, octets: &[u8]) {
        if let Err(error) = self.file.write_all_at(octets, place) {
            tracing::warn!(%error, file = %self.path.display(), "what is being taken up cannot be written down");
        }
    }
}

impl Try for Trial {
    fn admits(&mut self, key: u64) -> bool {
        let tries = self.suspect.filter(|(suspect, _)| *suspect == key).map_or(1, |(_, tries)| tries + 1);
        if tries > TRIES && self.left_alone.insert(key) {
            let place = 8 * (1 + self.left_alone.len() as u64);
            self.write(place, &key.to_le_bytes());
        }
        if self.left_alone.contains(&key) {
            let file = self.path.display();
            tracing::error!(
                key,
                "an entry of the journal ends whoever takes it up: it is left alone until {file} is removed"
            );
            return false;
        }
        self.note(key, tries);
        true
    }

    fn passed(&mut self) {
        self.note(0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_left_alone_after_three_lives_that_died_of_it_and_stays_so() {
        let folder = tempfile::tempdir().unwrap();
        let life = |keys: &[u64]| {
            let mut trial = Trial::open(folder.path()).unwrap();
            let admitted: Vec<u64> = keys.iter().copied().filter(|key| trial.admits(*key)).collect();
            (trial, admitted)
        };
        for _ in 0..3 {
            // The second one kills.
            assert_eq!(life(&[5, 6]).1, [5, 6]);
        }
        for _ in 0..2 {
            let (mut trial, admitted) = life(&[5, 6, 7]);
            assert_eq!(admitted, [5, 7]);
            trial.passed();
        }
        // Another one kills now; the first is not forgotten.
        for _ in 0..3 {
            assert_eq!(life(&[5, 6, 7]).1, [5, 7]);
        }
        assert_eq!(life(&[5, 6, 7, 8]).1, [5, 8]);
    }

    #[test]
    fn who_survives_clears_the_suspect() {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..10 {
            assert!(Trial::open(folder.path()).unwrap().admits(5));
            let mut survivor = Trial::open(folder.path()).unwrap();
            assert!(survivor.admits(5));
            survivor.passed();
        }
    }
}
