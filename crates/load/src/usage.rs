use std::collections::BTreeMap;
use std::fs;
use std::io;

/// CPU time and memory of a process and all its descendants, as Linux tells (proc(5)).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// CPU time in the program itself.
    pub user_us: u64,
    /// CPU time in the kernel on its behalf.
    pub system_us: u64,
    /// Memory; what several processes share counts once.
    pub memory_kib: u64,
    /// The most memory that each of them ever had, together.
    pub peak_kib: u64,
}

/// The unit of the times in `/proc/PID/stat`, USER_HZ: 100 on every Linux.
const TICK_US: u64 = 10_000;

impl Usage {
    /// Of the family of `root`. An error when `root` is gone.
    pub fn of_family(root: u32) -> io::Result<Usage> {
        let mut all = BTreeMap::new();
        for entry in fs::read_dir("/proc")? {
            let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            // A process may end between two looks.
            if let Some(stat) = fs::read_to_string(format!("/proc/{pid}/stat")).ok().and_then(|text| Stat::parse(&text))
            {
                all.insert(pid, stat);
            }
        }
        if !all.contains_key(&root) {
            return Err(io::Error::new(io::ErrorKind::NotFound, format!("process {root} has ended")));
        }
        let mut usage = Usage::default();
        for (pid, stat) in all.iter().filter(|(pid, _)| is_of(**pid, root, &all)) {
            usage.add(*pid, stat);
        }
        Ok(usage)
    }

    /// Of this process alone, whatever it has started.
    pub fn of_self() -> io::Result<Usage> {
        let mut usage = Usage::default();
        let text = fs::read_to_string("/proc/self/stat")?;
        if let Some(stat) = Stat::parse(&text) {
            usage.add(std::process::id(), &stat);
        }
        Ok(usage)
    }

    fn add(&mut self, pid: u32, stat: &Stat) {
        self.user_us += stat.user * TICK_US;
        self.system_us += stat.system * TICK_US;
        self.memory_kib += kib(&format!("/proc/{pid}/smaps_rollup"), "Pss:").unwrap_or_default();
        self.peak_kib += kib(&format!("/proc/{pid}/status"), "VmHWM:").unwrap_or_default();
    }

    /// CPU time altogether.
    pub const fn cpu_us(&self) -> u64 {
        self.user_us + self.system_us
    }
}

struct Stat {
    parent: u32,
    user: u64,
    system: u64,
}

impl Stat {
    /// `PID (NAME) STATE PPID …`: the name may hold anything, so what follows is counted from its closing bracket.
    fn parse(text: &str) -> Option<Stat> {
        let fields: Vec<&str> = text.get(text.rfind(')')? + 1..)?.split_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        Some(Stat { parent: u32::try_from(number(1)?).ok()?, user: number(11)?, system: number(12)? })
    }
}

fn is_of(mut pid: u32, root: u32, all: &BTreeMap<u32, Stat>) -> bool {
    loop {
        if pid == root {
            return true;
        }
        match all.get(&pid) {
            Some(stat) if stat.parent != 0 => pid = stat.parent,
            Some(_) | None => return false,
        }
    }
}

/// A figure in KiB of a file of lines: the proportional set size, the peak of the resident one.
fn kib(file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_read_whatever_the_name() {
        let stat = Stat::parse("12 (a) b (c)) S 7 1 1 0 -1 0 1 2 3 4 55 66 0 0 20").unwrap();
        assert_eq!((stat.parent, stat.user, stat.system), (7, 55, 66));
    }

    #[test]
    fn a_family_is_everything_below_its_root() {
        let stat = |parent| Stat { parent, user: 0, system: 0 };
        let all = BTreeMap::from([(1, stat(0)), (5, stat(1)), (6, stat(5)), (9, stat(1))]);
        let family: Vec<u32> = all.keys().copied().filter(|pid| is_of(*pid, 5, &all)).collect();
        assert_eq!(family, [5, 6]);
    }

    #[test]
    fn this_process_has_used_memory_and_a_missing_one_is_an_error() {
        let own = Usage::of_self().unwrap();
        assert!(own.memory_kib > 0 && own.peak_kib > 0, "{own:?}");
        assert!(Usage::of_family(std::process::id()).unwrap().memory_kib > 0);
        assert!(Usage::of_family(u32::MAX).is_err());
    }
}
