use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::Disk;

/// A folder of the file system, locked for one process.
#[derive(Debug)]
pub struct FileDisk {
    folder: PathBuf,
    /// For syncing names.
    handle: File,
    /// Locked as long as it is open.
    _lock: File,
    /// Files that have been written to.
    open: BTreeMap<String, File>,
}

/// Why a folder cannot be a journal.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// It cannot be made, read or written.
    #[error("{0}: {1}")]
    Io(PathBuf, io::Error),
    /// Another process has it open.
    #[error("{0} is in use by another process")]
    InUse(PathBuf),
}

/// Holds the lock.
const LOCK: &str = "lock";

impl FileDisk {
    /// Opens a folder, which is made if it is not there, and locks it.
    pub fn open(folder: &Path) -> Result<FileDisk, LockError> {
        let failed = |error| LockError::Io(folder.to_owned(), error);
        fs::create_dir_all(folder).map_err(failed)?;
        let lock = File::create(folder.join(LOCK)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::InUse(folder.to_owned())),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let handle = File::open(folder).map_err(failed)?;
        Ok(FileDisk { folder: folder.to_owned(), handle, _lock: lock, open: BTreeMap::new() })
    }

    fn file(&mut self, name: &str) -> io::Result<&File> {
        if !self.open.contains_key(name) {
            let file = OpenOptions::new().write(true).open(self.folder.join(name))?;
            self.open.insert(name.to_owned(), file);
        }
        Ok(&self.open[name])
    }

    fn fill(&self, name: &str, octets: usize) -> io::Result<()> {
        let file = OpenOptions::new().write(true).create_new(true).open(self.folder.join(name))?;
        let zeros = vec![0; octets.min(ZEROS)];
        for at in (0..octets).step_by(ZEROS) {
            file.write_all_at(&zeros[..zeros.len().min(octets - at)], at as u64)?;
        }
        file.sync_all()?;
        self.handle.sync_all()
    }
}

/// Zeros written at a time.
const ZEROS: usize = 1 << 20;

impl Disk for FileDisk {
    fn names(&self) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(&self.folder)?.collect::<io::Result<Vec<_>>>()?;
        Ok(entries.into_iter().filter_map(|entry| entry.file_name().into_string().ok()).collect())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.folder.join(name))
    }

    fn create(&mut self, name: &str, octets: usize) -> io::Result<()> {
        self.fill(name, octets).inspect_err(|_| {
            // What was made of it takes room from others.
            let _there_was_none = fs::remove_file(self.folder.join(name));
        })
    }

    fn write(&mut self, name: &str, at: usize, data: &[u8]) -> io::Result<()> {
        self.file(name)?.write_all_at(data, at as u64)
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        self.file(name)?.sync_data()
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.folder.join(from), self.folder.join(to))?;
        if let Some(file) = self.open.remove(from) {
            self.open.insert(to.to_owned(), file);
        }
        self.handle.sync_all()
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.open.remove(name);
        fs::remove_file(self.folder.join(name))?;
        self.handle.sync_all()
    }
}
