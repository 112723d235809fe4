use std::borrow::Cow;
use std::fmt;
use std::str;

use crate::header::name_of;
use crate::lines::{Line, Lines, MAX_HEADERS};
use crate::{ParseError, TransferEncoding};

/// One MIME header field of the content.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MimeField<'a> {
    /// The name as it came.
    pub name: &'a str,
    /// The value as it came, without white space around it; a folded one keeps its line ends.
    pub raw: &'a str,
}

impl<'a> MimeField<'a> {
    /// The value in one line (RFC 5322 §2.2.3).
    pub fn value(&self) -> Cow<'a, str> {
        if self.raw.contains('\n') { Cow::Owned(self.raw.replace(['\r', '\n'], "")) } else { Cow::Borrowed(self.raw) }
    }
}

/// What a CPIM message carries: a MIME entity (RFC 3862 §2.4).
#[derive(Clone, PartialEq, Eq)]
pub struct Content<'a> {
    fields: Vec<MimeField<'a>>,
    octets: &'a [u8],
}

/// What the lines at the start of the content are.
enum Block {
    Headers,
    /// Content without header fields: some writers leave them out.
    None,
}

impl<'a> Content<'a> {
    /// Reads from where `lines` stands. `whole` says that nothing more will arrive; `open` that a header field has been seen
    /// already, so that there must be an empty line after the header fields.
    pub(crate) fn read(
        bytes: &'a [u8],
        lines: &mut Lines<'a>,
        whole: bool,
        open: bool,
    ) -> Result<Content<'a>, ParseError> {
        let start = lines.at();
        let fields = match if open { Block::Headers } else { look_ahead(lines, whole)? } {
            Block::Headers => {
                lines.go_back(start);
                read_fields(bytes, lines)?
            }
            Block::None => {
                lines.go_back(start);
                Vec::new()
            }
        };
        let content = Content { fields, octets: &bytes[lines.at()..] };
        content.refuse_twice("Content-Type", start)?;
        content.refuse_twice("Content-Transfer-Encoding", start)?;
        Ok(content)
    }

    /// What two readers could take differently must be there once.
    fn refuse_twice(&self, name: &str, at: usize) -> Result<(), ParseError> {
        match self.fields_named(name).nth(1) {
            Some(_) => Err(ParseError::new(at, "one Content-Type and one Content-Transfer-Encoding at most")),
            None => Ok(()),
        }
    }

    /// The octets as they came, up to the end of the message.
    pub const fn octets(&self) -> &'a [u8] {
        self.octets
    }

    /// All header fields, in order.
    pub fn fields(&self) -> &[MimeField<'a>] {
        &self.fields
    }

    fn fields_named(&self, name: &str) -> impl Iterator<Item = &MimeField<'a>> {
        self.fields.iter().filter(move |f| f.name.eq_ignore_ascii_case(name))
    }

    /// The value of a header field.
    pub fn field(&self, name: &str) -> Option<Cow<'a, str>> {
        self.fields_named(name).next().map(MimeField::value)
    }

    /// The Content-Type with its parameters; `text/plain` where nothing is said (RFC 2045 §5.2).
    pub fn content_type(&self) -> Cow<'a, str> {
        self.field("Content-Type").filter(|v| !v.is_empty()).unwrap_or(Cow::Borrowed("text/plain"))
    }

    /// Whether the Content-Type, parameters aside, is that one.
    pub fn is(&self, media_type: &str) -> bool {
        let full = self.content_type();
        full.split(';').next().unwrap_or_default().trim_ascii().eq_ignore_ascii_case(media_type)
    }

    /// A parameter of the Content-Type, quotes taken off.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let full = self.content_type();
        let mut params = full.split(';').skip(1).filter_map(|p| p.split_once('='));
        let (_, value) = params.find(|(n, _)| n.trim_ascii().eq_ignore_ascii_case(name))?;
        Some(value.trim_ascii().trim_matches('"').into())
    }

    /// The first word of Content-Disposition, such as `notification`.
    pub fn disposition(&self) -> Option<String> {
        let value = self.field("Content-Disposition")?;
        value.split(';').next().map(|word| word.trim_ascii().to_ascii_lowercase())
    }

    /// The Content-ID without its brackets.
    pub fn content_id(&self) -> Option<String> {
        let value = self.field("Content-ID")?;
        Some(value.trim_ascii().trim_start_matches('<').trim_end_matches('>').into())
    }

    /// The Content-Length, if it is a number. It is not used for framing: SIP or MSRP said where the message ends, and
    /// clients are known to count before they convert line ends.
    pub fn declared_length(&self) -> Option<usize> {
        self.field("Content-Length")?.trim_ascii().parse().ok()
    }

    /// How the octets are written.
    pub fn transfer_encoding(&self) -> TransferEncoding {
        TransferEncoding::of(&self.field("Content-Transfer-Encoding").unwrap_or_default())
    }

    /// The octets with the transfer encoding undone. Never longer than [`Content::octets`].
    pub fn decoded(&self) -> Result<Cow<'a, [u8]>, ParseError> {
        self.transfer_encoding().decode(self.octets)
    }

    /// The text, where it is UTF-8 or its subset ASCII. Other character sets are not converted.
    pub fn text(&self) -> Result<Cow<'a, str>, ParseError> {
        let charset = self.parameter("charset").unwrap_or_default();
        if !["", "utf-8", "utf8", "us-ascii", "ascii"].iter().any(|known| charset.eq_ignore_ascii_case(known)) {
            return Err(ParseError::new(0, "text in UTF-8"));
        }
        let not_utf8 = |e: str::Utf8Error| ParseError::new(e.valid_up_to(), "UTF-8");
        match self.decoded()? {
            Cow::Borrowed(octets) => str::from_utf8(octets).map(Cow::Borrowed).map_err(not_utf8),
            Cow::Owned(octets) => String::from_utf8(octets).map(Cow::Owned).map_err(|e| not_utf8(e.utf8_error())),
        }
    }
}

