//! `[store]`.

use std::time::Duration;

use store::{Locator, LocatorError};

use super::ConfigError;
use crate::serve::document;
use crate::tls::Files;

/// The database, but for its connections.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct StorePlan {
    pub(crate) locator: Locator,
    /// How long another node must have given no sign of life before its sessions are taken over.
    pub(crate) take_over: Duration,
}

/// Long enough for a database that is restarted, short enough for a client that waits.
const TAKE_OVER: u64 = 15;

/// Signs of life come every second; a machine that is busy may miss some.
const SHORTEST: u64 = 5;

pub(super) fn read(store: Option<document::Store>, files: Files<'_>) -> Result<Option<StorePlan>, ConfigError> {
    let Some(document::Store { url, take_over }) = store else { return Ok(None) };
    let locator = Locator::parse_with(&url, files)
        .map_err(|error| ConfigError::new("store.url", &error.to_string(), cure(&error)))?;
    let take_over = take_over.unwrap_or(TAKE_OVER);
    if take_over < SHORTEST {
        let cure = format!("write {SHORTEST} or more");
        return Err(ConfigError::new(
            "store.take_over",
            &format!("is {take_over} s, which a busy node may need"),
            &cure,
        ));
    }
    Ok(Some(StorePlan { locator, take_over: Duration::from_secs(take_over) }))
}

fn cure(error: &LocatorError) -> &'static str {
    match error {
        LocatorError::Scheme | LocatorError::NoFile | LocatorError::Postgres(_) => {
            "write \"sqlite:PATH\" or \"postgres://USER:PASSWORD@HOST:PORT/DATABASE\""
        }
        LocatorError::Mode(_) => "write one of them; `verify-full` is the safe one",
        LocatorError::NoRoots(_) => {
            "add `sslrootcert=FILE`, the certificate of the authority that vouches for the database"
        }
        LocatorError::Unchecked(_) => "write `sslmode=verify-full`, or leave `sslrootcert` out",
        LocatorError::System => "name a file, as `sslrootcert=/etc/ssl/certs/ca-certificates.crt`",
        LocatorError::Roots(..) => "name a file in PEM that this process may read",
    }
}
