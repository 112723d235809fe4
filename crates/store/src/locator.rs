use std::fmt;
use std::path::PathBuf;

/// Where a database is.
#[derive(Clone, PartialEq, Eq)]
pub enum Locator {
    /// `sqlite:PATH`.
    Sqlite(PathBuf),
    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, or the keywords of libpq.
    Postgres(Box<tokio_postgres::Config>),
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
    /// It asks for TLS.
    #[error("asks for TLS, which is not spoken to databases yet")]
    Tls,
}

impl Locator {
    /// Reads a URL.
    pub fn parse(text: &str) -> Result<Locator, LocatorError> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            return if path.is_empty() { Err(LocatorError::NoFile) } else { Ok(Locator::Sqlite(path.into())) };
        }
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(LocatorError::Scheme);
        }
        let config: tokio_postgres::Config =
            text.parse().map_err(|error: tokio_postgres::Error| LocatorError::Postgres(reason(&error)))?;
        if config.get_ssl_mode() == tokio_postgres::config::SslMode::Require {
            return Err(LocatorError::Tls);
        }
        if config.get_hosts().is_empty() {
            return Err(LocatorError::Postgres("it names no host".to_owned()));
        }
        Ok(Locator::Postgres(Box::new(config)))
    }
}

impl fmt::Debug for Locator {
    /// Without a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Locator::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Locator::Postgres(config) => write!(f, "postgres database {}", config.get_dbname().unwrap_or_default()),
        }
    }
}

/// What went wrong, with what made it go wrong.
pub(crate) fn reason(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_is_wrong_says_why() {
        let wrong = |text: &str| Locator::parse(text).unwrap_err().to_string();
        assert_eq!(wrong("mysql://x"), "is neither `sqlite:…` nor `postgres://…`");
        assert_eq!(wrong("sqlite:"), "names no file");
        assert_eq!(wrong("postgres://u@h/d?sslmode=require"), "asks for TLS, which is not spoken to databases yet");
        assert!(wrong("postgres://u@h:port/d").starts_with("cannot be read: "));
        assert_eq!(wrong("postgres:///d"), "cannot be read: it names no host");
    }

    #[test]
    fn a_password_is_not_shown() {
        let locator = Locator::parse("postgres://duologue:secret@127.0.0.1:5432/duologue").unwrap();
        assert_eq!(format!("{locator:?}"), "postgres database duologue");
        assert_eq!(format!("{:?}", Locator::parse("sqlite:/var/lib/x.db").unwrap()), "sqlite:/var/lib/x.db");
    }
}
