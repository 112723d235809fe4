//! The messages of one call, as long as those of CPM clients behind an IMS core.

use std::io::Write as _;
use std::net::SocketAddr;

use crate::digest::{Challenge, PASSWORD};
use crate::scan;

/// Who talks.
#[derive(Clone, Copy, Debug)]
pub struct Parties {
    /// The server under test.
    pub proxy: SocketAddr,
    /// The caller.
    pub uac: SocketAddr,
    /// The callee.
    pub uas: SocketAddr,
}

/// What tells one call from all others of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CallId {
    /// Where the generator keeps it.
    pub slot: u32,
    /// Which of the calls in that place.
    pub turn: u32,
}

/// What the answer to the INVITE said about the dialog.
#[derive(Debug, Default)]
pub struct Dialog {
    /// The To header field with its tag.
    pub to: Vec<u8>,
    /// Route header fields, made of Record-Route.
    pub routes: Vec<u8>,
    /// The first hop of the route.
    pub next: Option<SocketAddr>,
    /// The Contact of the callee.
    pub target: Vec<u8>,
}

/// Spreads the bits of a number over all of it (the golden ratio of 2^64), and its inverse modulo 2^64.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
const INVERSE: u64 = 0xf1de_83e1_9937_733d;

impl CallId {
    /// Looks random, as identifiers in the field do: servers hash them, and counters would collide in a weak hash.
    fn bits(self) -> u64 {
        let plain = u64::from(self.turn) << 32 | u64::from(self.slot);
        plain.wrapping_mul(ODD).rotate_left(32).wrapping_mul(ODD)
    }

    /// Reads the value of Call-ID.
    pub fn parse(value: &[u8]) -> Option<CallId> {
        let digits = std::str::from_utf8(value.get(..16)?).ok()?;
        let bits = u64::from_str_radix(digits, 16).ok()?.wrapping_mul(INVERSE).rotate_right(32).wrapping_mul(INVERSE);
        Some(CallId { slot: bits as u32, turn: (bits >> 32) as u32 })
    }
}

impl Dialog {
    /// Reads the 2xx to an INVITE: the route set is Record-Route in reverse order (RFC 3261 §12.1.2).
    pub fn read(&mut self, response: &[u8]) {
        self.clear();
        let mut routes: Vec<&[u8]> = Vec::new();
        for line in scan::lines(response) {
            if line.is("Record-Route") {
                routes.extend(line.value.split(|b| *b == b',').map(<[u8]>::trim_ascii));
            } else if line.is("To") {
                self.to.extend_from_slice(line.value);
            } else if line.is("Contact") {
                self.target.extend_from_slice(scan::uri(line.value));
            }
        }
        for route in routes.iter().rev() {
            self.routes.extend_from_slice(b"Route: ");
            self.routes.extend_from_slice(route);
            self.routes.extend_from_slice(b"\r\n");
        }
        // A server that is the other end of the dialog is its target and needs no route.
        self.next = match routes.last() {
            Some(route) => scan::address(scan::uri(route)),
            None => scan::address(&self.target),
        };
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.to.clear();
        self.routes.clear();
        self.target.clear();
        self.next = None;
    }
}

/// Writes into a buffer, which cannot fail.
macro_rules! put {
    ($out:expr, $($arg:tt)*) => {
        write!($out, $($arg)*).expect("a buffer in memory takes everything")
    };
}

