use sip::{Message, Name};

/// A CPM service, named by its IMS communication service identifier (ICSI).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Service {
    /// One-to-one session.
    Session,
    /// Group session.
    GroupSession,
    /// Pager-mode standalone message.
    PagerMessage,
    /// Large-message-mode standalone message.
    LargeMessage,
    /// Delivery of deferred messages.
    Deferred,
    /// File transfer over MSRP.
    FileTransfer,
    /// System message.
    SystemMessage,
}

/// The part of the ICSI that all CPM services share.
const PREFIX: &str = "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.";

impl Service {
    const ALL: [(Service, &'static str); 7] = [
        (Service::Session, "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.session"),
        (Service::GroupSession, "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.session.group"),
        (Service::PagerMessage, "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg"),
        (Service::LargeMessage, "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.largemsg"),
        (Service::Deferred, "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.deferred"),
        (Service::FileTransfer, "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.filetransfer"),
        (Service::SystemMessage, "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.systemmsg"),
    ];

    /// The identifier, as it stands in P-Preferred-Service and P-Asserted-Service (RFC 6050).
    pub fn icsi(self) -> &'static str {
        Service::ALL.iter().find(|(s, _)| *s == self).map_or("", |(_, urn)| urn)
    }

    /// The identifier as a media feature tag (RFC 3840): colons escaped, in quotes.
    pub fn feature_tag(self) -> String {
        Service::feature_tag_of(&[self])
    }

    /// Several identifiers in one media feature tag, as handsets register them.
    pub fn feature_tag_of(services: &[Service]) -> String {
        let list: Vec<_> = services.iter().map(|service| service.icsi().replace(':', "%3A")).collect();
        format!("+g.3gpp.icsi-ref=\"{}\"", list.join(","))
    }

    /// Reads an identifier: colons plain or percent-escaped, in any case. `.group` variants of the other services count as
    /// the service.
    pub fn from_icsi(text: &[u8]) -> Option<Service> {
        let text = text.trim_ascii();
        let text = text.strip_prefix(b"\"").unwrap_or(text);
        let text = text.strip_suffix(b"\"").unwrap_or(text);
        let name = after_prefix(text)?;
        let known = |name: &[u8]| {
            let is = |urn: &str| urn.as_bytes()[PREFIX.len()..].eq_ignore_ascii_case(name);
            Service::ALL.iter().find(|(_, urn)| is(urn)).map(|(service, _)| *service)
        };
        known(name).or_else(|| {
            let (base, tail) = name.split_at_checked(name.len().checked_sub(GROUP.len())?)?;
            known(base).filter(|_| tail.eq_ignore_ascii_case(GROUP))
        })
    }
}

const GROUP: &[u8] = b".group";

/// What follows [`PREFIX`], which may be written with plain or escaped colons, in any case.
fn after_prefix(mut text: &[u8]) -> Option<&[u8]> {
    // Header fields have plain colons, feature tags have escaped ones.
    if let Some((prefix, name)) = text.split_at_checked(PREFIX.len())
        && prefix.eq_ignore_ascii_case(PREFIX.as_bytes())
    {
        return Some(name);
    }
    for wanted in PREFIX.bytes() {
        text = match text {
            [b'%', b'3', b'a' | b'A', rest @ ..] if wanted == b':' => rest,
            [octet, rest @ ..] if octet.eq_ignore_ascii_case(&wanted) => rest,
            _ => return None,
        };
    }
    Some(text)
}

fn unescape(text: &[u8]) -> String {
    String::from_utf8_lossy(text).trim().trim_matches('"').to_ascii_lowercase().replace("%3a", ":")
}

/// Which service a request asks for: what the core asserted, else what the client prefers, else what Accept-Contact wants,
/// else what the SDP is for. A widely used client names the pager service in the Accept-Contact of a session INVITE, hence
/// the order.
pub fn classify(request: &Message) -> Option<Service> {
    let named = |name| request.values(name).find_map(Service::from_icsi);
    named(Name::PAssertedService)
        .or_else(|| named(Name::PPreferredService))
        .or_else(|| request.headers(Name::AcceptContact).find_map(in_feature_tags))
        .or_else(|| by_sdp(request))
}

/// Looks for an ICSI among the values of the feature tags of one header field, which may list several in one quoted string.
fn in_feature_tags(value: &[u8]) -> Option<Service> {
    let text = unescape(value);
    let mut rest = text.as_str();
    while let Some(at) = rest.find(PREFIX) {
        let urn = &rest[at..];
        let end = urn.find(|c: char| !(c.is_ascii_alphanumeric() || ":.-".contains(c))).unwrap_or(urn.len());
        if let Some(service) = Service::from_icsi(&urn.as_bytes()[..end]) {
            return Some(service);
        }
        rest = &urn[end..];
    }
    None
}

fn by_sdp(request: &Message) -> Option<Service> {
    let msrp = sdp::glance(request.body()).ok()??;
    Some(if msrp.is_file_transfer { Service::FileTransfer } else { Service::Session })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &str) -> sip::Request {
        let text = format!(
            "INVITE sip:b@x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\n\
             Call-ID: x\r\nCSeq: 1 INVITE\r\n{headers}Content-Length: 0\r\n\r\n"
        );
        Message::parse_request(text.into()).unwrap()
    }

    #[test]
    fn the_asserted_service_comes_first() {
        let both = "P-Preferred-Service: urn:urn-7:3gpp-service.ims.icsi.oma.cpm.session\r\n\
            a: *;+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg\"\r\n";
        assert_eq!(classify(&request(both)), Some(Service::Session));
        let asserted = format!("P-Asserted-Service: urn:urn-7:3gpp-service.ims.icsi.oma.cpm.largemsg\r\n{both}");
        assert_eq!(classify(&request(&asserted)), Some(Service::LargeMessage));
    }

    #[test]
    fn feature_tags_are_compared_without_case_and_escapes() {
        for tag in [
            "*;+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.session\";require;explicit",
            "*;+g.3gpp.icsi-ref=\"urn%3aurn-7%3a3GPP-service.ims.icsi.oma.cpm.Session\"",
            "*;+g.3gpp.icsi-ref=\"urn:urn-7:3gpp-service.ims.icsi.oma.cpm.other,urn:urn-7:3gpp-service.ims.icsi.oma.cpm.session\"",
        ] {
            assert_eq!(classify(&request(&format!("Accept-Contact: {tag}\r\n"))), Some(Service::Session), "{tag}");
        }
        assert_eq!(classify(&request("Accept-Contact: *;audio\r\n")), None);
        assert_eq!(
            Service::from_icsi(Service::PagerMessage.feature_tag().split('=').next_back().unwrap().as_bytes()),
            Some(Service::PagerMessage)
        );
        assert_eq!(
            Service::from_icsi(b"urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg.group"),
            Some(Service::PagerMessage)
        );
    }
}
