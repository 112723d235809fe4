use bytes::Bytes;
use smallvec::SmallVec;
use wire::{Instant, Timing};

use crate::event::Failure;

/// The timers of RFC 3261 §17 (Table 4) and RFC 6026 §7.1. The letters are theirs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Timer {
    /// INVITE request retransmission.
    A,
    /// INVITE transaction timeout.
    B,
    /// Wait for retransmissions of a final response to INVITE other than 2xx.
    D,
    /// Non-INVITE request retransmission.
    E,
    /// Non-INVITE transaction timeout.
    F,
    /// Retransmission of a final response to INVITE other than 2xx.
    G,
    /// Wait for the ACK.
    H,
    /// Wait for retransmissions of the ACK.
    I,
    /// Wait for retransmissions of a non-INVITE request.
    J,
    /// Wait for retransmissions of a response to a non-INVITE request.
    K,
    /// Wait for retransmissions of an accepted INVITE (RFC 6026).
    L,
    /// Wait for further 2xx to an INVITE (RFC 6026).
    M,
    /// After CANCEL: wait for the final response to the INVITE (RFC 3261 §9.1, without a letter there).
    Cancelled,
}

/// What a machine wants done. Inner machines have no queue: the stack hands them one of these and carries it out.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// Messages to send, in order.
    pub(crate) send: SmallVec<[Bytes; 2]>,
    /// Timers to arm.
    pub(crate) arm: SmallVec<[(Timer, Instant); 2]>,
    /// Whether the response at hand goes up to the role.
    pub(crate) deliver: bool,
    /// The transaction failed.
    pub(crate) failed: Option<Failure>,
    /// The wait for an ACK was in vain.
    pub(crate) unacknowledged: bool,
    /// The role's response must not be sent (RFC 4320).
    pub(crate) suppressed: bool,
    /// The transaction is over and leaves its table.
    pub(crate) terminated: bool,
}

/// What every machine is told about its surroundings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context {
    pub(crate) now: Instant,
    pub(crate) timing: Timing,
    /// Whether the transport repeats by itself what was lost.
    pub(crate) reliable: bool,
}
