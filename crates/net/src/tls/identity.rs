use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::sign::CertifiedKey;
use wire::{Fingerprint, Hash};

use super::{provider, verify};

/// Why a certificate, a key or a list of trust anchors is of no use.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// It is not what RFC 7468 describes.
    #[error("is no PEM")]
    NotPem,
    /// PEM, but no certificate is in it.
    #[error("has no certificate in it")]
    NoCertificate,
    /// PEM, but no private key is in it.
    #[error("has no private key in it")]
    NoKey,
    /// The key is not that of the certificate.
    #[error("is not the key of the certificate")]
    OtherKey,
    /// The certificate has had its day.
    #[error("has expired: it held until {0} s after 1970, and it is {1}")]
    Expired(u64, u64),
    /// The day of the certificate has not come.
    #[error("does not hold before {0} s after 1970, and it is {1}")]
    NotYet(u64, u64),
    /// The certificate or the key cannot be used.
    #[error("cannot be used: {0}")]
    Certificate(rustls::Error),
    /// No certificate could be made.
    #[error("no certificate can be made: {0}")]
    Made(#[from] rcgen::Error),
}

/// A certificate of our own, with the chain up to its issuer and its private key.
#[derive(Clone, Debug)]
pub struct Identity {
    key: Arc<CertifiedKey>,
}

impl Identity {
    /// Reads a certificate, the node's own first and the chain after it, and its key (PKCS #8, PKCS #1 or SEC 1).
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Identity, TlsError> {
        let chain = CertificateDer::pem_slice_iter(certificate).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|_| TlsError::NotPem)?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate);
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::NoKey)?;
        Identity::new(chain, key)
    }

    /// Makes a key and a certificate that vouches for itself: good for peers that know its fingerprint.
    pub fn self_signed(names: &[String]) -> Result<Identity, TlsError> {
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(names)?.self_signed(&key)?;
        Identity::new(vec![certificate.der().clone()], key_der(&key))
    }

    /// Looks at the dates of the certificate: whoever knows us by name refuses one outside of them.
    pub fn check_dates(&self) -> Result<(), TlsError> {
        let Some(leaf) = self.key.cert.first() else { return Ok(()) };
        let certificate =
            webpki::EndEntityCert::try_from(leaf).map_err(|reason| TlsError::Certificate(verify::refusal(&reason)))?;
        let algorithms = provider().signature_verification_algorithms;
        let usage = webpki::KeyUsage::server_auth();
        // Nobody vouches for it here: its dates are looked at first.
        let seen = certificate.verify_for_usage(algorithms.all, &[], &[], UnixTime::now(), usage, None, None);
        match seen.err() {
            Some(webpki::Error::CertExpired { time, not_after }) => {
                Err(TlsError::Expired(not_after.as_secs(), time.as_secs()))
            }
            Some(webpki::Error::CertNotValidYet { time, not_before }) => {
                Err(TlsError::NotYet(not_before.as_secs(), time.as_secs()))
            }
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Identity, TlsError> {
        let key = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| {
            let is_other = matches!(error, rustls::Error::InconsistentKeys(_));
            if is_other { TlsError::OtherKey } else { TlsError::Certificate(error) }
        })?;
        Ok(Identity { key: Arc::new(key) })
    }

    /// The SHA-256 fingerprint, for `a=fingerprint` (RFC 8122 §5).
    pub fn fingerprint(&self) -> Fingerprint {
        let certificate = self.key.cert.first().map(|der| der.as_ref()).unwrap_or_default();
        verify::fingerprint(Hash::Sha256, certificate)
    }

    pub(super) fn certified_key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.key)
    }
}

pub(super) fn key_der(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivateKeyDer::Pkcs8(key.serialize_der().into())
}
