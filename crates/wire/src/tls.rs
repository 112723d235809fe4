//! What a machine and its host say to each other about TLS: whom a connection must lead to, and who was found there.

use std::sync::Arc;

/// A hash function that fingerprints are made with (RFC 8122 §5), the most preferred one last. MD5 and MD2 are not among
/// them: RFC 8122 §5 forbids them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Hash {
    /// SHA-1: only read, because RCS clients still send it.
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256, which every implementation has.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// The digest of a certificate in its binary form.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Fingerprint {
    /// How it was made.
    pub hash: Hash,
    /// The digest, as long as the hash function has it.
    pub digest: Vec<u8>,
}

/// What a host has found out about the certificate of a peer, whose private key the peer has proved to hold.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct PeerCertificate {
    /// Its fingerprints, one for each hash function.
    pub fingerprints: Vec<Fingerprint>,
    /// The names that a configured trust anchor vouches for, in lower case: domains, and the peer's own address. Empty when
    /// it is self-signed, expired or otherwise not trusted.
    pub names: Vec<String>,
}

/// Whom a TLS connection must lead to. A host that finds somebody else there fails the connection before an octet of the
/// node is sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verify {
    /// The owner of a certificate with one of these fingerprints, which came by a way that is trusted (RFC 8122): it may be
    /// self-signed, and its names and dates do not matter.
    Fingerprint(Arc<[Fingerprint]>),
    /// The owner of this name, a domain or an IP address, as vouched for by a configured trust anchor (RFC 5922).
    Name(Arc<str>),
}

impl Verify {
    /// Whether `peer` is meant. RFC 8122 §5: of several hash functions, the most preferred one decides.
    pub fn accepts(&self, peer: &PeerCertificate) -> bool {
        match self {
            Verify::Fingerprint(wanted) => {
                let Some(best) = wanted.iter().map(|print| print.hash).max() else { return false };
                wanted.iter().filter(|print| print.hash == best).any(|print| peer.fingerprints.contains(print))
            }
            Verify::Name(name) => peer.names.iter().any(|has| has.eq_ignore_ascii_case(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(hash: Hash, octet: u8) -> Fingerprint {
        Fingerprint { hash, digest: vec![octet; 4] }
    }

    #[test]
    fn the_most_preferred_hash_function_decides() {
        let peer = PeerCertificate {
            fingerprints: vec![print(Hash::Sha1, 1), print(Hash::Sha256, 2)],
            names: vec!["home1.test".to_owned()],
        };
        let accepts = |wanted: Vec<Fingerprint>| Verify::Fingerprint(wanted.into()).accepts(&peer);
        assert!(accepts(vec![print(Hash::Sha1, 1)]));
        assert!(accepts(vec![print(Hash::Sha256, 9), print(Hash::Sha256, 2)]));
        // The weak one is right and the strong one is wrong: whoever can forge SHA-1 gains nothing.
        assert!(!accepts(vec![print(Hash::Sha1, 1), print(Hash::Sha256, 9)]));
        assert!(!accepts(vec![]));
        assert!(Verify::Name("HOME1.test".into()).accepts(&peer));
        assert!(!Verify::Name("home2.test".into()).accepts(&peer));
    }
}
