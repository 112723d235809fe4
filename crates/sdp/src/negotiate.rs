use std::net::IpAddr;

use sdp_types::{Attribute, Direction, Fingerprint, Media, Origin, Session};

use crate::connect::MSRP_PORT;
use crate::{Host, MediaTypes, MsrpMedia, MsrpUri, OriginId, Protocol, SessionDescription, Setup};

/// What our side of an MSRP session is like.
#[derive(Clone, PartialEq, Debug)]
pub struct LocalMedia {
    /// Where we listen, or connect from.
    pub address: IpAddr,
    /// The port we listen on. A side that only connects writes one too: its own, or 9 (RFC 4145 §4.1).
    pub port: u16,
    /// The session-id of our MSRP URI.
    pub session_id: String,
    /// Whether the media runs over TLS. An answer must agree with its offer in this.
    pub tls: bool,
    /// What we offer; in an answer, what we prefer where the offer leaves it open.
    pub setup: Setup,
    /// What we receive. CPM wants at least `message/cpim`.
    pub accept_types: MediaTypes,
    /// What we receive inside a wrapper such as CPIM.
    pub accept_wrapped_types: MediaTypes,
    /// Whether we support CEMA. An answer says so only if the offer did.
    pub cema: bool,
    /// The fingerprint of our certificate, written with TLS only.
    pub fingerprint: Option<Fingerprint>,
    /// What we want to do; an answer takes away what the offer does not allow.
    pub direction: Direction,
    /// The largest message we want, in bytes.
    pub max_size: Option<u64>,
    /// Relays that requests to us pass, the outermost first (RFC 4976 §5.1): they stand before our URI in the path, and who
    /// connects to us connects to the first of them.
    pub relays: Vec<MsrpUri>,
}

impl LocalMedia {
    /// Our MSRP URI: the end of our path, and without relays the whole of it.
    pub fn uri(&self) -> MsrpUri {
        MsrpUri::new(self.tls, self.address, self.port, &self.session_id)
    }

    /// The value of `a=path`.
    fn path(&self) -> String {
        self.relays.iter().map(|relay| format!("{relay} ")).chain([self.uri().to_string()]).collect()
    }

    /// What `c=` and the m-line say: where others connect to (RFC 4975 §8.1). A relay that is named by its domain is found
    /// through the path.
    fn place(&self) -> (IpAddr, u16) {
        match self.relays.first().map(|relay| (relay.host(), relay.port())) {
            Some((Host::Ip(ip), port)) => (*ip, port.unwrap_or(MSRP_PORT)),
            Some((Host::Name(_), _)) | None => (self.address, self.port),
        }
    }
}

/// Why an offer cannot be answered. The INVITE that carries it is answered 488 (RFC 3261 §21.4.26).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// No m-line offers MSRP over TCP or TLS, with a path, on a port other than 0.
    #[error("no MSRP media offered")]
    NoMsrpMedia,
    /// The offer wants TLS and we do not, or the other way round.
    #[error("MSRP offered over another transport than TCP/MSRP or TCP/TLS/MSRP as configured")]
    OtherProtocol,
    /// The offer accepts no media type that we know.
    #[error("no media type in common")]
    NoCommonType,
}

/// Prints an offer of one MSRP session (RFC 3264 §5, RFC 4975 §8).
pub fn offer(local: &LocalMedia, id: OriginId) -> Vec<u8> {
    let terms = Terms { setup: Some(local.setup), cema: local.cema, direction: local.direction };
    let mut session = session(local, id);
    session.medias.push(media(local, &terms));
    print(&session)
}

