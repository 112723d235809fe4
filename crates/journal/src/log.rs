use std::collections::BTreeMap;
use std::io;

use wire::Entry;

use crate::Disk;
use crate::frame::{self, Frame};

/// Sizes of a journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Octets of a segment: at least [`Options::MIN_SEGMENT`].
    pub segment: usize,
    /// Segments held back for what ends things.
    pub reserve: usize,
}

impl Options {
    /// A segment holds more than one entry of the largest size.
    pub const MIN_SEGMENT: usize = 2 * (Entry::MAX + frame::HEADER);
}

impl Default for Options {
    /// 4 MiB each, four in reserve: the ends of some 8,000 sessions.
    fn default() -> Options {
        Options { segment: 4 << 20, reserve: 4 }
    }
}

/// What a log has done since it was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Entries kept or forgotten.
    pub kept: u64,
    /// Entries refused because only the reserve is left.
    pub refused: u64,
    /// Entries that could not be written.
    pub failed: u64,
    /// Writes with their sync.
    pub syncs: u64,
    /// Segments cleaned.
    pub cleaned: u64,
}

/// A log on a disk: see the [crate](crate).
#[derive(Debug)]
pub struct Log<D> {
    pub(crate) disk: D,
    pub(crate) options: Options,
    /// Where the last value of each key is.
    pub(crate) index: BTreeMap<u64, Place>,
    /// Octets of valid frames in each segment, oldest first.
    pub(crate) segments: BTreeMap<u32, usize>,
    /// The segment that is written to and where, unless it is not to be trusted any more.
    pub(crate) active: Option<(u32, usize)>,
    /// The last segment that there ever was.
    pub(crate) last: u32,
    /// Names of segments without a number.
    pub(crate) spares: Vec<String>,
    /// The disk had no room for the last segment that was asked of it.
    pub(crate) is_starved: bool,
    /// The number of the next frame.
    pub(crate) number: u64,
    pub(crate) counters: Counters,
}

/// Where a frame is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) segment: u32,
    pub(crate) offset: usize,
    pub(crate) size: usize,
}

/// The name of a segment.
pub(crate) fn name_of(segment: u32) -> String {
    format!("{segment:010}.journal")
}

impl<D: Disk> Log<D> {
    /// Keeps a batch of entries: all that is kept is durable when this returns. Whether each is kept, in order.
    pub fn commit(&mut self, batch: &[Entry]) -> Vec<bool> {
        if batch.iter().any(|entry| entry.opens) && self.is_full() {
            self.fill_reserve();
        }
        let mut kept = vec![false; batch.len()];
        let mut rest = 0..batch.len();
        while !rest.is_empty() {
            let done = self.write_some(&batch[rest.clone()], &mut kept[rest.clone()]);
            rest.start += done;
        }
        kept
    }

    /// Puts things in order that nobody waits for: fills the reserve, and cleans the oldest segment if most of the log is
    /// not valid any more. Whether there may be more to do.
    pub fn maintain(&mut self) -> bool {
        // A disk that is full is asked again when something wants to be opened.
        if !self.is_starved {
            self.fill_reserve();
        }
        self.needs_cleaning() && self.clean_oldest().unwrap_or(false)
    }

    /// Whether only the reserve is left: nothing new is opened.
    pub fn is_full(&self) -> bool {
        self.spares.len() < self.options.reserve
    }

    /// Keys that have a value.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether no key has a value.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Segments in use, those in reserve not counted.
    pub fn segments(&self) -> usize {
        self.segments.len()
    }

    /// What it has done.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// The disk: for a host that plays with it.
    pub const fn disk_mut(&mut self) -> &mut D {
        &mut self.disk
    }

    /// Gives the disk back.
    pub fn into_disk(self) -> D {
        self.disk
    }

