use std::str;

use memchr::{memchr, memmem};
use quick_xml::NsReader;
use quick_xml::escape::escape;
use quick_xml::events::{BytesRef, Event};
use quick_xml::name::ResolveResult;

use crate::ParseError;

/// The largest XML document that is read.
pub const MAX_DOCUMENT: usize = 64 * 1024;

const MAX_DEPTH: usize = 32;
const MAX_ELEMENTS: usize = 1024;
const MAX_ATTRIBUTES: usize = 64;
const MAX_TAG: usize = 8 * 1024;
/// Declarations in the whole document.
const MAX_NAMESPACES: usize = 64;

/// An element of a small document. Attributes are not kept: no document that we read has any that matters.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Element {
    /// The name without prefix.
    pub(crate) name: String,
    /// Of another namespace than the outermost element. No namespace is not another one.
    pub(crate) foreign: bool,
    /// All text directly inside.
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
}

impl Element {
    /// The text of the one child of that name; two of it are an error, none is not.
    pub(crate) fn text_of(&self, name: &str) -> Result<Option<&str>, ParseError> {
        let mut found = self.children.iter().filter(|c| !c.foreign && c.name == name);
        match (found.next(), found.next()) {
            (None, _) => Ok(None),
            (Some(child), None) => Ok(Some(child.text.trim())),
            (Some(_), Some(_)) => Err(ParseError::new(0, "each element once")),
        }
    }
}

/// Reads a document whose outermost element is `root`. No DTD, no entities but the five of XML, UTF-8, all of it bounded.
pub(crate) fn parse(bytes: &[u8], root: &str) -> Result<Element, ParseError> {
    if bytes.len() > MAX_DOCUMENT {
        return Err(ParseError::new(MAX_DOCUMENT, "an XML document of at most 64 KiB"));
    }
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let text = str::from_utf8(bytes).map_err(|e| ParseError::new(e.valid_up_to(), "XML in UTF-8"))?;
    check(text)?;
    let element = read(text)?;
    if element.name == root { Ok(element) } else { Err(ParseError::new(0, "the outermost element of that type")) }
}

/// What must be known before the reader sees the document: its checks of attributes and namespaces are quadratic in their
/// number (RUSTSEC-2026-0194, RUSTSEC-2026-0195), so the number is bounded here.
fn check(text: &str) -> Result<(), ParseError> {
    let bytes = text.as_bytes();
    let is_bad = |b: &u8| b.is_ascii_control() && !matches!(b, b'\t' | b'\n' | b'\r');
    if let Some(at) = bytes.iter().position(is_bad) {
        return Err(ParseError::new(at, "no control character in XML"));
    }
    if memmem::find_iter(bytes, b"xmlns").count() > MAX_NAMESPACES {
        return Err(ParseError::new(0, "at most 64 namespace declarations"));
    }
    let mut at = 0;
    while let Some(open) = memchr(b'<', &bytes[at..]) {
        at += open;
        at += markup(&bytes[at..]).map_err(|e| e.shifted(at))?;
    }
    Ok(())
}

/// The length of the markup at the start of `rest`.
fn markup(rest: &[u8]) -> Result<usize, ParseError> {
    let until = |start: usize, end: &[u8]| {
        let found = memmem::find(&rest[start..], end).map(|n| start + n + end.len());
        found.ok_or(ParseError::truncated(rest.len(), "the end of the markup"))
    };
    match rest {
        [b'<', b'!', b'-', b'-', ..] => until(4, b"-->"),
        [b'<', b'!', b'[', b'C', b'D', b'A', b'T', b'A', b'[', ..] => until(9, b"]]>"),
        [b'<', b'!', ..] => Err(ParseError::new(0, "no document type declaration")),
        [b'<', b'?', ..] => until(2, b"?>"),
        _ => tag(rest),
    }
}

