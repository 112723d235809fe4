use std::net::IpAddr;
use std::ops::Range;

use sdp_types::Fingerprint;

use crate::line::Lines;
use crate::{Host, MsrpMedia, MsrpUri, OriginId, Protocol, SessionDescription, Setup};

/// What a B2BUA puts in place of a peer's, so that the media runs through it.
#[derive(Clone, PartialEq, Debug)]
pub struct Rewrite {
    /// The address of `c=` and `o=`.
    pub address: IpAddr,
    /// The port of the m-line.
    pub port: u16,
    /// `a=path`. Empty leaves the line alone: then the peers name each other, and only CEMA leads the media through us.
    pub path: Vec<MsrpUri>,
    /// `a=setup`; `None` leaves it alone.
    pub setup: Option<Setup>,
    /// `a=fingerprint` of our certificate. `None` takes the peer's away: TLS ends here, so its certificate is never seen.
    pub fingerprint: Option<Fingerprint>,
    /// The protocol of the m-line.
    pub tls: bool,
    /// Whether `a=msrp-cema` is there: support of CEMA is that of whoever is connected to. `None` leaves it alone.
    pub cema: Option<bool>,
    /// The largest message that passes through us: `a=max-size` says no more than that. `None` leaves it alone.
    pub max_size: Option<u64>,
    /// The numbers of `o=`; `None` keeps the peer's.
    pub origin: Option<OriginId>,
}

impl Rewrite {
    /// How a media reads once it is rewritten: what reading the printed bytes would find.
    pub fn reading(&self, media: &MsrpMedia) -> MsrpMedia {
        let replaced = |name: &str| match name {
            "path" => !self.path.is_empty(),
            "setup" => self.setup.is_some(),
            "fingerprint" => true,
            "max-size" => self.max_size.is_some(),
            _ => false,
        };
        let max_size = self.max_size.map(|bound| bound.min(media.max_size.unwrap_or(bound)));
        MsrpMedia {
            index: media.index,
            port: self.port,
            protocol: Protocol::over(self.tls),
            address: Some(Host::Ip(self.address)),
            path: if self.path.is_empty() { media.path.clone() } else { self.path.clone() },
            accept_types: media.accept_types.clone(),
            accept_wrapped_types: media.accept_wrapped_types.clone(),
            setup: self.setup.or(media.setup),
            connection: media.connection,
            cema: self.cema.unwrap_or(media.cema),
            fingerprints: self.fingerprint.iter().cloned().collect(),
            direction: media.direction,
            max_size: max_size.or(media.max_size),
            is_file_transfer: media.is_file_transfer,
            unreadable: media.unreadable.iter().copied().filter(|name| !replaced(name)).collect(),
        }
    }
}

/// Prints a description with the lines of its first accepted MSRP media changed, and every other byte as it was.
///
/// Changed are `o=`, the m-line (port and protocol only), `c=`, `a=path`, `a=setup`, `a=fingerprint`, `a=msrp-cema` and
/// `a=max-size`; a line that is missing is put in. Lines of the session level are changed only if there is just one m-line, for otherwise they belong to
/// other media, too: those get a line of the media level that takes precedence. If no MSRP media is accepted, `o=` alone
/// changes.
pub fn rewrite(description: &SessionDescription, change: &Rewrite) -> Vec<u8> {
    let address = in_address(change.address);
    let mut edit = Edit::new(description.lines());
    edit.origin(change, &address);
    if let Some(media) = description.msrp() {
        edit.media(media.index, change, &address);
    }
    edit.print()
}

enum Fate {
    Kept,
    Replaced(Vec<u8>),
    Removed,
}

/// A body being edited line by line.
struct Edit<'a> {
    lines: &'a Lines,
    fates: Vec<Fate>,
    /// What is put in, each after a line.
    added: Vec<(usize, Vec<u8>)>,
}

/// The lines that an edit may touch: those of the media, then those of the session if it has no other media.
struct Scope {
    media: Range<usize>,
    session: Range<usize>,
}

impl Scope {
    fn iter(&self) -> impl Iterator<Item = usize> + use<> {
        self.media.clone().chain(self.session.clone())
    }
}

