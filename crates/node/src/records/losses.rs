/// Records that a node lost while nobody took them, for the log: a line when that begins and one when it is over.
#[derive(Debug, Default)]
pub(super) struct Losses {
    /// How many there were before.
    before: u64,
    /// Whether there are some that the log knows of.
    is_told: bool,
}

impl Losses {
    /// Records wait in the node, which has lost so many in all.
    pub(super) fn look(&mut self, lost: u64) {
        if lost > self.before && !std::mem::replace(&mut self.is_told, true) {
            tracing::error!("as many records wait as may: each new one takes the place of the oldest, which is lost");
        }
    }

    /// None wait in the node any more.
    pub(super) fn end(&mut self, lost: u64) {
        if std::mem::take(&mut self.is_told) {
            tracing::warn!(lost = lost - self.before, "no more records are lost");
            self.before = lost;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::logged;
    use super::*;

    #[test]
    fn losses_are_told_when_they_begin_and_counted_when_they_are_over() {
        let mut losses = Losses::default();
        let mut lines = logged(|| (0..=5).for_each(|lost| losses.look(lost)));
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("ERROR as many records wait as may"), "{lines:?}");
        lines = logged(|| (0..3).for_each(|_| losses.end(6)));
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("WARN no more records are lost lost=6"), "{lines:?}");
        assert_eq!(logged(|| losses.look(6)), [""; 0]);
    }
}