fn tag(rest: &[u8]) -> Result<usize, ParseError> {
    let (mut quote, mut attributes) = (None, 0);
    for (at, &b) in rest.iter().enumerate().take(MAX_TAG) {
        match (quote, b) {
            (None, b'>') => return Ok(at + 1),
            (None, b'<') if at > 0 => return Err(ParseError::new(at, "the end of a tag")),
            (None, b'=') if attributes == MAX_ATTRIBUTES => return Err(ParseError::new(at, "at most 64 attributes")),
            (None, b'=') => attributes += 1,
            (None, b'"' | b'\'') => quote = Some(b),
            (Some(open), b) if open == b => quote = None,
            (None | Some(_), _) => {}
        }
    }
    Err(match rest.len() > MAX_TAG {
        true => ParseError::new(MAX_TAG, "a tag of at most 8 KiB"),
        false => ParseError::truncated(rest.len(), "the end of a tag"),
    })
}

fn read(text: &str) -> Result<Element, ParseError> {
    let mut reader = NsReader::from_str(text);
    let mut tree = Tree::default();
    loop {
        let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        let wrong = |_| ParseError::new(at, "well-formed XML");
        let (namespace, event) = reader.read_resolved_event().map_err(wrong)?;
        match event {
            Event::Start(start) => tree.open(start.local_name().as_ref(), &namespace),
            Event::Empty(start) => tree.open(start.local_name().as_ref(), &namespace).and_then(|()| tree.close()),
            Event::End(_) => tree.close(),
            Event::Text(text) => tree.text(&text.xml10_content()),
            Event::CData(text) => tree.text(&text.xml10_content()),
            Event::GeneralRef(entity) => resolve(&entity).and_then(|c| tree.text(c.encode_utf8(&mut [0; 4]))),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => Ok(()),
            Event::DocType(_) => Err(ParseError::new(0, "no document type declaration")),
            Event::Eof => return tree.finish().map_err(|e| e.shifted(at)),
        }
        .map_err(|e| e.shifted(at))?;
    }
}

fn resolve(entity: &BytesRef<'_>) -> Result<char, ParseError> {
    let wrong = ParseError::new(0, "a character reference or one of the five entities");
    if let Some(c) = entity.resolve_char_ref().map_err(|_| wrong)? {
        return if c.is_ascii_control() && !matches!(c, '\t' | '\n' | '\r') { Err(wrong) } else { Ok(c) };
    }
    match entity.xml10_content().as_ref() {
        "amp" => Ok('&'),
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        _ => Err(wrong),
    }
}

#[derive(Default)]
struct Tree {
    root: Option<Element>,
    /// The namespace of the outermost element.
    namespace: String,
    open: Vec<Element>,
    count: usize,
}

impl Tree {
    fn open(&mut self, name: &str, namespace: &ResolveResult<'_>) -> Result<(), ParseError> {
        let namespace = match namespace {
            ResolveResult::Bound(namespace) => namespace.as_ref(),
            ResolveResult::Unbound => "",
            ResolveResult::Unknown(_) => return Err(ParseError::new(0, "a declared namespace prefix")),
        };
        if self.root.is_some() {
            return Err(ParseError::new(0, "the end of the document"));
        }
        if self.open.len() == MAX_DEPTH || self.count == MAX_ELEMENTS {
            return Err(ParseError::new(0, "at most 1024 elements, 32 deep"));
        }
        self.count += 1;
        if self.open.is_empty() {
            self.namespace = namespace.into();
        }
        let foreign = !namespace.is_empty() && namespace != self.namespace;
        self.open.push(Element { name: name.into(), foreign, ..Element::default() });
        Ok(())
    }

    fn close(&mut self) -> Result<(), ParseError> {
        let element = self.open.pop().ok_or(ParseError::new(0, "a start tag before its end tag"))?;
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), ParseError> {
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.trim_ascii().is_empty() => {}
            None => return Err(ParseError::new(0, "no text outside of the elements")),
        }
        Ok(())
    }

    fn finish(self) -> Result<Element, ParseError> {
        let missing = ParseError::truncated(0, "the end of the outermost element");
        if self.open.is_empty() { self.root.ok_or(missing) } else { Err(missing) }
    }
}

/// Prints `<name>text</name>` and a line end. Control characters, which XML cannot hold, are left out.
pub(crate) fn leaf(name: &str, text: &str, out: &mut String) {
    let clean: String = text.chars().filter(|c| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}')).collect();
    out.extend(["<", name, ">", &escape(clean.as_str()), "</", name, ">\r\n"]);
}

#[cfg(test)]
mod tests;
