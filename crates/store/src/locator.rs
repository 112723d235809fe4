mod server;

use std::fmt;
use std::path::PathBuf;

pub(crate) use self::server::Proof;
pub use self::server::Server;

/// Where a database is.
#[derive(Clone, PartialEq, Eq)]
pub enum Locator {
    /// `sqlite:PATH`.
    Sqlite(PathBuf),
    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, with parameters as in libpq.
    Postgres(Box<Server>),
}

/// Why it cannot be one.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LocatorError {
    /// The scheme is unknown.
    #[error("is neither `sqlite:…` nor `postgres://…`")]
    Scheme,
    /// There is no path.
    #[error("names no file")]
    NoFile,
    /// What is behind `postgres:` cannot be read.
    #[error("cannot be read: {0}")]
    Postgres(String),
    /// Nobody knows this `sslmode`.
    #[error("has sslmode={0}, which is none of disable, prefer, require, verify-ca and verify-full")]
    Mode(String),
    /// The certificate is to be looked at, and there is nobody to vouch for it.
    #[error("has sslmode={0} and no sslrootcert")]
    NoRoots(String),
    /// There is somebody to vouch for it, and nobody would ask.
    #[error("has an sslrootcert that sslmode={0} would not look at")]
    Unchecked(String),
    /// The authorities that the system trusts are not looked up.
    #[error("has sslrootcert=system, which is not looked up")]
    System,
    /// The certificates of the authorities are of no use: the file, and why.
    #[error("names {0} in sslrootcert, which {1}")]
    Roots(String, String),
}

impl Locator {
    /// Reads a URL, and the certificates that it names.
    pub fn parse(text: &str) -> Result<Locator, LocatorError> {
        Locator::parse_with(text, &|name| std::fs::read(name))
    }

    /// The same, where somebody else reads the files.
    pub fn parse_with(text: &str, files: &dyn Fn(&str) -> std::io::Result<Vec<u8>>) -> Result<Locator, LocatorError> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            return if path.is_empty() { Err(LocatorError::NoFile) } else { Ok(Locator::Sqlite(path.into())) };
        }
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(LocatorError::Scheme);
        }
        Ok(Locator::Postgres(Box::new(Server::parse(text, files)?)))
    }
}

impl fmt::Debug for Locator {
    /// Without a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Locator::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Locator::Postgres(server) => {
                write!(f, "postgres database {}", server.config.get_dbname().unwrap_or_default())
            }
        }
    }
}

