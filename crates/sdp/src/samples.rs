//! Descriptions for the tests, written after what handsets and desktop clients send.

use crate::{MsrpMedia, SessionDescription};

/// A handset's chat offer as the RCS profiles have it.
pub(crate) const HANDSET: &[u8] =
    b"v=0\r\no=- 1700000001 1700000001 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\n\
t=0 0\r\nm=message 40002 TCP/MSRP *\r\na=accept-types:message/cpim application/im-iscomposing+xml\r\n\
a=accept-wrapped-types:text/plain message/imdn+xml\r\na=setup:actpass\r\na=connection:new\r\n\
a=path:msrp://192.0.2.10:40002/h4nd5et;tcp\r\na=msrp-cema\r\na=sendrecv\r\n";

/// A desktop client's offer: c= of the media, wildcard types, no connection, no direction.
pub(crate) const DESKTOP: &[u8] = b"v=0\r\no=- 4004403291 4004403291 IN IP4 198.51.100.4\r\ns=desk\r\nt=0 0\r\n\
m=message 43757 TCP/MSRP *\r\nc=IN IP4 198.51.100.4\r\na=path:msrp://198.51.100.4:43757/5b2d;tcp\r\n\
a=accept-types:message/cpim text/* application/im-iscomposing+xml\r\na=accept-wrapped-types:*\r\na=setup:actpass\r\n";

/// LF line ends, a stray blank line, a misspelt type, a path on no address.
pub(crate) const SLOPPY: &[u8] = b"v=0\no=- 7 7 IN IP4 192.0.2.20\ns=-\n\nc=IN IP4 192.0.2.20\nt=0 0\n\
m=message 9 TCP/MSRP *\na=accept-types:message/cpim application/im-iscomposing+xm\na=setup:active\n\
a=path:msrp://0.0.0.0:9/sl0ppy;tcp\na=sendrecv\n";

/// TLS over IPv6, the fingerprint in lower case and of the session.
pub(crate) const SECURE: &[u8] = b"v=0\r\no=bob 21 22 IN IP6 2001:db8::5\r\ns=-\r\nc=IN IP6 2001:db8::5\r\nt=0 0\r\n\
a=fingerprint:sha-256 0a:0b:0c:0d:ff\r\na=recvonly\r\nm=message 2856 tcp/tls/msrp *\r\n\
a=path:msrps://[2001:db8::5]:2856/s3cure;tcp\r\na=accept-types:*\r\na=setup:passive\r\na=connection:existing\r\n\
a=max-size:1048576\r\n";

/// Sound beside chat, with a c= for both and a name that is not UTF-8.
pub(crate) const SOUND_AND_CHAT: &[u8] = b"v=0\r\no=- 5 6 IN IP4 192.0.2.30\r\ns=caf\xe9\r\nc=IN IP4 192.0.2.30\r\n\
t=3900000000 3900003600\r\na=setup:passive\r\nm=audio 5004 RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000\r\n\
m=message 2855 TCP/MSRP *\r\na=path:msrp://192.0.2.30:2855/two;tcp\r\na=accept-types:message/cpim\r\n\
X-odd line without sense\r\na=x-unknown:\xff\xfe kept\r\na=setup:active\r\n";

/// A file transfer that was rejected, then a chat.
pub(crate) const FILE_THEN_CHAT: &[u8] = b"v=0\r\no=- 5 6 IN IP4 192.0.2.40\r\ns=-\r\nc=IN IP4 192.0.2.40\r\nt=0 0\r\n\
m=message 0 TCP/MSRP *\r\na=path:msrp://192.0.2.40:2855/file;tcp\r\na=accept-types:image/png\r\n\
a=file-selector:name:\"cat.png\" type:image/png size:4092\r\na=file-transfer-id:x1\r\n\
m=message 2855 TCP/MSRP *\r\na=path:msrp://192.0.2.40:2855/chat;tcp\r\na=accept-types:message/cpim\r\n";

/// The handset behind a box that anchors its media: c= and the port of the m-line are the box's.
pub(crate) const ANCHORED: &[u8] = b"v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 203.0.113.80\r\nt=0 0\r\n\
m=message 4000 TCP/MSRP *\r\na=accept-types:message/cpim\r\na=setup:actpass\r\n\
a=path:msrp://192.0.2.10:40002/h4nd5et;tcp\r\na=msrp-cema\r\n";

pub(crate) const ALL: [&[u8]; 7] = [HANDSET, DESKTOP, SLOPPY, SECURE, SOUND_AND_CHAT, FILE_THEN_CHAT, ANCHORED];

pub(crate) fn parse(bytes: &[u8]) -> SessionDescription {
    SessionDescription::parse(bytes).expect("samples can be read")
}

/// The media that a session would be about.
pub(crate) fn msrp(bytes: &[u8]) -> MsrpMedia {
    parse(bytes).msrp().cloned().expect("samples offer MSRP")
}
