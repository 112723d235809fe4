use bytes::{Bytes, BytesMut};

use crate::{Decoder, Flag, Frame, Head, HeadLimits};

/// Cuts one direction of a connection, as somebody watches it pass from its first octet, into requests and responses; with the
/// time `At` of each. A body passes by and is not gathered.
#[derive(Debug)]
pub struct Cutter<At> {
    decoder: Decoder,
    /// How many octets of each body are kept, from its first one.
    keep: usize,
    /// When the piece with the first octet of the current frame passed.
    since: At,
    current: Option<Cut<At>>,
}

/// A request or response that has passed.
#[derive(Clone, Debug)]
pub struct Cut<At> {
    /// When its first octet passed.
    pub at: At,
    /// Start line and header fields.
    pub head: Head,
    /// The first octets of its body, as far as they are kept.
    pub body: BytesMut,
    /// How it ended.
    pub flag: Flag,
}

impl<At: Copy + Default> Cutter<At> {
    /// A cutter at the start of a stream, which keeps at most so many octets of a body.
    pub fn new(keep: usize) -> Cutter<At> {
        Cutter { decoder: Decoder::new(HeadLimits::default()), keep, since: At::default(), current: None }
    }

    /// Takes a piece as long as it happened to be and gives what it completes. Of a stream that cannot be followed nothing
    /// comes any more: what goes on in the middle of a message could pass for anything.
    pub fn push(&mut self, at: At, mut piece: Bytes) -> Vec<Cut<At>> {
        if self.decoder.is_between() {
            self.since = at;
        }
        let mut cuts = Vec::new();
        while let Ok(Some(frame)) = self.decoder.next(&mut piece) {
            cuts.extend(self.on_frame(frame, at));
        }
        if let Some(current) = &mut self.current {
            current.head.detach();
        }
        cuts
    }

    fn on_frame(&mut self, frame: Frame, at: At) -> Option<Cut<At>> {
        match frame {
            Frame::Head(head) => {
                let body = BytesMut::new();
                self.current = Some(Cut { at: self.since, head: *head, body, flag: Flag::Complete });
                None
            }
            Frame::Body { data: piece, .. } => {
                if let Some(current) = &mut self.current {
                    let room = self.keep.saturating_sub(current.body.len());
                    current.body.extend_from_slice(&piece[..piece.len().min(room)]);
                }
                None
            }
            Frame::End(flag) => {
                self.since = at;
                self.current.take().map(|current| Cut { flag, ..current })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was cut: time, start line, body and flag.
    type Shown = (u32, String, String, Flag);

    fn shown(cut: &Cut<u32>) -> Shown {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (cut.at, text(cut.head.start_line()), text(&cut.body), cut.flag)
    }

    fn cut(pieces: &[&[u8]], keep: usize) -> Vec<Shown> {
        let mut cutter = Cutter::new(keep);
        let numbered = (1..).zip(pieces);
        let cuts = numbered.flat_map(|(at, piece)| cutter.push(at, Bytes::copy_from_slice(piece)));
        cuts.map(|cut| shown(&cut)).collect()
    }

    /// A message that looks like requests of another transaction, whole ones, between two frames of other sessions.
    const STREAM: &str = "MSRP a786hjs2 SEND\r\nTo-Path: msrp://b:1/s1;tcp\r\nFrom-Path: msrp://a:1/s2;tcp\r\nMessage-ID: 1\r\n\
        Byte-Range: 1-99/99\r\nContent-Type: text/plain\r\n\r\n\
        MSRP b786hjs2 SEND\r\nTo-Path: msrp://b:1/s3;tcp\r\nFrom-Path: msrp://a:1/s4;tcp\r\n-------b786hjs2$\r\nbye\r\n\
        -------a786hjs2+\r\n\r\n\
        MSRP c786hjs2 200 OK\r\nTo-Path: msrp://b:1/s5;tcp\r\nFrom-Path: msrp://a:1/s6;tcp\r\n-------c786hjs2$\r\n";

    #[test]
    fn what_looks_like_a_head_inside_a_body_is_none_wherever_the_stream_is_split() {
        let body_end = STREAM.find("\r\n-------a786").unwrap();
        let body = &STREAM[STREAM.find("\r\n\r\n").unwrap() + 4..body_end];
        for split in 0..=STREAM.len() {
            let (first, second) = STREAM.as_bytes().split_at(split);
            let cuts = cut(&[first, second], usize::MAX);
            let send = (1 + u32::from(split == 0), "MSRP a786hjs2 SEND".to_owned(), body.to_owned(), Flag::Continued);
            let start = STREAM.find("MSRP c786").unwrap();
            let answer =
                (1 + u32::from(split <= start), "MSRP c786hjs2 200 OK".to_owned(), String::new(), Flag::Complete);
            assert_eq!(cuts, [send, answer], "split at {split}");
        }
        let octets: Vec<&[u8]> = STREAM.as_bytes().chunks(1).collect();
        assert_eq!(cut(&octets, 4).iter().map(|shown| shown.2.as_str()).collect::<Vec<_>>(), ["MSRP", ""]);
    }

    #[test]
    fn of_a_long_body_no_more_is_held_than_is_kept() {
        let mut cutter = Cutter::new(10);
        let head = &STREAM[..STREAM.find("\r\n\r\n").unwrap() + 4];
        let first = Bytes::from(head.to_owned() + &"x".repeat(64 << 10));
        let more = first.slice(head.len()..);
        for (at, piece) in std::iter::once((1, &first)).chain((2..18).map(|at| (at, &more))) {
            let piece = Bytes::copy_from_slice(piece);
            assert!(cutter.push(at, piece.clone()).is_empty());
            // What is held is not part of what was read.
            assert!(piece.is_unique() && cutter.current.as_ref().unwrap().body.capacity() < 1024);
        }
        let cuts = cutter.push(18, Bytes::from_static(b"\r\n-------a786hjs2$\r\n"));
        assert_eq!(
            cuts.iter().map(shown).collect::<Vec<_>>(),
            [(1, "MSRP a786hjs2 SEND".to_owned(), "x".repeat(10), Flag::Complete)]
        );
    }

    #[test]
    fn of_a_stream_that_cannot_be_followed_nothing_comes_any_more() {
        let (before, after) = STREAM.split_at(STREAM.find("MSRP c786").unwrap());
        let cuts = cut(&[before.as_bytes(), b"GET / HTTP/1.1\r\n", after.as_bytes()], 0);
        assert_eq!(cuts.len(), 1);
        let text = "bye\r\n".to_owned() + STREAM;
        assert!(cut(&[text.as_bytes()], 0).is_empty(), "a stream that begins in the middle of a message");
    }
}
