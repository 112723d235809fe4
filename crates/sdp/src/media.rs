use std::net::IpAddr;

use sdp_types::{Attribute, Direction, Fingerprint, Media, Session};

use crate::{Host, MediaTypes, MsrpUri, Setup};

/// The protocol of an MSRP m-line (RFC 4975 §8.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    /// `TCP/MSRP`
    Tcp,
    /// `TCP/TLS/MSRP`
    Tls,
}

impl Protocol {
    /// The protocol over TLS or over bare TCP.
    pub fn over(tls: bool) -> Protocol {
        if tls { Protocol::Tls } else { Protocol::Tcp }
    }

    /// The token of the m-line.
    pub fn token(self) -> &'static str {
        match self {
            Protocol::Tcp => "TCP/MSRP",
            Protocol::Tls => "TCP/TLS/MSRP",
        }
    }

    pub(crate) fn parse(token: &str) -> Option<Protocol> {
        [Protocol::Tcp, Protocol::Tls].into_iter().find(|protocol| protocol.token().eq_ignore_ascii_case(token))
    }
}

/// The value of `a=connection` (RFC 4145 §5).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Connection {
    /// A new connection is made. Also meant when the attribute is missing.
    #[default]
    New,
    /// The connection that is there stays in use.
    Existing,
}

/// What an `m=message` line and the lines around it say.
#[derive(Clone, PartialEq, Debug)]
pub struct MsrpMedia {
    /// The number of the m-line among all m-lines, from 0.
    pub index: usize,
    /// The port; 0 means rejected or switched off (RFC 3264 §6, §8.2).
    pub port: u16,
    /// TCP or TLS.
    pub protocol: Protocol,
    /// The address of `c=`, of the media or else of the session.
    pub address: Option<Host>,
    /// `a=path`, the next hop first. Empty if the attribute is missing or cannot be read.
    pub path: Vec<MsrpUri>,
    /// `a=accept-types`
    pub accept_types: MediaTypes,
    /// `a=accept-wrapped-types`
    pub accept_wrapped_types: MediaTypes,
    /// `a=setup`. What its absence means: see [`connector`](crate::connector).
    pub setup: Option<Setup>,
    /// `a=connection`
    pub connection: Connection,
    /// `a=msrp-cema` (RFC 6714)
    pub cema: bool,
    /// `a=fingerprint`, as many as there are (RFC 8122 §5). The case of the hash name and of the digits does not matter.
    pub fingerprints: Vec<Fingerprint>,
    /// `a=sendrecv` and its kin, of the media or else of the session.
    pub direction: Direction,
    /// `a=max-size`: the largest message the peer wants, in bytes (RFC 4975 §8.6).
    pub max_size: Option<u64>,
    /// Whether the media is a file transfer and not a chat (RFC 5547 §6).
    pub is_file_transfer: bool,
    /// Names of attributes above whose value could not be read: for the log, and reason for care where a security attribute
    /// is among them.
    pub unreadable: Vec<&'static str>,
}

impl MsrpMedia {
    /// `None` if the media is something else, or MSRP over a protocol we do not speak.
    pub(crate) fn read(index: usize, media: &Media, session: &Session) -> Option<MsrpMedia> {
        if !media.media.eq_ignore_ascii_case("message") {
            return None;
        }
        let protocol = Protocol::parse(media.proto.trim())?;
        let mut attributes =
            Attributes { media: &media.attributes, session: &session.attributes, unreadable: Vec::new() };
        Some(MsrpMedia {
            index,
            port: media.port,
            protocol,
            address: media.connections.first().or(session.connection.as_ref()).and_then(host),
            path: attributes.read("path", |text| MsrpUri::parse_path(text).ok()).unwrap_or_default(),
            accept_types: MediaTypes::parse(attributes.value("accept-types").unwrap_or_default()),
            accept_wrapped_types: MediaTypes::parse(attributes.value("accept-wrapped-types").unwrap_or_default()),
            setup: attributes.read_with_fallback("setup", Setup::parse),
            connection: attributes.read_with_fallback("connection", connection).unwrap_or_default(),
            cema: attributes.has("msrp-cema"),
            fingerprints: attributes.fingerprints(),
            direction: direction(&media.attributes).or_else(|| direction(&session.attributes)).unwrap_or_default(),
            max_size: attributes.read("max-size", |text| text.parse().ok()),
            is_file_transfer: ["file-selector", "file-transfer-id"].iter().any(|name| attributes.has(name)),
            unreadable: attributes.unreadable,
        })
    }