impl<'a> Edit<'a> {
    fn new(lines: &'a Lines) -> Edit<'a> {
        let fates = (0..lines.len()).map(|_| Fate::Kept).collect();
        Edit { lines, fates, added: Vec::new() }
    }

    fn media(&mut self, index: usize, change: &Rewrite, address: &str) {
        let media = self.lines.media(index);
        let session = if self.lines.media_count() == 1 { self.lines.session() } else { 0..0 };
        let own = Scope { media: media.clone(), session: 0..0 };
        let scope = Scope { media, session };
        self.m_line(scope.media.start, change);
        self.connection(&scope, address);
        if !change.path.is_empty() {
            let path = change.path.iter().map(MsrpUri::as_str).collect::<Vec<_>>().join(" ");
            // RFC 4975 §8.2: a path belongs to a media description; one of the session level means nothing.
            self.attribute(&own, "path", Some(&path));
        }
        if let Some(setup) = change.setup {
            self.attribute(&scope, "setup", Some(setup.token()));
        }
        let fingerprint = change.fingerprint.as_ref().map(Fingerprint::to_string);
        self.attribute(&scope, "fingerprint", fingerprint.as_deref());
        if let Some(cema) = change.cema {
            self.flag(&own, "msrp-cema", cema);
        }
        if let Some(bound) = change.max_size {
            let theirs = self.value(&own, "max-size").and_then(|size| size.trim().parse().ok());
            self.attribute(&own, "max-size", Some(&bound.min(theirs.unwrap_or(bound)).to_string()));
        }
    }

    /// `o=<username> <sess-id> <sess-version> <nettype> <addrtype> <unicast-address>`; a line of another shape is left alone.
    fn origin(&mut self, change: &Rewrite, address: &str) {
        let Some(line) = self.lines.session().find(|&n| self.lines.content(n).starts_with(b"o=")) else { return };
        let fields = self.lines.content(line).split(|&byte| byte == b' ').filter(|field| !field.is_empty());
        let &[username, session_id, version, _, _, _] = fields.collect::<Vec<_>>().as_slice() else { return };
        let own = change.origin.map(|id| [id.session_id, id.version].map(|number| number.to_string().into_bytes()));
        let [session_id, version] = own.as_ref().map_or([session_id, version], |own| own.each_ref().map(Vec::as_slice));
        self.fates[line] = Fate::Replaced([username, session_id, version, address.as_bytes()].join(&b' '));
    }

    fn m_line(&mut self, line: usize, change: &Rewrite) {
        let fields: Vec<&[u8]> = self.lines.content(line).splitn(4, |&byte| byte == b' ').collect();
        let &[media, _port, _protocol, formats] = fields.as_slice() else { return };
        let (port, protocol) = (change.port.to_string(), Protocol::over(change.tls).token());
        self.fates[line] = Fate::Replaced([media, port.as_bytes(), protocol.as_bytes(), formats].join(&b' '));
    }

    /// Every `c=` in scope says the new address; one that is put in stands where the grammar has it, after `m=` and `i=`.
    fn connection(&mut self, scope: &Scope, address: &str) {
        let text = [b"c=", address.as_bytes()].concat();
        let mut is_there = false;
        for line in scope.iter().filter(|&n| self.lines.content(n).starts_with(b"c=")) {
            self.fates[line] = Fate::Replaced(text.clone());
            is_there = true;
        }
        if !is_there {
            let title = scope.media.clone().rfind(|&n| self.lines.content(n).starts_with(b"i="));
            self.add(title.unwrap_or(scope.media.start), text);
        }
    }

    /// The first line of this name gets the value, further ones go. Without a value all of them go.
    fn attribute(&mut self, scope: &Scope, name: &str, value: Option<&str>) {
        let mut value = value.map(|value| ["a=", name, ":", value].concat().into_bytes());
        for line in scope.iter().filter(|&n| is_attribute(self.lines.content(n), name)) {
            self.fates[line] = value.take().map_or(Fate::Removed, Fate::Replaced);
        }
        if let Some(value) = value {
            self.add_last(scope, value);
        }
    }

    /// An attribute without a value is there once, or not at all.
    fn flag(&mut self, scope: &Scope, name: &str, is_there: bool) {
        let mut is_missing = is_there;
        for line in scope.iter().filter(|&n| is_attribute(self.lines.content(n), name)) {
            if !std::mem::take(&mut is_missing) {
                self.fates[line] = Fate::Removed;
            }
        }
        if is_missing {
            self.add_last(scope, ["a=", name].concat().into_bytes());
        }
    }

    /// The value of the first attribute of this name.
    fn value(&self, scope: &Scope, name: &str) -> Option<&str> {
        let line = scope.iter().find(|&n| is_attribute(self.lines.content(n), name))?;
        str::from_utf8(self.lines.content(line)).ok()?.split_once(':').map(|(_, value)| value)
    }

    fn add_last(&mut self, scope: &Scope, text: Vec<u8>) {
        let last = scope.media.clone().rfind(|&n| !self.lines.content(n).trim_ascii().is_empty());
        self.add(last.unwrap_or(scope.media.start), text);
    }

    fn add(&mut self, after: usize, text: Vec<u8>) {
        self.added.push((after, text));
    }

    fn print(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.lines.bytes().len() + 256);
        for (line, fate) in self.fates.iter().enumerate() {
            let added = || self.added.iter().filter(|(after, _)| *after == line).map(|(_, text)| text);
            let content = match fate {
                Fate::Kept => Some(self.lines.content(line)),
                Fate::Replaced(text) => Some(text.as_slice()),
                Fate::Removed => None,
            };
            if let Some(content) = content {
                bytes.extend_from_slice(content);
                // A last line without an end needs one before another line can follow.
                let unended = self.lines.end(line).is_empty() && added().next().is_some();
                bytes.extend_from_slice(if unended { self.lines.usual_end() } else { self.lines.end(line) });
            }
            for text in added() {
                bytes.extend_from_slice(text);
                bytes.extend_from_slice(self.lines.usual_end());
            }
        }
        // Kept as long as the session.
        bytes.shrink_to_fit();
        bytes
    }
}

/// `IN IP4 192.0.2.1`, `IN IP6 2001:db8::1`
fn in_address(address: IpAddr) -> String {
    [if address.is_ipv4() { "IN IP4 " } else { "IN IP6 " }, &address.to_string()].concat()
}

fn is_attribute(content: &[u8], name: &str) -> bool {
    content.strip_prefix(b"a=").is_some_and(|rest| {
        let (own, after) = rest.split_at(rest.len().min(name.len()));
        matches!(after, [] | [b':', ..]) && own.eq_ignore_ascii_case(name.as_bytes())
    })
}

#[cfg(test)]
mod tests;
