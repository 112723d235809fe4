use bytes::{Buf, Bytes, BytesMut};
use smallvec::SmallVec;

use crate::frame::{Flag, Frame};
use crate::hyphens;
use crate::parse::{self, StartLine};
use crate::{HeadLimits, ParseError};

/// How much of a head that came in pieces is gathered at a time.
const GATHER: usize = 1024;

/// Cuts a byte stream into frames. Bodies pass through as slices of what was read; only a head that came in pieces is
/// gathered, and of a body at most the octets that may be the start of its end-line.
#[derive(Debug)]
pub struct Decoder {
    limits: HeadLimits,
    state: State,
    /// The end of a request without a body, to be handed out after its head.
    ended: Option<Flag>,
    /// The head so far, when it came in pieces.
    partial: BytesMut,
    /// How far the head was searched, and where its current line starts.
    scanned: usize,
    line: usize,
    start: Option<StartLine>,
    /// Where each line after the start line ends, its CRLF counted.
    ends: SmallVec<[u16; 12]>,
    /// CRLF, seven hyphens and the transaction identifier of the current frame.
    mark: SmallVec<[u8; 80]>,
    /// Octets of the body that may be the start of the end-line.
    held: SmallVec<[u8; 88]>,
    /// How many of `held`, at its start, are no octets of the body but the end of the head.
    borrowed: usize,
    /// Octets looked at, for the test that time is linear.
    #[cfg(test)]
    steps: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Between,
    Head,
    Body,
    Broken(ParseError),
}

/// How a head ends.
struct HeadEnd {
    /// Where the head ends.
    len: usize,
    /// The flag of the end-line that ended it; `None` is a blank line, before a body.
    flag: Option<Flag>,
}

/// Octets of a body that stand together.
struct Stretch {
    /// How many. If no end-line follows, what may be the start of one does.
    len: usize,
    /// There are no seven hyphens in a row in them.
    plain: bool,
    /// The end-line that follows, and its length.
    end: Option<(Flag, usize)>,
}

/// What octets that start like an end-line are.
enum Match {
    End(Flag, usize),
    Partial,
    No,
}

impl Decoder {
    /// A decoder at the start of a stream.
    pub fn new(limits: HeadLimits) -> Decoder {
        Decoder {
            limits: HeadLimits { head: limits.head.min(usize::from(u16::MAX)), ..limits },
            state: State::Between,
            ended: None,
            partial: BytesMut::new(),
            scanned: 0,
            line: 0,
            start: None,
            ends: SmallVec::new(),
            mark: SmallVec::new(),
            held: SmallVec::new(),
            borrowed: 0,
            #[cfg(test)]
            steps: 0,
        }
    }

    /// Takes the next frame off the front of `input`; `None` when it is used up. An error is final: the stream cannot be
    /// followed any further, and what to do is to close it.
    pub fn next(&mut self, input: &mut Bytes) -> Result<Option<Frame>, ParseError> {
        if let Some(flag) = self.ended.take() {
            return Ok(Some(Frame::End(flag)));
        }
        loop {
            match self.state {
                State::Between => {
                    // Nothing is said of line breaks between frames; some send them to keep a connection alive.
                    let blank = input.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
                    input.advance(blank);
                    self.count(blank);
                    if input.is_empty() {
                        return Ok(None);
                    }
                    self.state = State::Head;
                }
                State::Head => match self.head(input) {
                    Ok(Some(frame)) => return Ok(Some(frame)),
                    Ok(None) if input.is_empty() => return Ok(None),
                    Ok(None) => {}
                    Err(error) => {
                        self.partial = BytesMut::new();
                        self.state = State::Broken(error);
                    }
                },
                State::Body => return Ok(self.body(input)),
                State::Broken(error) => return Err(error),
            }
        }
    }

    /// Whether a head has begun and not ended: a peer may not take for ever over it.
    pub fn in_head(&self) -> bool {
        self.state == State::Head
    }