impl Parties {
    /// An INVITE as the caller's core sends it to the participating function: identity and service asserted.
    pub fn invite(&self, out: &mut Vec<u8>, call: CallId) {
        let Parties { proxy, uac, uas } = self;
        let (bits, user) = (call.bits(), user(call));
        let sdp = sdp(*uac, bits, "actpass");
        out.clear();
        put!(
            out,
            "INVITE sip:+15557000001@{uas} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {uac};branch=z9hG4bKi{bits:016x};rport\r\n\
             Max-Forwards: 68\r\n\
             Route: <sip:orig@{proxy};lr>\r\n\
             From: <sip:+1555{user:07}@ims.example>;tag=c{bits:016x}\r\n\
             To: <sip:+15557000001@ims.example>\r\n\
             Call-ID: {bits:016x}@ims.example\r\n\
             CSeq: 1 INVITE\r\n\
             Contact: <sip:+1555{user:07}@{uac}>;+g.3gpp.icsi-ref=\"{ICSI_ESCAPED}\";\
             +sip.instance=\"<urn:uuid:5f0c8f2e-64c5-4b0a-9d52-5d3f9a{user:06}>\"\r\n\
             Accept-Contact: *;+g.3gpp.icsi-ref=\"{ICSI_ESCAPED}\";require;explicit\r\n\
             P-Asserted-Identity: <sip:+1555{user:07}@ims.example>\r\n\
             P-Asserted-Service: {ICSI}\r\n\
             P-Served-User: <sip:+1555{user:07}@ims.example>;sescase=orig;regstate=reg\r\n\
             Allow: INVITE, ACK, CANCEL, BYE, UPDATE, MESSAGE, NOTIFY, OPTIONS, REFER\r\n\
             Supported: timer\r\n\
             User-Agent: IM-client/OMA2.2 load/0.1\r\n\
             Conversation-ID: 5b2c8f3e-{bits:016x}\r\n\
             Contribution-ID: a94d01c7-{bits:016x}\r\n\
             Content-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{sdp}",
            sdp.len()
        );
    }

    /// A pager-mode message, a CPIM envelope with a line of text in it.
    pub fn message(&self, out: &mut Vec<u8>, call: CallId) {
        let Parties { proxy, uac, uas } = self;
        let (bits, user) = (call.bits(), user(call));
        let cpim = cpim(user, bits);
        out.clear();
        put!(
            out,
            "MESSAGE sip:+15557000001@{uas} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {uac};branch=z9hG4bKm{bits:016x};rport\r\n\
             Max-Forwards: 68\r\n\
             Route: <sip:orig@{proxy};lr>\r\n\
             From: <sip:+1555{user:07}@ims.example>;tag=c{bits:016x}\r\n\
             To: <sip:+15557000001@ims.example>\r\n\
             Call-ID: {bits:016x}@ims.example\r\n\
             CSeq: 1 MESSAGE\r\n\
             Accept-Contact: *;+g.3gpp.icsi-ref=\"{PAGER_ESCAPED}\";require;explicit\r\n\
             P-Asserted-Identity: <sip:+1555{user:07}@ims.example>\r\n\
             P-Asserted-Service: {PAGER}\r\n\
             P-Served-User: <sip:+1555{user:07}@ims.example>;sescase=orig;regstate=reg\r\n\
             Allow: INVITE, ACK, CANCEL, BYE, UPDATE, MESSAGE, NOTIFY, OPTIONS, REFER\r\n\
             User-Agent: IM-client/OMA2.2 load/0.1\r\n\
             Conversation-ID: 5b2c8f3e-{bits:016x}\r\n\
             Contribution-ID: a94d01c7-{bits:016x}\r\n\
             Content-Type: message/cpim\r\n\
             Content-Length: {}\r\n\r\n{cpim}",
            cpim.len()
        );
    }

    /// A REGISTER of one of a thousand users, with credentials once there was a challenge.
    pub fn register(&self, out: &mut Vec<u8>, call: CallId, challenge: Option<&mut Challenge>) {
        let Parties { uac, .. } = self;
        let (bits, user) = (call.bits(), subscriber(call.slot));
        // Another transaction than the one that was challenged.
        let (cseq, branch) = if challenge.is_some() { (2, 'r') } else { (1, 'q') };
        out.clear();
        put!(
            out,
            "REGISTER sip:{DOMAIN} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {uac};branch=z9hG4bK{branch}{bits:016x};rport\r\n\
             Max-Forwards: 70\r\n\
             From: <sip:{user}@{DOMAIN}>;tag=c{bits:016x}\r\n\
             To: <sip:{user}@{DOMAIN}>\r\n\
             Call-ID: {bits:016x}@{DOMAIN}\r\n\
             CSeq: {cseq} REGISTER\r\n\
             Contact: <sip:{user}@{uac}>;+g.3gpp.icsi-ref=\"{ICSI_ESCAPED}\"\r\n\
             Expires: 3600\r\n\
             Supported: path\r\n\
             User-Agent: IM-client/OMA2.2 load/0.1\r\n"
        );
        if let Some(challenge) = challenge {
            put!(out, "Authorization: {}\r\n", challenge.credentials(&user, "REGISTER", "sip:ims.example"));
        }
        put!(out, "Content-Length: 0\r\n\r\n");
    }

