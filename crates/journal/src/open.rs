use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

use bytes::Bytes;

use crate::Disk;
use crate::frame;
use crate::log::{Counters, Log, Options, Place, name_of};

/// A log as it was found.
#[derive(Debug)]
pub struct Opened<D> {
    /// The log, to go on with.
    pub log: Log<D>,
    /// The last value of each key, oldest first.
    pub entries: Vec<(u64, Bytes)>,
    /// What could not be read.
    pub damage: Damage,
}

/// What has been read of a log.
#[derive(Default)]
struct Read {
    /// Frames so far.
    frames: u64,
    /// The last value of each key, and which frame it was in.
    values: BTreeMap<u64, (u64, Bytes)>,
    damage: Damage,
}

/// What could not be read of a log.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Damage {
    /// Octets of a write that was not finished: cut, since nobody was told that it was kept.
    pub cut: usize,
    /// Files in which frames are set aside that do not check, with what is in them.
    pub quarantined: Vec<(String, Range<usize>)>,
    /// Frames that are not there at all, by the numbers of those around them.
    pub missing: u64,
}

impl Damage {
    /// Whether anything is lost that was said to be kept.
    pub fn is_loss(&self) -> bool {
        !self.quarantined.is_empty() || self.missing > 0
    }
}

impl<D: Disk> Log<D> {
    /// Reads a log from a disk, or makes one. An error means that the disk cannot be read or repaired.
    pub fn open(disk: D, options: Options) -> io::Result<Opened<D>> {
        let options = Options { segment: options.segment.max(Options::MIN_SEGMENT), ..options };
        let mut log = Log {
            disk,
            options,
            index: BTreeMap::new(),
            segments: BTreeMap::new(),
            active: None,
            last: 0,
            spares: Vec::new(),
            is_starved: false,
            number: 1,
            counters: Counters::default(),
        };
        let names = log.disk.names()?;
        log.take_spares(&names)?;
        let mut numbers: Vec<u32> = names.iter().filter_map(|name| segment_of(name)).collect();
        numbers.sort_unstable();
        let mut read = Read::default();
        for (i, segment) in numbers.iter().enumerate() {
            log.replay(*segment, i + 1 == numbers.len(), &mut read)?;
        }
        log.fill_reserve();
        let mut entries: Vec<_> = read.values.into_iter().map(|(key, (place, value))| (place, key, value)).collect();
        entries.sort_unstable_by_key(|(place, ..)| *place);
        let entries = entries.into_iter().map(|(_, key, value)| (key, value)).collect();
        Ok(Opened { log, entries, damage: read.damage })
    }

    /// Segments in reserve; one whose making was broken off is removed.
    fn take_spares(&mut self, names: &[String]) -> io::Result<()> {
        for name in names.iter().filter(|name| name.starts_with("spare-")) {
            let bytes = self.disk.read(name)?;
            if bytes.len() == self.options.segment && bytes.iter().all(|b| *b == 0) {
                self.spares.push(name.clone());
            } else {
                self.disk.remove(name)?;
            }
        }
        Ok(())
    }

    fn replay(&mut self, segment: u32, is_last: bool, read: &mut Read) -> io::Result<()> {
        let damage = &mut read.damage;
        let bytes = Bytes::from(self.disk.read(&name_of(segment))?);
        let scan = frame::scan(&bytes);
        self.last = segment;
        self.segments.insert(segment, 0);

        // 1. What stands between frames that check: set aside, once.
        for bad in scan.bad.iter().cloned() {
            let name = format!("quarantine-{segment:010}-{}", bad.start);
            if !self.disk.names()?.contains(&name) {
                self.disk.create(&name, bad.len())?;
                self.disk.write(&name, 0, &bytes[bad.clone()])?;
                self.disk.sync(&name)?;
            }
            damage.quarantined.push((name, bad));
        }

        // 2. The frames, in order.
        for found in &scan.frames {
            // What was before the first frame that there is has been cleaned away.
            if self.number > 1 {
                damage.missing += found.number.saturating_sub(self.number);
            }
            // Behind a write that failed, numbers begin again where it began.
            self.number = found.number + 1;
            read.frames += 1;
            if let Some(range) = found.value.clone() {
                self.place(found.key, Some(Place { segment, offset: found.offset, size: found.size() }));
                read.values.insert(found.key, (read.frames, bytes.slice(range)));
            } else {
                self.place(found.key, None);
                read.values.remove(&found.key);
            }
        }

        // 3. The end: a write that was not finished.
        damage.cut += scan.torn.len();
        if is_last && bytes.len() == self.options.segment {
            if !scan.torn.is_empty() {
                let name = name_of(segment);
                self.disk.write(&name, scan.torn.start, &vec![0; scan.torn.len()])?;
                self.disk.sync(&name)?;
            }
            self.active = Some((segment, scan.next_offset()));
        }
        Ok(())
    }
}

fn segment_of(name: &str) -> Option<u32> {
    name.strip_suffix(".journal")?.parse().ok()
}
