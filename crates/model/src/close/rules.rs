use std::fmt;

/// A rule of the durable close. The design is all of them; each is here because the search finds what goes wrong without.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    /// What a restart needs of a session is in the journal before the session is up.
    RowAtSetUp,
    /// The intent to close is in the journal before a BYE is answered 200 or one is sent.
    IntentBefore200,
    /// A restarted node continues from a sequence number well ahead of the journal's.
    CseqJump,
    /// That number is in the journal before it is used, so that the next restart jumps from there.
    CseqFloor,
    /// A BYE answered 500 is sent again with a higher sequence number: the leg is not closed.
    RefusalIsNotClosed,
    /// A restarted node asks both ends of every session that it resumes.
    RestartAudit,
    /// Only 481, 408 and silence say that an end is gone; any other refusal of a question says nothing.
    OnlyGoneIsGone,
    /// A session that is not refreshed is closed (RFC 4028).
    SessionTimer,
    /// A BYE that nobody answers for 64*T1 ends the leg all the same.
    TimerFEndsTheLeg,
    /// That the session is closed, and its record, are one append.
    OneAppend,
    /// A record has a key, and the sink keeps one of each.
    RecordKey,
    /// Every append names the ownership (the epoch) that it was made under, and fails when that is over.
    CompareAndSet,
    /// A node whose append fails so lets the session go.
    Fence,
}

impl Rule {
    /// All of them.
    pub const ALL: [Rule; 13] = [
        Rule::RowAtSetUp,
        Rule::IntentBefore200,
        Rule::CseqJump,
        Rule::CseqFloor,
        Rule::RefusalIsNotClosed,
        Rule::RestartAudit,
        Rule::OnlyGoneIsGone,
        Rule::SessionTimer,
        Rule::TimerFEndsTheLeg,
        Rule::OneAppend,
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
            Rule::CseqFloor => "CSeq floor",
            Rule::RefusalIsNotClosed => "a refusal is not closed",
            Rule::RestartAudit => "restart audit",
            Rule::OnlyGoneIsGone => "only gone is gone",
            Rule::SessionTimer => "session timer",
            Rule::TimerFEndsTheLeg => "Timer F ends the leg",
            Rule::OneAppend => "one append",
            Rule::RecordKey => "record key",
            Rule::CompareAndSet => "compare and set",
            Rule::Fence => "fence",
        })
    }
}
