//! What new work is told when there is no room for it.

use sip::Name;
use sip_proxy::Reject;
use wire::Entropy;

use crate::Participating;

impl Participating {
    /// Whether there is no room for new work.
    pub(crate) fn is_full(&mut self) -> bool {
        let is_full = self.control.open_sessions() >= self.config.max_sessions - self.config.max_sessions / 5;
        self.turned_away += u64::from(is_full);
        is_full
    }

    /// Requests refused because too many sessions are open.
    pub const fn turned_away(&self) -> u64 {
        self.turned_away
    }
}

/// 503, with a time that is drawn, or all who are refused at once would be back at once.
pub(crate) fn come_back(dice: &mut Entropy) -> Reject {
    Reject::new(503).with(Name::RetryAfter, (1 + dice.below(10)).to_string())
}
