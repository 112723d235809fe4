//! `[hep]`.

use wire::Redacted;

use super::{ConfigError, admin};
use crate::serve::copies::HepPlan;
use crate::serve::document;

/// What Homer shows where nobody has given a number.
const CAPTURE_ID: u32 = 2_001;

pub(super) fn read(hep: Option<document::Hep>) -> Result<Option<HepPlan>, ConfigError> {
    let Some(hep) = hep else { return Ok(None) };
    let address = admin::address("hep.address", &hep.address, "127.0.0.1:9060")?;
    if address.port() == 0 {
        return Err(ConfigError::new(
            "hep.address",
            "has no port",
            "write the port that Homer listens at, such as 9060",
        ));
    }
    // A chunk names its length in 16 bits, and the message has to fit behind it.
    if hep.password.as_ref().is_some_and(|password| password.is_empty() || password.len() > 255) {
        let cure = "write up to 255 characters, or leave it out";
        return Err(ConfigError::new("hep.password", "is empty or too long", cure));
    }
    let capture_id = hep.capture_id.unwrap_or(CAPTURE_ID);
    Ok(Some(HepPlan { address, capture_id, password: hep.password.map(Redacted), contents: hep.contents }))
}