    /// The ACK of a 2xx.
    pub fn ack(&self, out: &mut Vec<u8>, call: CallId, dialog: &Dialog) {
        self.in_dialog(out, call, dialog, "ACK", 1, "");
    }

    /// The BYE of the caller.
    pub fn bye(&self, out: &mut Vec<u8>, call: CallId, dialog: &Dialog) {
        let more = "User-Agent: IM-client/OMA2.2 load/0.1\r\nReason: SIP;cause=200;text=\"Call completed\"\r\n";
        self.in_dialog(out, call, dialog, "BYE", 2, more);
    }

    fn in_dialog(&self, out: &mut Vec<u8>, call: CallId, dialog: &Dialog, method: &str, cseq: u32, more: &str) {
        let (bits, user, uac) = (call.bits(), user(call), self.uac);
        let initial = char::from(method.as_bytes()[0].to_ascii_lowercase());
        out.clear();
        put!(out, "{method} ");
        out.extend_from_slice(&dialog.target);
        put!(out, " SIP/2.0\r\nVia: SIP/2.0/UDP {uac};branch=z9hG4bK{initial}{bits:016x};rport\r\n");
        put!(out, "Max-Forwards: 68\r\n");
        out.extend_from_slice(&dialog.routes);
        put!(out, "From: <sip:+1555{user:07}@ims.example>;tag=c{bits:016x}\r\nTo: ");
        out.extend_from_slice(&dialog.to);
        put!(out, "\r\nCall-ID: {bits:016x}@ims.example\r\nCSeq: {cseq} {method}\r\n{more}Content-Length: 0\r\n\r\n");
    }

    /// The 200 of the callee to any request.
    pub fn answer(&self, out: &mut Vec<u8>, request: &[u8]) {
        let is_invite = scan::method(request) == b"INVITE";
        out.clear();
        out.extend_from_slice(b"SIP/2.0 200 OK\r\n");
        for line in scan::lines(request) {
            let is_kept = ["Via", "From", "Call-ID", "CSeq"].iter().any(|name| line.is(name));
            if is_kept || is_invite && line.is("Record-Route") {
                out.extend_from_slice(line.whole);
            } else if line.is("To") {
                put!(out, "To: ");
                out.extend_from_slice(line.value);
                if memchr::memmem::find(line.value, b";tag=").is_none() {
                    put!(out, ";tag=callee");
                }
                put!(out, "\r\n");
            }
        }
        if !is_invite {
            put!(out, "Content-Length: 0\r\n\r\n");
            return;
        }
        let sdp = sdp(self.uas, 1, "active");
        put!(
            out,
            "Contact: <sip:+15557000001@{}>;+g.3gpp.icsi-ref=\"{ICSI_ESCAPED}\"\r\n\
             Allow: INVITE, ACK, CANCEL, BYE, UPDATE, MESSAGE, NOTIFY, OPTIONS, REFER\r\n\
             Server: IM-client/OMA2.2 load/0.1\r\n\
             Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
            self.uas,
            sdp.len()
        );
    }
}

const ICSI: &str = "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.session";
const ICSI_ESCAPED: &str = "urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.session";

/// How many users register.
const SUBSCRIBERS: u32 = 1000;
/// The domain of every user.
pub const DOMAIN: &str = "ims.example";

