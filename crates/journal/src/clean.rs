//! Cleaning: the oldest segment is emptied, so that the log does not grow.

use std::io;

use crate::Disk;
use crate::frame;
use crate::log::{Log, Place, is_valid, name_of};

impl<D: Disk> Log<D> {
    /// Most of the log is not valid, and there is more of it than the segment that is written to. Where there is no room for
    /// more, it need not be most.
    pub(crate) fn needs_cleaning(&self) -> bool {
        let oldest = self.segments.keys().next();
        let is_old = oldest.is_some_and(|oldest| self.active.is_none_or(|(active, _)| active != *oldest));
        let (used, valid) = (self.segments.len() * self.options.segment, self.segments.values().sum::<usize>());
        let bound = if self.is_full() { valid + valid / 4 } else { 2 * valid };
        is_old && used > bound + 2 * self.options.segment
    }

    /// Writes what is valid in the oldest segment at the end of the log, then takes the segment away. A key that is forgotten
    /// there has no value in an older one, since there is none. Whether that was done.
    pub(crate) fn clean_oldest(&mut self) -> io::Result<bool> {
        let Some(oldest) = self.segments.keys().next().copied() else { return Ok(false) };
        let bytes = self.disk.read(&name_of(oldest))?;
        let frames = frame::scan(&bytes).frames;
        let (mut buffer, mut moved) = (Vec::new(), Vec::new());
        for old in frames.iter().filter(|old| is_valid(&self.index, oldest, old)) {
            let value = old.value.clone().map(|range| &bytes[range]);
            moved.push((old.key, buffer.len(), old.size()));
            frame::write(self.number + moved.len() as u64 - 1, old.key, value, &mut buffer);
        }
        if !moved.is_empty() {
            let room = self.active.map_or(0, |(_, at)| self.options.segment - at);
            if buffer.len() > room {
                self.rotate()?;
            }
            let Some((segment, at)) = self.active else { return Ok(false) };
            if let Err(error) = self.write_and_sync(segment, at, &buffer) {
                self.active = None;
                return Err(error);
            }
            self.number += moved.len() as u64;
            for (key, offset, size) in moved {
                self.place(key, Some(Place { segment, offset: at + offset, size }));
            }
        }
        self.retire(oldest)?;
        Ok(true)
    }

    /// Nothing in a segment is valid: it is used again, or removed if the reserve is there.
    fn retire(&mut self, segment: u32) -> io::Result<()> {
        let name = name_of(segment);
        if self.wants_spare() {
            let spare = self.free_name();
            // Under its number it might be read again; what it held is at the end of the log.
            self.disk.rename(&name, &spare)?;
            self.segments.remove(&segment);
            self.disk.write(&spare, 0, &vec![0; self.options.segment])?;
            self.disk.sync(&spare)?;
            self.spares.push(spare);
        } else {
            self.disk.remove(&name)?;
            self.segments.remove(&segment);
        }
        self.counters.cleaned += 1;
        Ok(())
    }
}
