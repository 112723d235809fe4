//! Who the peer of a session must be, when its media runs over TLS.

use sdp::{HashFunc, Host, MsrpMedia, Protocol};
use wire::{Fingerprint, Hash, Verify};

/// The fingerprint of a certificate as a description has it.
pub fn fingerprint(print: &Fingerprint) -> sdp::Fingerprint {
    let hash = match print.hash {
        Hash::Sha1 => HashFunc::Sha1,
        Hash::Sha224 => HashFunc::Sha224,
        Hash::Sha256 => HashFunc::Sha256,
        Hash::Sha384 => HashFunc::Sha384,
        Hash::Sha512 => HashFunc::Sha512,
    };
    sdp::Fingerprint::with_fingerprint(hash, print.digest.iter().copied())
}

/// What the description of a peer says about its certificate; `None` without TLS.
///
/// Without a fingerprint, a trust anchor must vouch for the host of the path (RFC 4975 §14.4): no stranger is talked to. One
/// that cannot be read, or is made with MD5, fits nobody.
pub fn wanted(media: &MsrpMedia) -> Option<Verify> {
    if media.protocol != Protocol::Tls {
        return None;
    }
    let known = |print: &sdp::Fingerprint| {
        let hash = match print.hash_func {
            HashFunc::Sha1 => Hash::Sha1,
            HashFunc::Sha224 => Hash::Sha224,
            HashFunc::Sha256 => Hash::Sha256,
            HashFunc::Sha384 => Hash::Sha384,
            HashFunc::Sha512 => Hash::Sha512,
            HashFunc::Md5 | HashFunc::Md2 | HashFunc::Other(_) => return None,
        };
        Some(Fingerprint { hash, digest: print.fingerprint.clone() })
    };
    let has_print = !media.fingerprints.is_empty() || media.unreadable.contains(&"fingerprint");
    Some(match media.path.first().map(sdp::MsrpUri::host) {
        Some(host) if !has_print => Verify::Name(match host {
            Host::Ip(ip) => ip.to_string().into(),
            Host::Name(name) => name.as_str().into(),
        }),
        Some(_) | None => Verify::Fingerprint(media.fingerprints.iter().filter_map(known).collect()),
    })
}