/// Prints the answer to an offer (RFC 3264 §6): as many m-lines in the same order, the first MSRP media that we can take
/// accepted, every other one rejected with port 0.
///
/// One common media type is enough, `message/cpim` in CPM: a client in the field misspells the others. An offer that lists no
/// types at all is taken, too. Whether a file transfer is wanted is for the caller to say beforehand, from
/// [`MsrpMedia::is_file_transfer`].
pub fn answer(offer: &SessionDescription, local: &LocalMedia, id: OriginId) -> Result<Vec<u8>, Refusal> {
    let accepted = choose(offer, local)?;
    let terms = Terms {
        setup: Setup::answer(accepted.setup, local.setup),
        cema: local.cema && accepted.cema,
        direction: local.direction.intersect_with_remote(accepted.direction),
    };
    let mut session = session(local, id);
    // RFC 3264 §6: the t= of the answer is that of the offer.
    session.times = offer.session().times.clone();
    session.medias = offer.session().medias.iter().map(rejected).collect();
    session.medias[accepted.index] = media(local, &terms);
    Ok(print(&session))
}

/// The first MSRP media that fits; what is wrong with the first one that does not, if there is none.
fn choose<'a>(offer: &'a SessionDescription, local: &LocalMedia) -> Result<&'a MsrpMedia, Refusal> {
    let mut refusal = Refusal::NoMsrpMedia;
    for media in offer.msrp_media().iter().filter(|media| media.port != 0 && !media.path.is_empty()) {
        match judge(media, local) {
            Ok(()) => return Ok(media),
            Err(reason) if refusal == Refusal::NoMsrpMedia => refusal = reason,
            Err(_) => {}
        }
    }
    Err(refusal)
}

fn judge(media: &MsrpMedia, local: &LocalMedia) -> Result<(), Refusal> {
    if media.protocol != Protocol::over(local.tls) {
        return Err(Refusal::OtherProtocol);
    }
    if !media.accept_types.is_empty() && !media.accept_types.overlaps(&local.accept_types) {
        return Err(Refusal::NoCommonType);
    }
    Ok(())
}

/// What offer and answer settle between them.
struct Terms {
    setup: Option<Setup>,
    cema: bool,
    direction: Direction,
}

fn session(local: &LocalMedia, id: OriginId) -> Session {
    let mut session = Session::new(Origin::with_ip_addr(id.session_id, id.version, local.address), "-");
    session.set_connection(local.place().0);
    session
}

fn media(local: &LocalMedia, terms: &Terms) -> Media {
    let mut attributes = vec![Attribute::with_value("accept-types", &local.accept_types)];
    if !local.accept_wrapped_types.is_empty() {
        attributes.push(Attribute::with_value("accept-wrapped-types", &local.accept_wrapped_types));
    }
    attributes.extend(local.max_size.map(|size| Attribute::with_value("max-size", size)));
    attributes.extend(terms.setup.map(|setup| Attribute::with_value("setup", setup)));
    attributes.push(Attribute::with_value("connection", "new"));
    attributes.push(Attribute::with_value("path", local.path()));
    if terms.cema {
        attributes.push(Attribute::new("msrp-cema"));
    }
    if let Some(fingerprint) = local.fingerprint.as_ref().filter(|_| local.tls) {
        attributes.push(Attribute::with_value("fingerprint", fingerprint));
    }
    attributes.push(Attribute::new(terms.direction));
    let proto = Protocol::over(local.tls).token();
    Media { attributes, ..bare("message", local.place().1, proto, "*") }
}

/// RFC 3264 §6: a rejected stream keeps its media, protocol and formats, and has port 0.
fn rejected(offered: &Media) -> Media {
    bare(&offered.media, 0, &offered.proto, &offered.fmt)
}

fn bare(media: &str, port: u16, proto: &str, fmt: &str) -> Media {
    Media {
        media: media.to_owned(),
        port,
        num_ports: None,
        proto: proto.to_owned(),
        fmt: fmt.to_owned(),
        media_title: None,
        connections: Vec::new(),
        bandwidths: Vec::new(),
        key: None,
        attributes: Vec::new(),
    }
}

fn print(session: &Session) -> Vec<u8> {
    let mut bytes = Vec::new();
    session.write(&mut bytes).expect("writing into a Vec cannot fail");
    bytes
}

#[cfg(test)]
pub(crate) mod tests;
