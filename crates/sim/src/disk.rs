use std::collections::BTreeMap;
use std::io;

use wire::Entropy;

/// A disk that loses what was not synced, tears writes, runs full and fails when a test says so.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    files: BTreeMap<String, File>,
    capacity: Option<usize>,
    failing_syncs: usize,
    dead: bool,
}

#[derive(Clone, Debug, Default)]
struct File {
    /// What a crash leaves.
    durable: Vec<u8>,
    /// What the process sees.
    seen: Vec<u8>,
    /// The writes that make the difference.
    unsynced: Vec<(usize, Vec<u8>)>,
}

impl Disk {
    /// An empty disk without bounds.
    pub fn new() -> Disk {
        Disk::default()
    }

    /// So many octets fit on it, those there counted; `None` for no bound.
    pub fn set_capacity(&mut self, octets: Option<usize>) {
        self.capacity = octets;
    }

    /// Octets of all files.
    pub fn used(&self) -> usize {
        self.files.values().map(|file| file.seen.len()).sum()
    }

    /// Lets the next `n` syncs fail: what they were for may be on the disk or not.
    pub fn fail_syncs(&mut self, n: usize) {
        self.failing_syncs = n;
    }

    /// Whether everything fails from here on.
    pub fn set_dead(&mut self, dead: bool) {
        self.dead = dead;
    }

    /// Turns one bit of a file over, as ageing media do.
    ///
    /// # Panics
    /// When there is no such octet.
    pub fn flip(&mut self, name: &str, at: usize) {
        let file = self.files.get_mut(name).expect("a file to damage");
        file.durable[at] ^= 0x10;
        file.seen[at] ^= 0x10;
    }

    /// The contents of all files, as the process sees them.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(name, file)| (name.as_str(), &file.seen[..]))
    }

    /// The power goes: of what was not synced any part may be there, cut off anywhere.
    pub fn crash(&mut self, dice: &mut Entropy) {
        for file in self.files.values_mut() {
            let written: usize = file.unsynced.iter().map(|(_, data)| data.len()).sum();
            let mut survives = if written == 0 { 0 } else { dice.below(written as u64 + 1) as usize };
            for (at, data) in std::mem::take(&mut file.unsynced) {
                let part = &data[..data.len().min(survives)];
                survives -= part.len();
                file.durable[at..at + part.len()].copy_from_slice(part);
            }
            file.seen.clone_from(&file.durable);
        }
    }

    fn file(&mut self, name: &str) -> io::Result<&mut File> {
        self.alive()?;
        self.files.get_mut(name).ok_or(io::ErrorKind::NotFound.into())
    }

    fn alive(&self) -> io::Result<()> {
        if self.dead { Err(io::Error::other("the disk is dead")) } else { Ok(()) }
    }
}

impl journal::Disk for Disk {
    fn names(&self) -> io::Result<Vec<String>> {
        self.alive()?;
        Ok(self.files.keys().cloned().collect())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        self.alive()?;
        let file = self.files.get(name).ok_or(io::Error::from(io::ErrorKind::NotFound))?;
        Ok(file.seen.clone())
    }

    fn create(&mut self, name: &str, octets: usize) -> io::Result<()> {
        self.alive()?;
        if self.capacity.is_some_and(|capacity| self.used() + octets > capacity) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let file = File { durable: vec![0; octets], seen: vec![0; octets], unsynced: Vec::new() };
        self.files.insert(name.to_owned(), file);
        Ok(())
    }

    fn write(&mut self, name: &str, at: usize, data: &[u8]) -> io::Result<()> {
        let file = self.file(name)?;
        let place = file.seen.get_mut(at..at + data.len()).ok_or(io::Error::from(io::ErrorKind::InvalidInput))?;
        place.copy_from_slice(data);
        file.unsynced.push((at, data.to_vec()));
        Ok(())
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        if self.failing_syncs > 0 {
            self.failing_syncs -= 1;
            return Err(io::Error::other("the disk failed to sync"));
        }
        let file = self.file(name)?;
        file.durable.clone_from(&file.seen);
        file.unsynced.clear();
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.alive()?;
        let file = self.files.remove(from).ok_or(io::Error::from(io::ErrorKind::NotFound))?;
        self.files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.alive()?;
        self.files.remove(name).map(drop).ok_or(io::ErrorKind::NotFound.into())
    }
}
