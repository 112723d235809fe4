//! What the user sees: lines for people, or one JSON object per line.

use std::io::{Write as _, stderr, stdout};

use role_client::{ClosedBy, Event};
use serde_json::{Value, json};

use super::sessions::Sessions;

pub(super) struct Screen {
    json: bool,
}

impl Screen {
    pub(super) const fn new(json: bool) -> Screen {
        Screen { json }
    }

    pub(super) fn help(&self) {
        self.line(
            "/invite URI  /accept  /decline  /close  /sessions  /switch N  /typing  /resend  /quit; every other line is a \
             message. In scripts: /wait WHAT [SECONDS]",
            &json!({ "event": "help" }),
        );
    }

    pub(super) fn complain(&self, problem: &str) {
        // Nobody to tell, if that fails.
        drop(writeln!(stderr(), "{problem}"));
    }

    pub(super) fn sending(&self, message_id: &str) {
        if self.json {
            self.line("", &json!({ "event": "sending", "message_id": message_id }));
        }
    }

    /// Shows what happened; which session it is about only if there are several.
    pub(super) fn show(&self, event: &Event, sessions: &Sessions) {
        let number = event.session().and_then(|session| sessions.number(session));
        let text = match number.filter(|_| sessions.len() > 1) {
            Some(number) => prefixed(number, text(event)),
            None => text(event),
        };
        if self.json || !text.is_empty() {
            let mut value = value(event);
            if let (Some(number), Some(fields)) = (number, value.as_object_mut()) {
                fields.insert("session".to_owned(), number.into());
            }
            self.line(&text, &value);
        }
    }

    pub(super) fn sessions(&self, sessions: &Sessions) {
        if sessions.len() == 0 {
            self.line("* no session", &json!({ "event": "sessions", "sessions": [] }));
            return;
        }
        let mark = |talk: &super::sessions::Talk| if Some(talk.session) == sessions.current() { '>' } else { ' ' };
        let state = |up: bool| if up { "in session" } else { "being set up" };
        let rows: Vec<_> = sessions
            .iter()
            .map(|talk| format!("{} {}  {}  {}", mark(talk), talk.number, talk.peer, state(talk.is_up)))
            .collect();
        let value: Vec<_> = sessions
            .iter()
            .map(|talk| {
                let is_current = Some(talk.session) == sessions.current();
                json!({ "session": talk.number, "peer": talk.peer, "up": talk.is_up, "current": is_current })
            })
            .collect();
        self.line(&rows.join("\n"), &json!({ "event": "sessions", "sessions": value }));
    }

    fn line(&self, text: &str, value: &Value) {
        // A closed standard output is noticed by whoever closed it.
        drop(if self.json { writeln!(stdout(), "{value}") } else { writeln!(stdout(), "{text}") });
    }
}

fn prefixed(number: u32, text: String) -> String {
    if text.is_empty() { text } else { format!("[{number}] {text}") }
}

/// The first characters of an identifier: enough to tell the last few messages apart.
fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

fn text(event: &Event) -> String {
    match event {
        Event::Registered { expires } => format!("* registered for {expires} s"),
        Event::RegistrationFailed { status } => format!("* not registered: {status} {}", sip::reason(*status)),
        Event::Unregistered => "* no longer registered".to_owned(),
        Event::RelayUp => "* the MSRP relay lets messages through".to_owned(),
        Event::RelayFailed { status: 401 } => "* the MSRP relay does not take user and password (401)".to_owned(),
        Event::RelayFailed { status: 408 } => "* the MSRP relay does not answer (408); it is asked again".to_owned(),
        Event::RelayFailed { status } => format!("* the MSRP relay refuses: {status}"),
        Event::Incoming { from, .. } => format!("* {from} calls: /accept or /decline"),
        Event::Ringing { .. } => "* it rings".to_owned(),
        Event::Established { .. } => "* in session".to_owned(),
        Event::Failed { status, .. } => format!("* no session: {status} {}", sip::reason(*status)),
        Event::Closed { by, .. } => format!("* closed {}", by_whom(*by)),
        Event::MediaUp { .. } => "* messages flow".to_owned(),
        Event::Message { from, content, content_type, .. } if content_type.starts_with("text/") => {
            format!("{from}: {}", String::from_utf8_lossy(content))
        }
        Event::Message { from, content, content_type, .. } => {
            format!("{from}: [{content_type}, {} octets]", content.len())
        }
        Event::Sent { .. } => String::new(),
        Event::Delivered { message_id, .. } => format!("  {} delivered", short(message_id)),
        Event::Displayed { message_id, .. } => format!("  {} displayed", short(message_id)),
        Event::NotSent { message_id, unknown: false, .. } => format!("  {} not sent", short(message_id)),
        Event::NotSent { message_id, unknown: true, .. } => format!("  {} perhaps not sent", short(message_id)),
        Event::ReceiptLost { message_id, status, .. } => {
            format!("  the receipt for {} was lost: {status} {}", short(message_id), sip::reason(*status))
        }
        Event::Composing { active: true, .. } => "  … is typing".to_owned(),
        Event::Composing { active: false, .. } => String::new(),
    }
}

const fn by_whom(by: ClosedBy) -> &'static str {
    match by {
        ClosedBy::Us => "by you",
        ClosedBy::Peer => "by the other side",
        ClosedBy::Both => "by both at once",
        ClosedBy::Nobody => "by the network",
    }
}

fn value(event: &Event) -> Value {
    match event {
        Event::Registered { expires } => json!({ "event": "registered", "expires": expires }),
        Event::RegistrationFailed { status } => json!({ "event": "registration-failed", "status": status }),
        Event::Unregistered => json!({ "event": "unregistered" }),
        Event::RelayUp => json!({ "event": "relay-up" }),
        Event::RelayFailed { status } => json!({ "event": "relay-failed", "status": status }),
        Event::Incoming { from, conversation_id, .. } => {
            json!({ "event": "incoming", "from": from, "conversation_id": conversation_id })
        }
        Event::Ringing { .. } => json!({ "event": "ringing" }),
        Event::Established { .. } => json!({ "event": "established" }),
        Event::Failed { status, .. } => json!({ "event": "failed", "status": status }),
        Event::Closed { by, .. } => json!({ "event": "closed", "by": by_whom(*by) }),
        Event::MediaUp { .. } => json!({ "event": "media-up" }),
        Event::Message { message_id, content_type, content, from, .. } => json!({
            "event": "message",
            "from": from,
            "message_id": message_id,
            "content_type": content_type,
            "content": String::from_utf8_lossy(content),
        }),
        Event::Sent { message_id, .. } => json!({ "event": "sent", "message_id": message_id }),
        Event::Delivered { message_id, .. } => json!({ "event": "delivered", "message_id": message_id }),
        Event::Displayed { message_id, .. } => json!({ "event": "displayed", "message_id": message_id }),
        Event::NotSent { message_id, unknown, .. } => {
            json!({ "event": "not-sent", "message_id": message_id, "unknown": unknown })
        }
        Event::ReceiptLost { message_id, status, .. } => {
            json!({ "event": "receipt-lost", "message_id": message_id, "status": status })
        }
        Event::Composing { active, .. } => json!({ "event": "composing", "active": active }),
    }
}