    /// Writes and syncs as much of a batch as one segment takes; returns how many entries are done with, more than none.
    fn write_some(&mut self, batch: &[Entry], kept: &mut [bool]) -> usize {
        let (mut buffer, mut frames) = (Vec::new(), Vec::new());
        let refuses = self.is_full();
        let room = self.active.map_or(0, |(_, at)| self.options.segment - at);
        let mut done = 0;
        for (i, entry) in batch.iter().enumerate() {
            let size = frame::size_of(entry.value.as_deref());
            if size > frame::HEADER + Entry::MAX {
                self.counters.failed += 1;
            } else if entry.opens && refuses {
                self.counters.refused += 1;
            } else if buffer.len() + size > room {
                break;
            } else {
                frames.push((i, buffer.len(), size));
                frame::write(self.number + frames.len() as u64 - 1, entry.key, entry.value.as_deref(), &mut buffer);
            }
            done = i + 1;
        }
        if frames.is_empty() {
            if done == 0 && self.rotate().is_err() {
                self.counters.failed += 1;
                self.forget_anyway(&batch[0]);
                return 1;
            }
            return done;
        }
        let Some((segment, at)) = self.active else { return done };
        if self.write_and_sync(segment, at, &buffer).is_err() {
            // What the kernel did with a write that failed, nobody knows: the segment is left alone from here on.
            self.active = None;
            self.counters.failed += frames.len() as u64;
            frames.iter().for_each(|(i, ..)| self.forget_anyway(&batch[*i]));
            return done;
        }
        for (i, offset, size) in frames {
            kept[i] = true;
            self.note(batch[i].key, batch[i].value.is_some().then_some(Place { segment, offset: at + offset, size }));
        }
        done
    }

    /// A key that could not be forgotten comes back after a restart, and may; it must not fill the log until then.
    fn forget_anyway(&mut self, entry: &Entry) {
        if entry.value.is_none() {
            self.place(entry.key, None);
        }
    }

    /// Writes at the end of the log and makes it durable.
    pub(crate) fn write_and_sync(&mut self, segment: u32, at: usize, buffer: &[u8]) -> io::Result<()> {
        let name = name_of(segment);
        self.disk.write(&name, at, buffer)?;
        self.disk.sync(&name)?;
        self.counters.syncs += 1;
        self.active = Some((segment, at + buffer.len()));
        Ok(())
    }

    /// A frame is durable.
    fn note(&mut self, key: u64, place: Option<Place>) {
        self.number += 1;
        self.counters.kept += 1;
        self.place(key, place);
    }

    /// The last value of a key is there, or nowhere.
    pub(crate) fn place(&mut self, key: u64, place: Option<Place>) {
        let old = match place {
            Some(place) => {
                *self.segments.entry(place.segment).or_default() += place.size;
                self.index.insert(key, place)
            }
            None => self.index.remove(&key),
        };
        if let Some(old) = old
            && let Some(valid) = self.segments.get_mut(&old.segment)
        {
            *valid -= old.size;
        }
    }

    /// Goes on in a fresh segment.
    pub(crate) fn rotate(&mut self) -> io::Result<()> {
        let spare = match self.spares.pop() {
            Some(spare) => spare,
            None => self.make_spare()?,
        };
        let segment = self.last + 1;
        if let Err(error) = self.disk.rename(&spare, &name_of(segment)) {
            self.spares.push(spare);
            return Err(error);
        }
        (self.last, self.active) = (segment, Some((segment, 0)));
        self.segments.insert(segment, 0);
        Ok(())
    }

    /// Makes segments until the reserve is there and one to go on with, as far as the disk has room.
    pub(crate) fn fill_reserve(&mut self) {
        self.is_starved = false;
        while self.wants_spare() && !self.is_starved {
            match self.make_spare() {
                Ok(spare) => self.spares.push(spare),
                Err(_) => self.is_starved = true,
            }
        }
    }

    pub(crate) fn wants_spare(&self) -> bool {
        self.spares.len() <= self.options.reserve
    }

    fn make_spare(&mut self) -> io::Result<String> {
        let name = self.free_name();
        self.disk.create(&name, self.options.segment)?;
        Ok(name)
    }

    /// A name for one more segment in reserve.
    pub(crate) fn free_name(&self) -> String {
        let mut names = (1..).map(|n: u32| format!("spare-{n}"));
        names.find(|name| !self.spares.contains(name)).unwrap_or_default()
    }
}

/// Whether a frame is the last word on its key.
pub(crate) fn is_valid(index: &BTreeMap<u64, Place>, segment: u32, frame: &Frame) -> bool {
    index.get(&frame.key).is_some_and(|place| (place.segment, place.offset) == (segment, frame.offset))
}
