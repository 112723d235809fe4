use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    SanType,
};

use super::identity::{Identity, TlsError, key_der};

/// A certificate authority that lives as long as the process: for the lab and for tests, whose nodes must trust each other
/// by name and nobody else.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// A new authority with a key of its own.
    pub fn new() -> Result<Authority, TlsError> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Ok(Authority { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate()?)? })
    }

    /// Its certificate in PEM: what [`Tls::trust`](crate::Tls::trust) takes.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate and its key in PEM, for domains, `sip:` URIs (RFC 5922 §4) and IP addresses, that holds for a day, or
    /// held until yesterday.
    pub fn issue_pem(&self, names: &[String], expired: bool) -> Result<(String, String), TlsError> {
        let (certificate, key) = self.issue_parts(names, expired)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }

    /// The same, ready to use.
    pub fn issue(&self, names: &[String]) -> Result<Identity, TlsError> {
        let (certificate, key) = self.issue_parts(names, false)?;
        Identity::new(vec![certificate.der().clone()], key_der(&key))
    }

    fn issue_parts(&self, names: &[String], expired: bool) -> Result<(rcgen::Certificate, KeyPair), TlsError> {
        let is_uri = |name: &&String| name.starts_with("sip:");
        let plain: Vec<String> = names.iter().filter(|name| !is_uri(name)).cloned().collect();
        let mut params = CertificateParams::new(plain)?;
        for uri in names.iter().filter(is_uri) {
            params.subject_alt_names.push(SanType::URI(Ia5String::try_from(uri.as_str())?));
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let now = rustls::pki_types::UnixTime::now().as_secs() as i64;
        let (from, to) = if expired { (now - 2 * DAY, now - DAY) } else { (now - DAY, now + DAY) };
        (params.not_before, params.not_after) = (at(from), at(to));
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok((certificate, key))
    }
}

/// In seconds.
const DAY: i64 = 86_400;

/// Seconds since 1970 as a time of the certificate's kind.
fn at(seconds: i64) -> time::OffsetDateTime {
    time::OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
}
