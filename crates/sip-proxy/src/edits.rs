use bytes::Bytes;
use sip::{Edit, Name};

/// One change to the header fields of a forwarded message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HeaderEdit {
    /// Removes every header field of that name.
    Remove(Name),
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
            HeaderEdit::Remove(_) => 0,
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
                HeaderEdit::Set(name, value) => edit.set(*name, value),
                HeaderEdit::Prepend(name, value) => edit.prepend(*name, value),
                HeaderEdit::Append(name, value) => edit.append(*name, value),
            };
        }
    }
}
