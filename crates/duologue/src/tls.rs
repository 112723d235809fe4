//! Certificates, keys and trust anchors from files.

use std::fmt;
use std::io;

use engine::{Identity, Tls, TlsError};

/// Where files come from.
pub(crate) type Files<'a> = &'a dyn Fn(&str) -> io::Result<Vec<u8>>;

/// The files of a node, all of them PEM.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Names<'a> {
    /// The certificate, and the chain up to its issuer.
    pub(crate) certificate: Option<&'a str>,
    /// Its private key.
    pub(crate) key: Option<&'a str>,
    /// The trust anchors.
    pub(crate) ca: Option<&'a str>,
}

/// Which of the files is of no use, and why.
#[derive(Debug)]
pub(crate) struct Wrong {
    pub(crate) which: Which,
    pub(crate) problem: String,
    pub(crate) cure: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Which {
    Certificate,
    Key,
    Ca,
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Which::Certificate => "certificate",
            Which::Key => "key",
            Which::Ca => "ca",
        })
    }
}

/// Reads what a node needs. Without certificate and key it makes some, which vouch for nobody but their owner: enough where
/// the peer learns their fingerprint, as over MSRP.
pub(crate) fn read(names: Names<'_>, files: Files<'_>) -> Result<Tls, Wrong> {
    let identity = match (names.certificate, names.key) {
        (Some(certificate), Some(key)) => identity(certificate, key, files)?,
        (None, None) => Identity::self_signed(&[]).map_err(|error| {
            let cure = "write files with a certificate and its key";
            Wrong { which: Which::Certificate, problem: format!("is missing, and {error}"), cure }
        })?,
        (Some(_), None) | (None, Some(_)) => {
            let which = if names.key.is_none() { Which::Key } else { Which::Certificate };
            let cure = "write both, or none of them";
            return Err(Wrong { which, problem: "is missing, and the other one is there".to_owned(), cure });
        }
    };
    let tls = Tls::new(identity);
    let Some(ca) = names.ca else { return Ok(tls) };
    tls.trust(&contents(Which::Ca, ca, files)?).map_err(|error| of_no_use(Which::Ca, ca, &error))
}

fn identity(certificate: &str, key: &str, files: Files<'_>) -> Result<Identity, Wrong> {
    let (chain, private) = (contents(Which::Certificate, certificate, files)?, contents(Which::Key, key, files)?);
    let identity = Identity::from_pem(&chain, &private);
    let in_time = identity.and_then(|identity| identity.check_dates().map(|()| identity));
    in_time.map_err(|error| match error {
        TlsError::NoKey | TlsError::OtherKey => of_no_use(Which::Key, key, &error),
        TlsError::Expired(..) | TlsError::NotYet(..) => {
            Wrong { cure: IN_TIME, ..of_no_use(Which::Certificate, certificate, &error) }
        }
        TlsError::NotPem | TlsError::NoCertificate | TlsError::Certificate(_) | TlsError::Made(_) => {
            of_no_use(Which::Certificate, certificate, &error)
        }
    })
}

const IN_TIME: &str = "put one there that holds today, or set the clock of the machine";

fn contents(which: Which, name: &str, files: Files<'_>) -> Result<Vec<u8>, Wrong> {
    let cure = "name a file that can be read";
    files(name).map_err(|error| Wrong { which, problem: format!("names {name}, which cannot be read: {error}"), cure })
}

fn of_no_use(which: Which, name: &str, error: &TlsError) -> Wrong {
    let cure = match which {
        Which::Certificate => "name a PEM file with the certificate first, the chain after it, and the key of `key`",
        Which::Key => "name a PEM file with the private key of the certificate",
        Which::Ca => "name a PEM file with certificates of authorities",
    };
    Wrong { which, problem: format!("names {name}, which {error}"), cure }
}

#[cfg(test)]
mod tests {
    use engine::Authority;

    use super::*;

    #[test]
    fn a_file_that_is_of_no_use_is_named_with_the_reason() {
        let authority = Authority::new().unwrap();
        let (certificate, key) = authority.issue_pem(&["home1.test".to_owned()], false).unwrap();
        let (old, old_key) = authority.issue_pem(&["home1.test".to_owned()], true).unwrap();
        let (_, other) = authority.issue_pem(&["home1.test".to_owned()], false).unwrap();
        let files = |name: &str| match name {
            "c.pem" => Ok(certificate.clone().into_bytes()),
            "c.key" => Ok(key.clone().into_bytes()),
            "old.pem" => Ok(old.clone().into_bytes()),
            "old.key" => Ok(old_key.clone().into_bytes()),
            "other.key" => Ok(other.clone().into_bytes()),
            "ca.pem" => Ok(authority.pem().into_bytes()),
            "text" => Ok(b"certificate".to_vec()),
            _ => Err(io::Error::from(io::ErrorKind::NotFound)),
        };
        let names = |certificate, key, ca| Names { certificate, key, ca };
        let right = read(names(Some("c.pem"), Some("c.key"), Some("ca.pem")), &files).unwrap();
        assert!(right.trusts_somebody());
        assert!(!read(Names::default(), &files).unwrap().trusts_somebody());
        for (wrong, which, problem) in [
            (names(Some("c.pem"), None, None), Which::Key, "is missing, and the other one is there"),
            (names(None, Some("c.key"), None), Which::Certificate, "is missing"),
            (names(Some("none"), Some("c.key"), None), Which::Certificate, "names none, which cannot be read: "),
            (
                names(Some("text"), Some("c.key"), None),
                Which::Certificate,
                "names text, which has no certificate in it",
            ),
            (names(Some("c.pem"), Some("c.pem"), None), Which::Key, "names c.pem, which has no private key in it"),
            (
                names(Some("c.pem"), Some("other.key"), None),
                Which::Key,
                "names other.key, which is not the key of the certificate",
            ),
            (
                names(Some("old.pem"), Some("old.key"), None),
                Which::Certificate,
                "names old.pem, which has expired: it held until ",
            ),
            (names(Some("c.pem"), Some("c.key"), Some("c.key")), Which::Ca, "names c.key, which has no certificate"),
        ] {
            let error = read(wrong, &files).unwrap_err();
            assert_eq!(error.which, which, "{error:?}");
            assert!(error.problem.starts_with(problem), "{error:?}");
        }
    }
}
