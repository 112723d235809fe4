use wire::Histogram;

use crate::Status;

/// Requests since the start, and what became of them; each chunk is one. REPORTs are not among them: nobody answers those.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Traffic {
    /// Requests that came.
    pub received: u64,
    /// What was answered to them, or would have been if their senders had wanted it.
    pub answered: Outcomes,
    /// Requests that were sent.
    pub sent: u64,
    /// What was answered to those.
    pub confirmed: Outcomes,
    /// Requests of ours that must be answered, and that nobody answered in time.
    pub unanswered: u64,
    /// How long answers to requests of ours took, from when the host had written the request.
    pub took: Histogram,
}

/// Answers by what they say.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Outcomes {
    /// 200.
    pub success: u64,
    /// 400 to 599.
    pub failure: u64,
}

impl Outcomes {
    pub(crate) const fn add(&mut self, status: Status) {
        if status.is_success() {
            self.success += 1;
        } else {
            self.failure += 1;
        }
    }
}