    /// Whether the stream stands between two frames: to end here loses nothing.
    pub fn is_between(&self) -> bool {
        self.state == State::Between && self.ended.is_none()
    }

    fn head(&mut self, input: &mut Bytes) -> Result<Option<Frame>, ParseError> {
        if self.partial.is_empty() {
            if let Some(end) = self.scan(input)? {
                let bytes = input.split_to(end.len);
                return Ok(Some(self.head_done(bytes, &end)));
            }
            let all = input.split_to(input.len());
            self.partial.extend_from_slice(&all);
            return Ok(None);
        }
        let before = self.partial.len();
        let take = input.len().min(GATHER);
        self.partial.extend_from_slice(&input[..take]);
        let mut partial = std::mem::take(&mut self.partial);
        let Some(end) = self.scan(&partial)? else {
            self.partial = partial;
            input.advance(take);
            return Ok(None);
        };
        input.advance(end.len - before);
        partial.truncate(end.len);
        Ok(Some(self.head_done(partial.freeze(), &end)))
    }

    /// Searches on for the end of the head: a blank line, or the end-line of a request without body.
    fn scan(&mut self, text: &[u8]) -> Result<Option<HeadEnd>, ParseError> {
        let opening = text.len().min(5);
        if text[..opening] != b"MSRP "[..opening] {
            return Err(ParseError::new(0, "MSRP and a space"));
        }
        while let Some(lf) = memchr::memchr(b'\n', &text[self.scanned..]) {
            let lf = self.scanned + lf;
            self.count(lf + 1 - self.scanned);
            self.scanned = lf + 1;
            if lf == self.line || text[lf - 1] != b'\r' {
                // Without a start line nobody knows the end-line. Later, it is an odd character in a header field.
                if self.start.is_none() {
                    return Err(ParseError::new(lf, "CR before LF"));
                }
                continue;
            }
            let line = &text[self.line..lf - 1];
            if self.start.is_none() {
                let start = parse::start_line(line)?;
                self.mark = SmallVec::from_slice(b"\r\n-------");
                let id = usize::from(start.transaction.start)..usize::from(start.transaction.end);
                self.mark.extend_from_slice(&text[id]);
                self.start = Some(start);
            } else if let Some(flag) = self.line_flag(line) {
                if lf >= self.limits.head {
                    break;
                }
                return Ok(Some(HeadEnd { len: lf + 1, flag }));
            } else {
                // What goes beyond is more than a head may have, and refused below.
                self.ends.push((lf + 1) as u16);
            }
            self.line = lf + 1;
        }
        self.count(text.len() - self.scanned);
        self.scanned = text.len();
        if text.len() > self.limits.head {
            return Err(ParseError::new(self.limits.head, "a smaller head"));
        }
        Ok(None)
    }

    /// Whether a line ends the head: `Some(None)` is a blank line, `Some(Some(_))` an end-line.
    fn line_flag(&self, line: &[u8]) -> Option<Option<Flag>> {
        if line.is_empty() {
            return Some(None);
        }
        let (flag, rest) = line.split_last()?;
        if rest == &self.mark[2..] { Flag::from_byte(*flag).map(Some) } else { None }
    }

    fn head_done(&mut self, bytes: Bytes, end: &HeadEnd) -> Frame {
        self.scanned = 0;
        self.line = 0;
        let ends = std::mem::take(&mut self.ends);
        self.ended = end.flag;
        if end.flag.is_some() {
            self.state = State::Between;
        } else {
            // The CRLF of the blank line may be that of an end-line: then the body is empty.
            self.state = State::Body;
            self.held = SmallVec::from_slice(b"\r\n");
            self.borrowed = 2;
        }
        self.count(end.len);
        let start = self.start.take().expect("the scan found a start line before it found an end");
        Frame::Head(Box::new(parse::index(bytes, start, &ends, end.flag.is_none(), &self.limits)))
    }

