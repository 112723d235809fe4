//! TLS (1.2 and 1.3) over the streams of [`crate::Sockets`]: who we are, whom we trust, and one session of each connection.

mod authority;
mod identity;
mod session;
mod verify;

use std::net::IpAddr;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::NoServerSessionStorage;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use wire::Verify;

pub use authority::Authority;
pub use identity::{Identity, TlsError};
pub(crate) use session::{Handshake, Session};

use verify::{Inspector, examine};

/// Whether a listener wants a certificate of those who connect to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ClientAuth {
    /// It asks for one. Whatever comes is told to the node, also that none came.
    #[default]
    Asked,
    /// It refuses those who have none that a trust anchor vouches for.
    Required,
}

/// What the sockets of a node need for TLS: its own certificate, and the trust anchors for the certificates of others.
///
/// No session is ever resumed: each handshake proves anew who the peer is.
#[derive(Clone, Debug)]
pub struct Tls {
    identity: Identity,
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

impl Tls {
    /// A node with this certificate, that trusts nobody by name.
    pub fn new(identity: Identity) -> Tls {
        Tls { identity, roots: Arc::new(RootCertStore::empty()), provider: provider() }
    }

    /// Adds trust anchors: certificates in PEM.
    pub fn trust(mut self, pem: &[u8]) -> Result<Tls, TlsError> {
        let mut roots = RootCertStore::clone(&self.roots);
        let before = roots.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|_| TlsError::NotPem)?;
            roots.add(certificate).map_err(TlsError::Certificate)?;
        }
        if roots.len() == before {
            return Err(TlsError::NoCertificate);
        }
        self.roots = Arc::new(roots);
        Ok(self)
    }

    /// The node's certificate.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether anybody is trusted by name.
    pub fn trusts_somebody(&self) -> bool {
        !self.roots.is_empty()
    }

    /// What one listener has for all its connections.
    pub(crate) fn acceptor(&self, client_auth: ClientAuth) -> Result<Acceptor, TlsError> {
        let inspector = self.inspector(None, client_auth);
        let config = ServerConfig::builder_with_provider(Arc::clone(&self.provider));
        let config = config.with_safe_default_protocol_versions().map_err(TlsError::Certificate)?;
        let key = SingleCertAndKey::from(self.identity.certified_key());
        let mut config = config.with_client_cert_verifier(Arc::new(inspector)).with_cert_resolver(Arc::new(key));
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Acceptor { config: Arc::new(config), roots: Arc::clone(&self.roots) })
    }

    /// Begins a connection that we open, to whom `verify` says.
    pub(crate) fn connect(&self, verify: &Verify, remote: IpAddr) -> Result<Session, TlsError> {
        let inspector = self.inspector(Some((verify.clone(), remote)), ClientAuth::Asked);
        let config = ClientConfig::builder_with_provider(Arc::clone(&self.provider));
        let config = config.with_safe_default_protocol_versions().map_err(TlsError::Certificate)?;
        let key = SingleCertAndKey::from(self.identity.certified_key());
        let config = config.dangerous().with_custom_certificate_verifier(Arc::new(inspector));
        let mut config = config.with_client_cert_resolver(Arc::new(key));
        config.resumption = rustls::client::Resumption::disabled();
        let connection =
            ClientConnection::new(Arc::new(config), server_name(verify, remote)).map_err(TlsError::Certificate)?;
        Ok(Session::new(connection.into(), Arc::clone(&self.roots)))
    }

    fn inspector(&self, wanted: Option<(Verify, IpAddr)>, client_auth: ClientAuth) -> Inspector {
        let algorithms = self.provider.signature_verification_algorithms;
        Inspector { wanted, client_auth, roots: Arc::clone(&self.roots), algorithms }
    }
}

/// One listener's share in TLS.
#[derive(Clone)]
pub(crate) struct Acceptor {
    config: Arc<ServerConfig>,
    roots: Arc<RootCertStore>,
}

impl Acceptor {
    /// Begins a connection that was accepted.
    pub(crate) fn accept(&self) -> Result<Session, TlsError> {
        let connection = ServerConnection::new(Arc::clone(&self.config)).map_err(TlsError::Certificate)?;
        Ok(Session::new(connection.into(), Arc::clone(&self.roots)))
    }
}

/// The name that the peer may choose its certificate by (RFC 6066 §3). Addresses are not sent.
fn server_name(verify: &Verify, remote: IpAddr) -> ServerName<'static> {
    let by_address = ServerName::IpAddress(remote.into());
    match verify {
        Verify::Fingerprint(_) => by_address,
        Verify::Name(name) => ServerName::try_from(name.to_string()).unwrap_or(by_address),
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
