//! The paths of a head: URIs with one space between them, the next hop first (RFC 4975 §6).

use sdp::MsrpUri;

/// The first URI of a path, as octets of a header field: of white space it can hold spaces and tabs only.
pub(crate) fn first(path: &[u8]) -> &[u8] {
    let path = path.trim_ascii_start();
    &path[..memchr::memchr2(b' ', b'\t', path).unwrap_or(path.len())]
}

/// The last URI of a path: the far end's.
pub(crate) fn last(path: &str) -> &str {
    path.split_ascii_whitespace().next_back().unwrap_or_default()
}

/// Whether it is a path: one URI or more, at most `limit`.
pub(crate) fn is_path(path: &str, limit: usize) -> bool {
    let uris = path.split_ascii_whitespace();
    uris.clone().count() <= limit && !path.is_empty() && uris.clone().all(|uri| MsrpUri::parse(uri).is_ok())
}

/// A path as it is printed.
pub(crate) fn print<'a>(path: impl Iterator<Item = &'a MsrpUri>) -> String {
    path.map(MsrpUri::as_str).collect::<Vec<_>>().join(" ")
}
