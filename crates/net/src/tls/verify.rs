//! Certificates of peers: what is found out about them, and whether they are the ones that are wanted.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use aws_lc_rs::digest;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use webpki::{EndEntityCert, KeyUsage};
use wire::{Fingerprint, Hash, PeerCertificate, Verify};

use super::ClientAuth;

/// Looks at the certificates of the peers of one listener, or of one connection that we open.
pub(super) struct Inspector {
    /// Who is wanted, and at which address.
    pub(super) wanted: Option<(Verify, IpAddr)>,
    pub(super) client_auth: ClientAuth,
    pub(super) roots: Arc<RootCertStore>,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

/// What is found out about a certificate chain. `Err` in the second place says why no trust anchor vouches for it.
pub(super) fn examine(
    chain: &[CertificateDer<'_>],
    roots: &RootCertStore,
    algorithms: &WebPkiSupportedAlgorithms,
    remote: IpAddr,
    is_server: bool,
) -> (PeerCertificate, Result<(), Error>) {
    let Some((own, intermediates)) = chain.split_first() else {
        return (PeerCertificate::default(), Err(Error::NoCertificatesPresented));
    };
    let hashes = [Hash::Sha1, Hash::Sha224, Hash::Sha256, Hash::Sha384, Hash::Sha512];
    let fingerprints = hashes.into_iter().map(|hash| fingerprint(hash, own)).collect();
    let (names, verdict) = match vouched_names(own, intermediates, roots, algorithms, remote, is_server) {
        Ok(names) => (names, Ok(())),
        Err(reason) => (Vec::new(), Err(refusal(&reason))),
    };
    (PeerCertificate { fingerprints, names }, verdict)
}

/// RFC 5922 §7.1: where a certificate names SIP domains by URI, its DNS names do not count. Wildcards never do (§7.2).
fn vouched_names(
    own: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    roots: &RootCertStore,
    algorithms: &WebPkiSupportedAlgorithms,
    remote: IpAddr,
    is_server: bool,
) -> Result<Vec<String>, webpki::Error> {
    let certificate = EndEntityCert::try_from(own)?;
    let usage = if is_server { KeyUsage::server_auth() } else { KeyUsage::client_auth() };
    certificate.verify_for_usage(algorithms.all, &roots.roots, intermediates, UnixTime::now(), usage, None, None)?;
    let domains = certificate.valid_uri_names().filter_map(sip_domain);
    let mut names: Vec<String> = domains.map(str::to_ascii_lowercase).collect();
    if names.is_empty() {
        let plain = certificate.valid_dns_names().filter(|name| !name.contains('*'));
        names.extend(plain.map(str::to_ascii_lowercase));
    }
    if certificate.verify_is_valid_for_subject_name(&ServerName::IpAddress(remote.into())).is_ok() {
        names.push(remote.to_string());
    }
    Ok(names)
}

/// The domain of a `sip:` URI that is nothing but a domain (RFC 5922 §7.1: with a user part it names somebody else).
fn sip_domain(uri: &str) -> Option<&str> {
    let scheme = uri.get(..4).filter(|scheme| scheme.eq_ignore_ascii_case("sip:"))?;
    let domain = &uri[scheme.len()..];
    (!domain.is_empty() && !domain.contains(['@', ';', '?', '*'])).then_some(domain)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "webpki knows many errors; these are the ones that logs tell apart")]
pub(super) fn refusal(reason: &webpki::Error) -> Error {
    Error::InvalidCertificate(match reason {
        webpki::Error::CertExpired { .. } => CertificateError::Expired,
        webpki::Error::CertNotValidYet { .. } => CertificateError::NotValidYet,
        webpki::Error::UnknownIssuer => CertificateError::UnknownIssuer,
        webpki::Error::BadDer => CertificateError::BadEncoding,
        _ => CertificateError::ApplicationVerificationFailure,
    })
}

/// The fingerprint of a certificate in DER (RFC 8122 §5).
pub(super) fn fingerprint(hash: Hash, der: &[u8]) -> Fingerprint {
    let algorithm = match hash {
        Hash::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        Hash::Sha224 => &digest::SHA224,
        Hash::Sha256 => &digest::SHA256,
        Hash::Sha384 => &digest::SHA384,
        Hash::Sha512 => &digest::SHA512,
    };
    Fingerprint { hash, digest: digest::digest(algorithm, der).as_ref().to_vec() }
}

impl fmt::Debug for Inspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspector").field("wanted", &self.wanted).finish_non_exhaustive()
    }
}

impl ServerCertVerifier for Inspector {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        // Nobody in particular is nobody.
        let Some((wanted, remote)) = &self.wanted else { return Err(Error::NoCertificatesPresented) };
        let chain: Vec<_> = std::iter::once(end_entity).chain(intermediates).cloned().collect();
        let (peer, verdict) = examine(&chain, &self.roots, &self.algorithms, *remote, true);
        if wanted.accepts(&peer) {
            return Ok(ServerCertVerified::assertion());
        }
        Err(match (wanted, verdict) {
            (Verify::Name(_), Err(reason)) => reason,
            (Verify::Name(_), Ok(())) => CertificateError::NotValidForName.into(),
            (Verify::Fingerprint(_), _) => CertificateError::ApplicationVerificationFailure.into(),
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for Inspector {
    fn client_auth_mandatory(&self) -> bool {
        self.client_auth == ClientAuth::Required
    }

    /// None: who has a self-signed certificate shall send it, too.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let certificate = EndEntityCert::try_from(end_entity).map_err(|reason| refusal(&reason))?;
        if self.client_auth == ClientAuth::Required {
            let roots = &self.roots.roots;
            let usage = KeyUsage::client_auth();
            certificate
                .verify_for_usage(self.algorithms.all, roots, intermediates, now, usage, None, None)
                .map_err(|reason| refusal(&reason))?;
        }
        // Who it is, is for the node to judge: it is told the fingerprints and what a trust anchor vouches for.
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
