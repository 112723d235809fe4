//! Waiting for what gives no event.

use std::time::{Duration, Instant};

/// Asks again and again, every few milliseconds, until there is an answer or the time is over.
///
/// For looks at files and at the kernel only; a process is waited for through its output ([`crate::Process`]).
pub fn until<T>(within: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + within;
    loop {
        if let Some(seen) = look() {
            return Some(seen);
        }
        if Instant::now() >= deadline {
            return None;
        }
        pause();
    }
}

/// The time between two looks.
#[expect(clippy::disallowed_methods, reason = "between two looks at something that gives no event")]
pub(crate) fn pause() {
    std::thread::sleep(Duration::from_millis(5));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_with_the_answer_or_with_the_deadline() {
        let mut looks = 0;
        let third = until(Duration::from_secs(10), || {
            looks += 1;
            (looks == 3).then_some(looks)
        });
        assert_eq!(third, Some(3));
        assert_eq!(until::<()>(Duration::from_millis(1), || None), None);
    }
}