    /// Whether the next hop of the path is where `c=` and the m-line point. If not, something between the peers anchors the
    /// media and expects CEMA (RFC 6714).
    pub fn path_agrees_with_connection(&self) -> bool {
        let Some((hop, address)) = self.path.first().zip(self.address.as_ref()) else { return false };
        hop.host().matches(address) && hop.port().is_none_or(|port| port == self.port)
    }
}

/// The attributes that apply to one media description.
struct Attributes<'a> {
    media: &'a [Attribute],
    session: &'a [Attribute],
    unreadable: Vec<&'static str>,
}

impl<'a> Attributes<'a> {
    fn has(&self, name: &str) -> bool {
        self.media.iter().any(|attribute| is_named(attribute, name))
    }

    fn value(&self, name: &str) -> Option<&'a str> {
        values(self.media, name).next()
    }

    /// An attribute that only a media description has.
    fn read<T>(&mut self, name: &'static str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let value = self.value(name)?;
        self.noting(name, parse(value))
    }

    /// An attribute that the session may have for all its media.
    fn read_with_fallback<T>(&mut self, name: &'static str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let value = self.value(name).or_else(|| values(self.session, name).next())?;
        self.noting(name, parse(value))
    }

    fn noting<T>(&mut self, name: &'static str, read: Option<T>) -> Option<T> {
        if read.is_none() {
            self.unreadable.push(name);
        }
        read
    }

    /// RFC 8122 §5: fingerprints of the media take the place of those of the session.
    fn fingerprints(&mut self) -> Vec<Fingerprint> {
        let level = if self.has("fingerprint") { self.media } else { self.session };
        let read = |text: &str| text.parse().ok().filter(|print: &Fingerprint| !print.fingerprint.is_empty());
        values(level, "fingerprint").filter_map(|text| self.noting("fingerprint", read(text))).collect()
    }
}

fn values<'a>(attributes: &'a [Attribute], name: &str) -> impl Iterator<Item = &'a str> {
    let named = attributes.iter().filter(move |attribute| is_named(attribute, name));
    named.map(|attribute| attribute.value.as_deref().unwrap_or_default().trim())
}

fn is_named(attribute: &Attribute, name: &str) -> bool {
    attribute.attribute.eq_ignore_ascii_case(name)
}

fn direction(attributes: &[Attribute]) -> Option<Direction> {
    // All four have eight letters, and what is none of them would cost an error with a copy of it.
    let may_be = |attribute: &&Attribute| attribute.attribute.len() == 8;
    attributes.iter().filter(may_be).find_map(|attribute| attribute.attribute.parse().ok())
}

fn connection(value: &str) -> Option<Connection> {
    match value.to_ascii_lowercase().as_str() {
        "new" => Some(Connection::New),
        "existing" => Some(Connection::Existing),
        _ => None,
    }
}

/// `IN IP4` or `IN IP6`, an address or a name (RFC 8866 §5.7).
fn host(connection: &sdp_types::Connection) -> Option<Host> {
    if connection.nettype != sdp_types::NetType::In {
        return None;
    }
    let text = connection.connection_address.split('/').next().filter(|text| !text.is_empty())?;
    Some(text.parse::<IpAddr>().map_or_else(|_| Host::Name(text.to_owned()), Host::Ip))
}

#[cfg(test)]
mod tests;
