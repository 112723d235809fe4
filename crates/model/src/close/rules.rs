use std::fmt;

/// A rule of the durable close. The design is all of them; each is here because the search finds what goes wrong without.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    /// What a restart needs of a session is in the journal before the session is up (`Row::Bridge`).
    RowAtSetUp,
    /// Who closes is in the journal before the BYE is answered 200 (`Intent`).
    IntentBefore200,
    /// A restarted node continues from a sequence number well ahead of the journal's (`CSEQ_JUMP`).
    CseqJump,
    /// A BYE answered 500 is sent again with a higher sequence number: the leg is not closed.
    RefusalIsNotClosed,
    /// A restarted node closes every session that it finds in the journal (`resume`): the BYE is the audit as well.
    RestartCloses,
    /// An end that answers that BYE with 481 had closed, and the record says so (`had_closed`).
    GoneIsTheCause,
    /// A session that is not refreshed is closed (RFC 4028).
    SessionTimer,
    /// A BYE that nobody answers for 64*T1 ends the leg all the same.
    TimerFEndsTheLeg,
    /// That the session is over, and its record, are one entry (`Row::Over`).
    OneEntry,
    /// A record has a key, and whoever takes records keeps one of each.
    RecordKey,
    /// Every entry names the ownership (the epoch) that it was made under, and fails when that is over. For nodes that share
    /// a journal.
    CompareAndSet,
    /// A node whose entry fails so lets the session go. For nodes that share a journal.
    Fence,
}

impl Rule {
    /// All of them.
    pub const ALL: [Rule; 12] = [
        Rule::RowAtSetUp,
        Rule::IntentBefore200,
        Rule::CseqJump,
        Rule::RefusalIsNotClosed,
        Rule::RestartCloses,
        Rule::GoneIsTheCause,
        Rule::SessionTimer,
        Rule::TimerFEndsTheLeg,
        Rule::OneEntry,
        Rule::RecordKey,
        Rule::CompareAndSet,
        Rule::Fence,
    ];
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rule::RowAtSetUp => "row at set-up",
            Rule::IntentBefore200 => "intent before the 200",
            Rule::CseqJump => "CSeq jump",
            Rule::RefusalIsNotClosed => "a refusal is not closed",
            Rule::RestartCloses => "a restart closes",
            Rule::GoneIsTheCause => "gone is the cause",
            Rule::SessionTimer => "session timer",
            Rule::TimerFEndsTheLeg => "Timer F ends the leg",
            Rule::OneEntry => "one entry",
            Rule::RecordKey => "record key",
            Rule::CompareAndSet => "compare and set",
            Rule::Fence => "fence",
        })
    }
}
