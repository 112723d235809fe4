//! What the databases hold, from our types and back.

use std::collections::BTreeMap;

use bytes::Bytes;
use cpm::SessionRecord;
use wire::Entry;

use crate::StoreError;

/// The values that a batch leaves behind and the keys that it takes away: the last entry of a key counts.
pub(crate) fn outcome(batch: &[Entry]) -> (BTreeMap<i64, &Bytes>, Vec<i64>) {
    let last: BTreeMap<u64, Option<&Bytes>> = batch.iter().map(|entry| (entry.key, entry.value.as_ref())).collect();
    let kept = last.iter().filter_map(|(key, value)| value.map(|value| (number(*key), value))).collect();
    let gone = last.iter().filter(|(_, value)| value.is_none()).map(|(key, _)| number(*key)).collect();
    (kept, gone)
}

/// A key as databases know integers: with a sign.
pub(crate) const fn number(key: u64) -> i64 {
    key.cast_signed()
}

/// A key again.
pub(crate) const fn key(number: i64) -> u64 {
    number.cast_unsigned()
}

/// A point in time: microseconds since 1970, which are a positive number for 292,000 years.
pub(crate) fn micros(at: wire::Timestamp) -> i64 {
    i64::try_from(at.as_micros()).unwrap_or(i64::MAX)
}

/// Seconds since 1970, likewise.
pub(crate) fn seconds(at: u64) -> i64 {
    i64::try_from(at).unwrap_or(i64::MAX)
}

/// A record as text.
pub(crate) fn text(record: &SessionRecord) -> String {
    serde_json::to_string(record).expect("a record has text for keys, so it can be printed")
}

/// A record again.
pub(crate) fn record(text: &str) -> Result<SessionRecord, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Unreadable(format!("a session record: {error}")))
}
