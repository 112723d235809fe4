use std::borrow::Cow;
use std::io;

use percent_encoding::percent_decode_str;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, TrustAnchor};
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

use super::{LocatorError, reason};

/// A PostgreSQL server, and what it must prove before it is asked anything.
#[derive(Clone, PartialEq, Eq)]
pub struct Server {
    /// Where it is, and whether TLS is spoken.
    pub(crate) config: Config,
    pub(crate) proof: Proof,
}

/// What the certificate of a server must show, where TLS is spoken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Proof {
    /// Nothing: `prefer` and `require`.
    Nothing,
    /// That one of these vouches for it: `verify-ca`.
    Authority(Vec<TrustAnchor<'static>>),
    /// And that it is for the host of the URL: `verify-full`.
    Name(Vec<TrustAnchor<'static>>),
}

impl Server {
    /// Reads a URL. What libpq knows of TLS and `tokio-postgres` does not is taken out of it first.
    pub(super) fn parse(url: &str, files: Files<'_>) -> Result<Server, LocatorError> {
        let (plain, Wanted { mode, roots }) = split(url)?;
        let mut config: Config = plain.parse().map_err(|error| LocatorError::Postgres(reason(&error)))?;
        if config.get_hosts().is_empty() {
            return Err(LocatorError::Postgres("it names no host".to_owned()));
        }
        let (mode, proof) = match (mode.as_deref(), roots) {
            (Some("disable"), None) => (SslMode::Disable, Proof::Nothing),
            (Some("prefer") | None, None) => (SslMode::Prefer, Proof::Nothing),
            (Some("require"), None) => (SslMode::Require, Proof::Nothing),
            // As libpq has it: who names an authority wants it looked at.
            (Some("require" | "verify-ca"), Some(name)) => (SslMode::Require, Proof::Authority(anchors(name, files)?)),
            (Some("verify-full") | None, Some(name)) => (SslMode::Require, Proof::Name(anchors(name, files)?)),
            (Some(mode @ ("verify-ca" | "verify-full")), None) => return Err(LocatorError::NoRoots(mode.to_owned())),
            (Some(mode @ ("disable" | "prefer")), Some(_)) => return Err(LocatorError::Unchecked(mode.to_owned())),
            (Some(mode), Some(_) | None) => return Err(LocatorError::Mode(mode.to_owned())),
        };
        config.ssl_mode(mode);
        Ok(Server { config, proof })
    }
}

/// How a file is read.
pub(super) type Files<'a> = &'a dyn Fn(&str) -> io::Result<Vec<u8>>;

/// What a URL says of TLS.
#[derive(Default)]
struct Wanted {
    mode: Option<String>,
    roots: Option<String>,
}

/// Takes `sslmode` and `sslrootcert` out of the parameters. They begin where libpq sees them begin: at the first `?` behind
/// the first `@`.
fn split(url: &str) -> Result<(String, Wanted), LocatorError> {
    let mut wanted = Wanted::default();
    let host = url.find('@').map_or(0, |at| at + 1);
    let Some(mark) = url[host..].find('?').map(|mark| host + mark) else { return Ok((url.to_owned(), wanted)) };
    let mut others = Vec::new();
    for parameter in url[mark + 1..].split('&') {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let slot = match &*decode(key)? {
            "sslmode" => &mut wanted.mode,
            "sslrootcert" => &mut wanted.roots,
            _ => {
                others.push(parameter);
                continue;
            }
        };
        if slot.replace(decode(value)?.into_owned()).is_some() {
            return Err(LocatorError::Postgres(format!("it has {key} twice")));
        }
    }
    let mark = if others.is_empty() { mark } else { mark + 1 };
    Ok((format!("{}{}", &url[..mark], others.join("&")), wanted))
}

fn decode(text: &str) -> Result<Cow<'_, str>, LocatorError> {
    percent_decode_str(text).decode_utf8().map_err(|error| LocatorError::Postgres(error.to_string()))
}

/// The authorities in a file, in PEM.
fn anchors(name: String, files: Files<'_>) -> Result<Vec<TrustAnchor<'static>>, LocatorError> {
    if name == "system" {
        return Err(LocatorError::System);
    }
    let wrong = |why: String| LocatorError::Roots(name.clone(), why);
    let pem = files(&name).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|_| wrong("is no PEM".to_owned()))?;
        store.add(certificate).map_err(|error| wrong(format!("cannot be used: {error}")))?;
    }
    if store.is_empty() { Err(wrong("has no certificate in it".to_owned())) } else { Ok(store.roots) }
}