    fn body(&mut self, input: &mut Bytes) -> Option<Frame> {
        while !self.held.is_empty() {
            if input.is_empty() {
                return None;
            }
            if let Some(frame) = self.held_on(input) {
                return Some(frame);
            }
            if self.state != State::Body {
                return None;
            }
        }
        let Stretch { len, plain, end } = self.stretch(input);
        match end {
            Some((flag, line)) if len == 0 => {
                self.count(line);
                input.advance(line);
                self.state = State::Between;
                return Some(Frame::End(flag));
            }
            Some(_) => {
                self.count(len);
                return Some(Frame::Body { data: input.split_to(len), plain });
            }
            None => {}
        }
        self.count(input.len());
        let data = input.split_to(len);
        self.held = SmallVec::from_slice(input);
        input.clear();
        (!data.is_empty()).then_some(Frame::Body { data, plain })
    }

    /// How much of `text`, which nothing was held before, is body.
    fn stretch(&self, text: &[u8]) -> Stretch {
        let mut plain = true;
        for row in hyphens::rows(text) {
            if let Some(len) = row.start.checked_sub(2) {
                match self.end_line(&text[len..]) {
                    Match::End(flag, line) => return Stretch { len, plain, end: Some((flag, line)) },
                    Match::Partial => return Stretch { len, plain, end: None },
                    Match::No => {}
                }
            }
            plain = false;
        }
        Stretch { len: self.possible_start(text), plain, end: None }
    }

    /// Goes on with octets that were held because they may be the start of the end-line.
    fn held_on(&mut self, input: &mut Bytes) -> Option<Frame> {
        let had = self.held.len();
        let take = input.len().min(self.mark.len() + 3 - had);
        self.count(take);
        self.held.extend_from_slice(&input[..take]);
        match self.end_line(&self.held) {
            Match::Partial => {
                input.advance(take);
                None
            }
            Match::End(flag, len) => {
                input.advance(len - had);
                self.held.clear();
                self.borrowed = 0;
                self.state = State::Between;
                Some(Frame::End(flag))
            }
            Match::No => {
                self.held.truncate(had);
                let next = memchr::memchr(b'\r', &self.held[1..]).map_or(had, |at| at + 1);
                let lent = self.borrowed.min(next);
                let data = Bytes::copy_from_slice(&self.held[lent..next]);
                self.borrowed -= lent;
                self.held.drain(..next);
                (!data.is_empty()).then_some(Frame::Body { data, plain: false })
            }
        }
    }

    /// What `text` is, which starts where an end-line would.
    fn end_line(&self, text: &[u8]) -> Match {
        let len = self.mark.len();
        if text.len() < len {
            return if self.mark.starts_with(text) { Match::Partial } else { Match::No };
        }
        if text[..len] != self.mark[..] {
            return Match::No;
        }
        match text[len..] {
            [] => Match::Partial,
            [flag, ref rest @ ..] => match (Flag::from_byte(flag), rest) {
                (Some(_), [] | [b'\r']) => Match::Partial,
                (Some(flag), [b'\r', b'\n', ..]) => Match::End(flag, len + 3),
                (Some(_) | None, _) => Match::No,
            },
        }
    }

    /// Where the end of `text` may be the start of the end-line; its length if nowhere.
    fn possible_start(&self, text: &[u8]) -> usize {
        let from = text.len().saturating_sub(self.mark.len() - 1);
        let mut starts = memchr::memchr_iter(b'\r', &text[from..]).map(|at| from + at);
        starts.find(|at| self.mark.starts_with(&text[*at..])).unwrap_or(text.len())
    }

    #[cfg(test)]
    fn count(&mut self, steps: usize) {
        self.steps += steps;
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "only tests count")]
    const fn count(&self, _: usize) {}
}

#[cfg(test)]
mod tests;
