use sdp_types::Session;

use crate::line::{Lines, check_start};
use crate::{MsrpMedia, ParseError};

/// What identifies a description and tells a new one from a repeated one: the numbers of `o=` (RFC 8866 §5.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OriginId {
    /// Stays the same for the life of the session.
    pub session_id: u64,
    /// Goes up by one whenever the description changes (RFC 3264 §8).
    pub version: u64,
}

/// A session description: the bytes as they came, and a typed reading of what concerns MSRP.
///
/// The reading asks little, since what we do not understand is passed on and not judged. Only a body that is too long or
/// does not begin with `v=0` is refused. If `sdp-types` refuses the body as a whole (text that is not UTF-8, a line without
/// `=`, two `s=` lines …), it is given the lines one by one, and a line it refuses even then is left out of the reading, never
/// out of the bytes. An m-line that cannot be read counts as one with port 0, so that the m-lines keep their numbers.
#[derive(Clone, Debug)]
pub struct SessionDescription {
    lines: Lines,
    session: Session,
    msrp: Vec<MsrpMedia>,
}

impl SessionDescription {
    /// Reads a body of type `application/sdp`.
    pub fn parse(bytes: &[u8]) -> Result<SessionDescription, ParseError> {
        let lines = Lines::cut(bytes)?;
        check_start(bytes)?;
        let session = read(&lines)?;
        let msrp = (session.medias.iter().enumerate())
            .filter_map(|(index, media)| MsrpMedia::read(index, media, &session))
            .collect();
        Ok(SessionDescription { lines, session, msrp })
    }

    /// The body as it came.
    pub fn as_bytes(&self) -> &[u8] {
        self.lines.bytes()
    }

    /// The numbers of `o=`; `None` if the line is missing or its session-id is no number.
    pub fn origin_id(&self) -> Option<OriginId> {
        self.lines.session().find(|&n| self.lines.content(n).starts_with(b"o="))?;
        let origin = &self.session.origin;
        Some(OriginId { session_id: origin.sess_id.parse().ok()?, version: origin.sess_version })
    }

    /// How many m-lines there are, of any kind. An answer has as many (RFC 3264 §6).
    pub fn media_count(&self) -> usize {
        self.session.medias.len()
    }

    /// All MSRP media over TCP or TLS, also those with port 0, in order.
    pub fn msrp_media(&self) -> &[MsrpMedia] {
        &self.msrp
    }

    /// The first MSRP media that is not rejected (port 0): the one that a session of ours is about.
    pub fn msrp(&self) -> Option<&MsrpMedia> {
        self.msrp.iter().find(|media| media.port != 0)
    }

    pub(crate) fn lines(&self) -> &Lines {
        &self.lines
    }

    pub(crate) fn session(&self) -> &Session {
        &self.session
    }
}

fn read(lines: &Lines) -> Result<Session, ParseError> {
    let agrees = |session: &Session| session.medias.len() == lines.media_count();
    if let Some(session) = Session::parse(lines.bytes()).ok().filter(agrees) {
        return Ok(session);
    }
    let readable = readable_lines(lines);
    let session = Session::parse(readable.as_bytes()).ok().filter(agrees);
    session.ok_or(ParseError { at: 0, expected: "a session description" })
}

/// The lines that matter to us and that `sdp-types` can read, each on its own.
fn readable_lines(lines: &Lines) -> String {
    let mut readable = "v=0\n".to_owned();
    let mut seen = (false, false);
    for n in 0..lines.len() {
        let content = lines.content(n);
        let text = match content.first() {
            Some(b'm') if content.starts_with(b"m=") => {
                readable_line(content).or_else(|| Some(unreadable_media(content)))
            }
            // The parser takes one o= and one session-level c=: the first readable one counts.
            Some(b'o') if !seen.0 => readable_line(content).inspect(|_| seen.0 = true),
            Some(b'c') if !lines.session().contains(&n) => readable_line(content),
            Some(b'c') if !seen.1 => readable_line(content).inspect(|_| seen.1 = true),
            Some(b'a' | b't') => readable_line(content),
            Some(_) | None => None,
        };
        if let Some(text) = text {
            readable.push_str(&text);
            readable.push('\n');
        }
    }
    readable
}

fn readable_line(content: &[u8]) -> Option<String> {
    let text = str::from_utf8(content).ok()?;
    Session::parse(format!("v=0\n{text}").as_bytes()).ok()?;
    Some(text.to_owned())
}

/// An m-line that stands in for one that cannot be read: what there is of its fields, and port 0.
fn unreadable_media(content: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(content).chars().filter(|c| !matches!(c, '\r' | '\0')).collect();
    let mut fields = text.split_ascii_whitespace();
    let media = fields.next().unwrap_or("m=-");
    let protocol = fields.nth(1).unwrap_or("-");
    let formats: Vec<&str> = fields.collect();
    let formats = if formats.is_empty() { "-".to_owned() } else { formats.join(" ") };
    format!("{media} 0 {protocol} {formats}")
}

#[cfg(test)]
mod tests;