/// The users who register, and their passwords.
pub fn users() -> impl Iterator<Item = (String, &'static str)> {
    (0..SUBSCRIBERS).map(|number| (subscriber(number), PASSWORD))
}

fn subscriber(number: u32) -> String {
    format!("user{}", number % SUBSCRIBERS)
}

const PAGER: &str = "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg";
const PAGER_ESCAPED: &str = "urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg";

/// Callers, so that no user has many sessions.
const USERS: u32 = 10_000;

fn user(call: CallId) -> u32 {
    call.slot % USERS
}

fn sdp(party: SocketAddr, id: u64, setup: &str) -> String {
    let ip = party.ip();
    format!(
        "v=0\r\no=- {id} 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=message 2855 TCP/MSRP *\r\n\
         a=accept-types:message/cpim application/im-iscomposing+xml\r\n\
         a=accept-wrapped-types:text/plain message/imdn+xml application/vnd.gsma.rcs-ft-http+xml\r\n\
         a=path:msrp://{ip}:2855/s{id:016x};tcp\r\na=setup:{setup}\r\na=sendrecv\r\n"
    )
}

fn cpim(user: u32, id: u64) -> String {
    format!(
        "From: <sip:+1555{user:07}@ims.example>\r\nTo: <sip:+15557000001@ims.example>\r\n\
         DateTime: 2026-01-01T12:00:00Z\r\nNS: imdn <urn:ietf:params:imdn>\r\n\
         imdn.Message-ID: {id:016x}\r\nimdn.Disposition-Notification: positive-delivery, display\r\n\r\n\
         Content-Type: text/plain;charset=UTF-8\r\nContent-Length: 42\r\n\r\n\
         I will be there at eight; keep me a place."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: CallId = CallId { slot: 7, turn: 3 };

    fn parties() -> Parties {
        let at = |text: &str| text.parse().unwrap();
        Parties { proxy: at("127.0.0.2:5060"), uac: at("127.0.0.3:20001"), uas: at("127.0.0.4:20002") }
    }

    #[test]
    fn an_invite_has_the_size_of_one_in_the_field() {
        let mut invite = Vec::new();
        parties().invite(&mut invite, CALL);
        assert!((1200..=1650).contains(&invite.len()), "{} octets", invite.len());
        let id = scan::lines(&invite).find(|line| line.is("Call-ID")).and_then(|line| CallId::parse(line.value));
        assert_eq!(id, Some(CALL));
    }

    #[test]
    fn a_dialog_follows_the_record_route_backwards() {
        let mut dialog = Dialog::default();
        dialog.read(
            b"SIP/2.0 200 OK\r\nRecord-Route: <sip:127.0.0.9;lr>, <sip:127.0.0.2:5060;lr>\r\n\
              To: <sip:b@x>;tag=1\r\nContact: <sip:b@127.0.0.4>\r\n\r\n",
        );
        assert_eq!(dialog.next, "127.0.0.2:5060".parse().ok());
        let mut bye = Vec::new();
        parties().bye(&mut bye, CALL, &dialog);
        let routes: Vec<&[u8]> = scan::lines(&bye).filter(|line| line.is("Route")).map(|line| line.value).collect();
        assert_eq!(routes, [&b"<sip:127.0.0.2:5060;lr>"[..], b"<sip:127.0.0.9;lr>"]);
        assert!(bye.starts_with(b"BYE sip:b@127.0.0.4 SIP/2.0\r\n"));
    }

    #[test]
    fn an_answer_goes_the_way_back_and_adds_a_tag() {
        let (mut invite, mut answer) = (Vec::new(), Vec::new());
        parties().invite(&mut invite, CALL);
        parties().answer(&mut answer, &invite);
        let value = |name: &str| scan::lines(&answer).find(|line| line.is(name)).map(|line| line.value.to_vec());
        assert_eq!(value("To").as_deref(), Some(&b"<sip:+15557000001@ims.example>;tag=callee"[..]));
        assert!(value("Via").is_some() && value("Route").is_none());
    }
}
