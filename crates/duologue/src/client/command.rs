//! What a line of the user means.

use std::time::Duration;

use role_client::Event;

/// A line, read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Command {
    Nothing,
    Say(String),
    Invite(String),
    Accept,
    Decline,
    Close,
    Sessions,
    Switch(u32),
    Typing,
    Resend,
    Wait(Wait, Option<Duration>),
    Help,
    Quit,
}

/// What `/wait` waits for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Wait {
    RelayUp,
    Registered,
    Incoming,
    Established,
    Message,
    Sent,
    NotSent,
    Composing,
    Delivered,
    Displayed,
    Closed,
}

impl Wait {
    pub(super) const ALL: [Wait; 11] = [
        Wait::RelayUp,
        Wait::Registered,
        Wait::Incoming,
        Wait::Established,
        Wait::Message,
        Wait::Sent,
        Wait::NotSent,
        Wait::Composing,
        Wait::Delivered,
        Wait::Displayed,
        Wait::Closed,
    ];

    const fn word(self) -> &'static str {
        match self {
            Wait::RelayUp => "relay-up",
            Wait::Registered => "registered",
            Wait::Incoming => "incoming",
            Wait::Established => "established",
            Wait::Message => "message",
            Wait::Sent => "sent",
            Wait::NotSent => "not-sent",
            Wait::Composing => "composing",
            Wait::Delivered => "delivered",
            Wait::Displayed => "displayed",
            Wait::Closed => "closed",
        }
    }

    pub(super) const fn is_over(self, event: &Event) -> bool {
        match self {
            Wait::RelayUp => matches!(event, Event::RelayUp),
            Wait::Registered => matches!(event, Event::Registered { .. }),
            Wait::Incoming => matches!(event, Event::Incoming { .. }),
            Wait::Established => matches!(event, Event::Established { .. }),
            Wait::Message => matches!(event, Event::Message { .. }),
            Wait::Sent => matches!(event, Event::Sent { .. }),
            Wait::NotSent => matches!(event, Event::NotSent { .. }),
            Wait::Composing => matches!(event, Event::Composing { active: true, .. }),
            Wait::Delivered => matches!(event, Event::Delivered { .. }),
            Wait::Displayed => matches!(event, Event::Displayed { .. }),
            Wait::Closed => matches!(event, Event::Closed { .. } | Event::Failed { .. }),
        }
    }

    /// What will not happen after this event: nobody needs to wait until patience is at an end.
    pub(super) const fn missed(event: &Event) -> Option<Wait> {
        match event {
            Event::RegistrationFailed { .. } => Some(Wait::Registered),
            Event::RelayFailed { .. } => Some(Wait::RelayUp),
            Event::Failed { .. } => Some(Wait::Established),
            Event::Registered { .. }
            | Event::Unregistered
            | Event::RelayUp
            | Event::ReceiptLost { .. }
            | Event::Incoming { .. }
            | Event::Ringing { .. }
            | Event::Established { .. }
            | Event::Closed { .. }
            | Event::MediaUp { .. }
            | Event::Message { .. }
            | Event::Sent { .. }
            | Event::Delivered { .. }
            | Event::Displayed { .. }
            | Event::NotSent { .. }
            | Event::Composing { .. } => None,
        }
    }
}

impl Command {
    /// A line that begins with `/` is a command, one that begins with `//` a message that begins with `/`; everything else
    /// is a message.
    pub(super) fn parse(line: &str) -> Result<Command, String> {
        let Some(rest) = line.strip_prefix('/') else {
            return Ok(if line.trim().is_empty() { Command::Nothing } else { Command::Say(line.to_owned()) });
        };
        if rest.starts_with('/') {
            return Ok(Command::Say(rest.to_owned()));
        }
        let mut words = rest.split_whitespace();
        let (name, argument) = (words.next().unwrap_or_default(), words.next());
        match (name, argument) {
            ("invite", Some(to)) => Ok(Command::Invite(to.to_owned())),
            ("invite", None) => Err("whom? /invite sip:bob@home2.test".to_owned()),
            ("accept", None) => Ok(Command::Accept),
            ("decline", None) => Ok(Command::Decline),
            ("close", None) => Ok(Command::Close),
            ("sessions", None) => Ok(Command::Sessions),
            ("switch", Some(number)) => {
                number.parse().map(Command::Switch).map_err(|_| format!("`{number}` is no number of a session"))
            }
            ("switch", None) => Err("to which? /sessions lists them".to_owned()),
            ("typing", None) => Ok(Command::Typing),
            ("resend", None) => Ok(Command::Resend),
            ("help", None) => Ok(Command::Help),
            ("quit", None) => Ok(Command::Quit),
            ("wait", Some(what)) => wait(what, words.next()),
            _ => Err(format!("`{line}` is no command; /help lists them")),
        }
    }
}

fn wait(what: &str, seconds: Option<&str>) -> Result<Command, String> {
    let known = Wait::ALL.into_iter().find(|wait| wait.word() == what);
    let words = || Wait::ALL.map(Wait::word).join(", ");
    let wait = known.ok_or_else(|| format!("nobody can wait for `{what}`, but for {}", words()))?;
    let patience = match seconds {
        None => None,
        Some(text) => {
            Some(text.parse().map(Duration::from_secs).map_err(|_| format!("`{text}` is no number of seconds"))?)
        }
    };
    Ok(Command::Wait(wait, patience))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_messages_unless_they_begin_with_a_slash() {
        let say = |text: &str| Ok(Command::Say(text.to_owned()));
        assert_eq!(Command::parse("hello there"), say("hello there"));
        assert_eq!(Command::parse("//etc/passwd"), say("/etc/passwd"));
        assert_eq!(Command::parse("  "), Ok(Command::Nothing));
        assert_eq!(Command::parse("/invite sip:b@x"), Ok(Command::Invite("sip:b@x".to_owned())));
        assert_eq!(Command::parse("/wait closed 5"), Ok(Command::Wait(Wait::Closed, Some(Duration::from_secs(5)))));
        assert_eq!(Command::parse("/switch 2"), Ok(Command::Switch(2)));
        assert_eq!(Command::parse("/quit"), Ok(Command::Quit));
    }

    #[test]
    fn a_wrong_line_says_what_would_be_right() {
        for (line, cure) in [
            ("/invite", "/invite sip:"),
            ("/dance", "/help"),
            ("/switch", "/sessions"),
            ("/switch bob", "number"),
            ("/wait rain", "registered"),
            ("/wait closed x", "seconds"),
        ] {
            assert!(Command::parse(line).unwrap_err().contains(cure), "{line}");
        }
    }
}
