use std::fs;
use std::io;

/// CPU time of a process and all its descendants in nanoseconds, as the scheduler counted it: for what takes too little to be
/// seen in the ticks of [`load::Usage`].
pub(crate) fn cpu_ns(process: u32) -> io::Result<u64> {
    let mut sum = 0;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let thread = thread?.path();
        // A thread may end between two looks.
        let read = |file: &str| fs::read_to_string(thread.join(file)).unwrap_or_default();
        sum += read("schedstat").split_whitespace().next().and_then(|ran| ran.parse::<u64>().ok()).unwrap_or_default();
        for child in read("children").split_whitespace().filter_map(|child| child.parse().ok()) {
            sum += cpu_ns(child).unwrap_or_default();
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_run_and_a_missing_one_is_an_error() {
        assert!(cpu_ns(std::process::id()).unwrap() > 0);
        assert!(cpu_ns(u32::MAX).is_err());
    }
}
