//! `[capture]`.

use super::ConfigError;
use crate::serve::copies::CapturePlan;
use crate::serve::document;

/// Some 10,000 messages.
const OCTETS: usize = 16 << 20;

/// A message of any size has room, and a process does not become much larger than one that keeps nothing.
const BOUNDS: std::ops::RangeInclusive<usize> = 1 << 20..=1 << 30;

pub(super) fn read(capture: Option<document::Capture>) -> Result<Option<CapturePlan>, ConfigError> {
    let Some(capture) = capture else { return Ok(None) };
    let octets = capture.octets.unwrap_or(OCTETS);
    if !BOUNDS.contains(&octets) {
        let cure = format!("write a number from {} to {}, or leave it out", BOUNDS.start(), BOUNDS.end());
        return Err(ConfigError::new("capture.octets", &format!("is {octets}"), &cure));
    }
    Ok(Some(CapturePlan { octets, contents: capture.contents }))
}
