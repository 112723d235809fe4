use bytes::Bytes;
use sip::{Edit, Name};

/// One change to the header fields of a forwarded message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HeaderEdit {
    /// Removes every header field of that name.
    Remove(Name),
    /// Removes every header field whose name begins with `P-`, known or not, but for these.
    RemovePrivate(&'static [Name]),
    /// Makes it the only header field of that name.
    Set(Name, Bytes),
    /// Puts a header field before all others of its name.
    Prepend(Name, Bytes),
    /// Puts a header field after all others.
    Append(Name, Bytes),
}

/// The changes that a role wants in a forwarded message, beyond those that every proxy makes.
///
/// Not for Via, Route, Record-Route, Max-Forwards and Max-Breadth, which are the proxy's own to write.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Edits {
    list: Vec<HeaderEdit>,
}

impl Edits {
    /// No changes.
    pub const fn new() -> Edits {
        Edits { list: Vec::new() }
    }

    /// Removes every header field of that name.
    pub fn remove(&mut self, name: Name) -> &mut Edits {
        self.push(HeaderEdit::Remove(name))
    }

    /// Removes every header field whose name begins with `P-`, known or not, but for these: what stands in them is private to
    /// networks that trust each other.
    pub fn remove_private(&mut self, but: &'static [Name]) -> &mut Edits {
        self.push(HeaderEdit::RemovePrivate(but))
    }

    /// Removes every header field of that name, and takes back what earlier changes put in.
    pub fn withdraw(&mut self, name: Name) -> &mut Edits {
        self.list.retain(|edit| match edit {
            HeaderEdit::Set(put, _) | HeaderEdit::Prepend(put, _) | HeaderEdit::Append(put, _) => *put != name,
            HeaderEdit::Remove(_) | HeaderEdit::RemovePrivate(_) => true,
        });
        self.remove(name)
    }

    /// Makes `value` the only header field of that name.
    pub fn set(&mut self, name: Name, value: impl Into<Bytes>) -> &mut Edits {
        self.push(HeaderEdit::Set(name, value.into()))
    }

    /// Puts a header field before all others of its name.
    pub fn prepend(&mut self, name: Name, value: impl Into<Bytes>) -> &mut Edits {
        self.push(HeaderEdit::Prepend(name, value.into()))
    }

    /// Puts a header field after all others.
    pub fn append(&mut self, name: Name, value: impl Into<Bytes>) -> &mut Edits {
        self.push(HeaderEdit::Append(name, value.into()))
    }

    /// Adds one change.
    pub fn push(&mut self, edit: HeaderEdit) -> &mut Edits {
        self.list.push(edit);
        self
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// About how many octets they add.
    pub(crate) fn size(&self) -> usize {
        let added = |edit: &HeaderEdit| match edit {
            HeaderEdit::Remove(_) | HeaderEdit::RemovePrivate(_) => 0,
            HeaderEdit::Set(name, value) | HeaderEdit::Prepend(name, value) | HeaderEdit::Append(name, value) => {
                name.as_str().len() + value.len() + 4
            }
        };
        self.list.iter().map(added).sum()
    }

    pub(crate) fn apply(&self, edit: &mut Edit<'_>) {
        for change in &self.list {
            match change {
                HeaderEdit::Remove(name) => edit.remove(*name),
                HeaderEdit::RemovePrivate(but) => edit.remove_where(|written| is_private(written, but)),
                HeaderEdit::Set(name, value) => edit.set(*name, value),
                HeaderEdit::Prepend(name, value) => edit.prepend(*name, value),
                HeaderEdit::Append(name, value) => edit.append(*name, value),
            };
        }
    }
}

/// Whether a name begins with `P-` and is none of these.
fn is_private(written: &[u8], but: &[Name]) -> bool {
    let is = |name: &Name| name.as_str().as_bytes().eq_ignore_ascii_case(written);
    written.get(..2).is_some_and(|start| start.eq_ignore_ascii_case(b"P-")) && !but.iter().any(is)
}