/// What went wrong, with all that made it go wrong. What an error has said already, those below it need not say again.
pub(crate) fn reason(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    for source in std::iter::successors(error.source(), |error| error.source()).map(ToString::to_string) {
        if !said.contains(&source) {
            said = format!("{said}: {source}");
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use tokio_postgres::config::SslMode;

    use super::*;

    /// One file is there, with an authority in it.
    fn parse(text: &str) -> Result<Locator, LocatorError> {
        let pem = net::Authority::new().unwrap().pem();
        Locator::parse_with(text, &|name| match name {
            "/etc/my ca.pem" => Ok(pem.clone().into_bytes()),
            "/etc/passwd" => Ok(b"root".to_vec()),
            _ => Err(std::io::ErrorKind::NotFound.into()),
        })
    }

    fn wrong(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    /// Whether TLS is spoken, and what the server must prove.
    fn tls(parameters: &str) -> (SslMode, &'static str) {
        let Locator::Postgres(server) = parse(&format!("postgres://u:p?&@h/d{parameters}")).unwrap() else {
            panic!("{parameters}")
        };
        assert_eq!(server.config.get_password(), Some(&b"p?&"[..]));
        let proof = match &server.proof {
            Proof::Nothing => "nothing",
            Proof::Authority(_) => "authority",
            Proof::Name(_) => "name",
        };
        (server.config.get_ssl_mode(), proof)
    }

    #[test]
    fn a_url_that_is_wrong_says_why() {
        assert_eq!(wrong("mysql://x"), "is neither `sqlite:…` nor `postgres://…`");
        assert_eq!(wrong("sqlite:"), "names no file");
        assert!(wrong("postgres://u@h:port/d").starts_with("cannot be read: "));
        assert_eq!(wrong("postgres:///d"), "cannot be read: it names no host");
        assert_eq!(wrong("postgres://h/d?sslmode=disable&sslmode=require"), "cannot be read: it has sslmode twice");
        // What would keep a certificate of our own, or a list of revoked ones, is not known: it is not passed over.
        for unknown in ["sslcert", "sslkey", "sslcrl"] {
            assert!(wrong(&format!("postgres://h/d?sslmode=require&{unknown}=x")).contains(unknown));
        }
    }

    #[test]
    fn a_server_proves_what_its_url_asks_for() {
        assert_eq!(tls(""), (SslMode::Prefer, "nothing"));
        assert_eq!(tls("?sslmode=prefer"), (SslMode::Prefer, "nothing"));
        assert_eq!(tls("?connect_timeout=3&sslmode=disable"), (SslMode::Disable, "nothing"));
        assert_eq!(tls("?sslmode=require&connect_timeout=3"), (SslMode::Require, "nothing"));
        assert_eq!(tls("?sslmode=require&sslrootcert=/etc/my%20ca.pem"), (SslMode::Require, "authority"));
        assert_eq!(tls("?sslmode=verify-ca&sslrootcert=/etc/my%20ca.pem"), (SslMode::Require, "authority"));
        assert_eq!(tls("?sslrootcert=%2fetc/my%20ca.pem&sslmode=verify-full"), (SslMode::Require, "name"));
        assert_eq!(tls("?ssl%72ootcert=/etc/my ca.pem"), (SslMode::Require, "name"));
    }

    #[test]
    fn nothing_is_weaker_than_it_was_asked_to_be() {
        let wrong = |parameters: &str| wrong(&format!("postgres://h/d?{parameters}"));
        let modes = "which is none of disable, prefer, require, verify-ca and verify-full";
        for mode in ["allow", "", "verify", "Verify-Full"] {
            assert_eq!(wrong(&format!("sslmode={mode}")), format!("has sslmode={mode}, {modes}"));
        }
        for mode in ["verify-ca", "verify-full"] {
            assert_eq!(wrong(&format!("sslmode={mode}")), format!("has sslmode={mode} and no sslrootcert"));
        }
        for mode in ["disable", "prefer"] {
            let expected = format!("has an sslrootcert that sslmode={mode} would not look at");
            assert_eq!(wrong(&format!("sslmode={mode}&sslrootcert=/etc/my%20ca.pem")), expected);
        }
        assert_eq!(wrong("sslrootcert=system"), "has sslrootcert=system, which is not looked up");
        assert!(wrong("sslrootcert=/none.pem").starts_with("names /none.pem in sslrootcert, which cannot be read: "));
        assert_eq!(
            wrong("sslrootcert=/etc/passwd"),
            "names /etc/passwd in sslrootcert, which has no certificate in it"
        );
    }

    #[test]
    fn a_reason_goes_to_the_ground_and_says_nothing_twice() {
        #[derive(Debug, thiserror::Error)]
        enum Wrong {
            #[error("cannot connect")]
            Outer(#[source] Box<Wrong>),
            #[error("refused by {0}")]
            Ground(u8),
        }
        let twice = Wrong::Outer(Box::new(Wrong::Outer(Box::new(Wrong::Ground(7)))));
        assert_eq!(reason(&twice), "cannot connect: refused by 7");
    }

    #[test]
    fn a_password_is_not_shown() {
        let locator = Locator::parse("postgres://duologue:secret@127.0.0.1:5432/duologue").unwrap();
        assert_eq!(format!("{locator:?}"), "postgres database duologue");
        assert_eq!(format!("{:?}", Locator::parse("sqlite:/var/lib/x.db").unwrap()), "sqlite:/var/lib/x.db");
    }
}
