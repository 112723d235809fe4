use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{Dialog, DialogId};

/// What must be known of a session's dialog to close it after everything else is forgotten: a role keeps it where it
/// survives, and takes the session up again with [`crate::UserAgent::resume`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    /// Call-ID.
    #[serde(with = "text")]
    pub call_id: Bytes,
    /// Our tag.
    #[serde(with = "text")]
    pub local_tag: Bytes,
    /// The peer's tag.
    #[serde(with = "text")]
    pub remote_tag: Bytes,
    /// From of our requests, tag included.
    #[serde(with = "text")]
    pub local: Bytes,
    /// To of our requests, tag included.
    #[serde(with = "text")]
    pub remote: Bytes,
    /// Where requests for the peer end.
    #[serde(with = "text")]
    pub remote_target: Bytes,
    /// The proxies in between, in the order of our requests' Route.
    #[serde(with = "texts")]
    pub route_set: Vec<Bytes>,
    /// The last sequence number of ours that is known. Whoever resumes the session adds what may have been used since: a
    /// request that the peer has seen the number of is answered 500, and gaps are allowed (RFC 3261 §12.2.2).
    pub local_cseq: u32,
    /// The last sequence number of the peer's that is known.
    pub remote_cseq: Option<u32>,
    /// Whether it was made with a `sips:` Request-URI.
    pub secure: bool,
    /// Our Contact.
    #[serde(with = "text")]
    pub contact: Bytes,
}

impl Snapshot {
    /// Of a dialog, and our Contact in it.
    pub fn of(dialog: &Dialog, contact: &Bytes) -> Snapshot {
        Snapshot {
            call_id: dialog.id().call_id.clone(),
            local_tag: dialog.id().local_tag.clone(),
            remote_tag: dialog.id().remote_tag.clone(),
            local: dialog.local().clone(),
            remote: dialog.remote().clone(),
            remote_target: dialog.remote_target().clone(),
            route_set: dialog.route_set().to_vec(),
            local_cseq: dialog.local_cseq(),
            remote_cseq: dialog.remote_cseq(),
            secure: dialog.is_secure(),
            contact: contact.clone(),
        }
    }

    pub(crate) fn id(&self) -> DialogId {
        DialogId {
            call_id: self.call_id.clone(),
            local_tag: self.local_tag.clone(),
            remote_tag: self.remote_tag.clone(),
        }
    }
}

/// Octets as a string of as many characters: what is UTF-8 need not be so in a SIP message, and must come back as it was.
mod text {
    use bytes::Bytes;
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    pub(super) fn print(bytes: &[u8]) -> String {
        bytes.iter().map(|b| char::from(*b)).collect()
    }

    pub(super) fn read<E: de::Error>(text: &str) -> Result<Bytes, E> {
        let octet = |c| u8::try_from(c).map_err(|_| E::custom("a character that stands for no octet"));
        text.chars().map(octet).collect::<Result<Vec<u8>, E>>().map(Bytes::from)
    }

    pub(super) fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&print(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        read(&String::deserialize(deserializer)?)
    }
}

mod texts {
    use bytes::Bytes;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(list: &[Bytes], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(list.iter().map(|bytes| super::text::print(bytes)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Bytes>, D::Error> {
        Vec::<String>::deserialize(deserializer)?.iter().map(|text| super::text::read(text)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_come_back_as_they_were() {
        let all: Bytes = (0..=255).collect();
        assert_eq!(text::read::<serde::de::value::Error>(&text::print(&all)), Ok(all));
        assert!(text::read::<serde::de::value::Error>("\u{100}").is_err());
    }
}