/// Shows types and sizes only: the rest is the user's.
impl fmt::Debug for Content<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Content({}, {} octets)", self.content_type(), self.octets.len())
    }
}

/// Whether a line can only be meant as a header field of the content.
pub(crate) fn is_mime_field(line: &[u8]) -> bool {
    let starts = |with: &[u8]| line.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    starts(b"content-") && line.contains(&b':') || starts(b"mime-version:")
}

/// Header fields are there if an empty line ends them and one of them is a MIME field. Otherwise the content began at once:
/// a first line such as `Note: milk` is text.
fn look_ahead(lines: &mut Lines<'_>, whole: bool) -> Result<Block, ParseError> {
    let (mut mime, mut count) = (false, 0);
    let block_without = |mime| if mime { Block::Headers } else { Block::None };
    loop {
        // Also one that is wrong, so that no reader takes for text what another takes for the type of the content.
        mime |= is_mime_field(lines.peek());
        let line = match lines.next() {
            Ok(Some(line)) => line,
            Ok(None) if whole => return Ok(block_without(mime)),
            Ok(None) => return Err(ParseError::truncated(lines.at(), "the empty line before the content")),
            // Content is not bound to the rules of header lines.
            Err(error) if !mime && (whole || !error.truncated) => return Ok(Block::None),
            Err(error) => return Err(error),
        };
        if line.text.is_empty() && line.ended {
            return Ok(if count == 0 { Block::Headers } else { block_without(mime) });
        }
        let folded = count > 0 && is_folded(line);
        if !folded && name_of(line.text).is_none() && (whole || line.ended) {
            return Ok(block_without(mime));
        }
        count += 1;
        if count > MAX_HEADERS {
            return Ok(block_without(mime));
        }
    }
}

fn is_folded(line: Line<'_>) -> bool {
    line.text.starts_with([' ', '\t'])
}

fn read_fields<'a>(bytes: &'a [u8], lines: &mut Lines<'a>) -> Result<Vec<MimeField<'a>>, ParseError> {
    let mut fields: Vec<MimeField<'a>> = Vec::new();
    let mut value_start = 0;
    // Lines, so that folds count: each of them is read together with those before it.
    for _ in 0..=MAX_HEADERS {
        let end = lines.at();
        let missing = ParseError::truncated(end, "the empty line before the content");
        let line = lines.next()?.ok_or(missing)?;
        if line.text.is_empty() {
            return if line.ended { Ok(fields) } else { Err(missing) };
        }
        if let (Some(field), true) = (fields.last_mut(), is_folded(line)) {
            // The lines before were found to be UTF-8 one by one, so the whole is.
            let whole = &bytes[value_start..line.at + line.text.len()];
            field.raw = str::from_utf8(whole).unwrap_or_default().trim_ascii();
            continue;
        }
        let wrong = ParseError { truncated: !line.ended, ..ParseError::new(line.at, "a header field of the content") };
        let name = name_of(line.text).ok_or(wrong)?;
        value_start = line.at + name.len() + 1;
        fields.push(MimeField { name, raw: line.text[name.len() + 1..].trim_ascii() });
    }
    Err(ParseError::new(lines.at(), "the content after at most 128 lines of header fields"))
}
