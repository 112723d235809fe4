//! Registrations that outlive the core: one entry for each user, JSON, so that an operator can read it and another version of
//! us as well. Nobody waits for them: a registration that was lost comes back with the next REGISTER.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sip_tx::Flow;
use siphasher::sip::SipHasher24;
use wire::{Entry, Now, Output, Transport};

use crate::Core;
use crate::location::Binding;

/// What is to be kept, and what became of it.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    written: u64,
    /// Entries that the host could not keep.
    failed: u64,
    out: VecDeque<Output>,
}

impl Kept {
    fn put(&mut self, key: u64, value: Option<Bytes>) {
        self.written += 1;
        self.out.push_back(Output::Keep { id: self.written, entry: Entry { key, value, opens: false } });
    }

    /// An entry came to its end.
    pub(crate) fn note(&mut self, ok: bool) {
        self.failed += u64::from(!ok);
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }
}

/// The bindings of a user.
#[derive(Serialize, Deserialize)]
struct Row {
    aor: String,
    bindings: Vec<RowBinding>,
}

#[derive(Serialize, Deserialize)]
struct RowBinding {
    uri: String,
    contact: String,
    #[serde(default)]
    instance: Option<String>,
    q: u16,
    /// Microseconds since 1970.
    expires: u64,
    call_id: String,
    cseq: u32,
    #[serde(default)]
    path: Vec<String>,
    transport: Word,
    local: SocketAddr,
    remote: SocketAddr,
}

/// A transport as a word.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Udp,
    Tcp,
    Tls,
}

impl RowBinding {
    /// `None` for one with bytes that are no text, which is kept as long as we live only.
    fn of(binding: &Binding, now: Now) -> Option<RowBinding> {
        let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).ok();
        let left = (binding.expires_at - now.at).as_micros();
        Some(RowBinding {
            uri: text(&binding.uri)?,
            contact: text(&binding.contact)?,
            instance: match &binding.instance {
                Some(instance) => Some(text(instance)?),
                None => None,
            },
            q: binding.q,
            expires: now.utc.as_micros().saturating_add(u64::try_from(left).unwrap_or(u64::MAX)),
            call_id: text(&binding.call_id)?,
            cseq: binding.cseq,
            path: binding.path.iter().map(text).collect::<Option<_>>()?,
            transport: match binding.flow.transport {
                Transport::Udp => Word::Udp,
                Transport::Tcp => Word::Tcp,
                Transport::Tls => Word::Tls,
            },
            local: binding.flow.local,
            remote: binding.flow.remote,
        })
    }

    /// `None` when it has expired. A connection that it came over is gone: its contact must be one that can be reached.
    fn into_binding(self, now: Now) -> Option<Binding> {
        let left = self.expires.checked_sub(now.utc.as_micros()).filter(|left| *left > 0)?;
        let transport = match self.transport {
            Word::Udp => Transport::Udp,
            Word::Tcp => Transport::Tcp,
            Word::Tls => Transport::Tls,
        };
        Some(Binding {
            uri: self.uri.into(),
            contact: self.contact.into(),
            instance: self.instance.map(Into::into),
            q: self.q,
            expires_at: now.at + Duration::from_micros(left),
            call_id: self.call_id.into(),
            cseq: self.cseq,
            path: self.path.into_iter().map(Into::into).collect(),
            flow: Flow { transport, local: self.local, remote: self.remote, conn: None },
        })
    }
}

impl Core {
    /// The bindings of a user are not what they were.
    pub(crate) fn keep_registration(&mut self, aor: &str, now: Now) {
        if !self.config.keeps_registrations {
            return;
        }
        let live = self.location.of(aor).iter().filter(|binding| binding.expires_at > now.at);
        let bindings: Vec<RowBinding> = live.filter_map(|binding| RowBinding::of(binding, now)).collect();
        let value = (!bindings.is_empty()).then(|| {
            let row = Row { aor: aor.to_owned(), bindings };
            Bytes::from(serde_json::to_vec(&row).expect("a row has text for keys, so it can be printed"))
        });
        // A client may write as much as a message holds; what is too much for an entry lives as long as we do.
        let value = value.filter(|value| value.len() <= Entry::MAX);
        self.kept.put(key_of(aor), value);
    }

    /// The registration of a user in an earlier life.
    pub(crate) fn recall_registration(&mut self, value: &Bytes, now: Now) {
        let row: Row = match serde_json::from_slice(value) {
            Ok(row) => row,
            Err(error) => return tracing::error!(%error, "a registration of an earlier life cannot be read"),
        };
        let bindings = row.bindings.into_iter().filter_map(|binding| binding.into_binding(now)).collect();
        self.location.set(&row.aor, bindings);
    }

    /// Changes of registrations that could not be kept, since the start.
    pub const fn unkept_registrations(&self) -> u64 {
        self.kept.failed
    }
}

/// The key of a user's entry, the same in every life. Of two users with one key, the one that registers last is kept.
fn key_of(aor: &str) -> u64 {
    SipHasher24::new().hash(aor.as_bytes())
}
