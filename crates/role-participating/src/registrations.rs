//! Who is registered, as the cores tell by third-party REGISTER (3GPP TS 24.229 §5.7.1.1).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use cpm::Service;
use sip::header::{Contact, ContactAddress};
use sip::{Limits, Message, Name, Request, Uri};
use wire::{Instant, Now};

/// Users that are remembered; more are refused with 503, and the core may tell again.
const MAX_USERS: usize = 200_000;

/// Devices of one user, and public identities that a core has registered together.
const MAX_PER_USER: usize = 16;

/// How much longer than told a registration is believed: a refresh may be on its way for that long.
const GRACE: Duration = Duration::from_secs(32);

/// A device of a registered user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Device {
    /// Its contact URI, as registered.
    pub contact: String,
    /// `+sip.instance`, without brackets.
    pub instance: Option<String>,
    /// The CPM services that its feature tags name.
    pub services: Vec<Service>,
    expires_at: Instant,
}

/// A registered user.
#[derive(Clone, Debug)]
struct Registered {
    devices: Vec<Device>,
    /// Other public identities of the same registration: they go with it.
    aliases: Vec<String>,
    expires_at: Instant,
    /// Call-ID and CSeq of the last REGISTER: one that was overtaken changes nothing (RFC 3261 §10.3 step 7).
    call_id: Bytes,
    cseq: u32,
}

/// What a third-party REGISTER did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Told {
    /// The user is registered.
    Registered,
    /// The user was, and is no more: under all these names.
    Gone(Vec<String>),
    /// Nothing is known of the user, and nothing was.
    Unknown,
    /// It was overtaken by a later one.
    Late,
    /// There are too many users.
    Full,
}

/// The registrations that this node knows of.
#[derive(Debug, Default)]
pub(crate) struct Registrations {
    users: BTreeMap<String, Registered>,
    /// Who expires when; one entry for each user.
    expiries: BTreeSet<(Instant, String)>,
    refused: u64,
}

impl Registrations {
    pub(crate) fn len(&self) -> usize {
        self.users.len()
    }

    /// Users refused because there were too many.
    pub(crate) const fn refused(&self) -> u64 {
        self.refused
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.expiries.first().map(|(at, _)| *at)
    }

    /// The devices of a user that have not expired; `None` when the cores have not told of the user.
    pub(crate) fn devices(&self, aor: &str, now: Instant) -> Option<impl Iterator<Item = &Device>> {
        Some(self.users.get(aor)?.devices.iter().filter(move |device| device.expires_at > now))
    }

    /// Takes what a core tells (3GPP TS 24.229 §5.7.1.1).
    pub(crate) fn told(&mut self, request: &Request, now: Now) -> Told {
        // 1. Of whom, and for how long.
        let aor = cpm::aor(&request.to().uri());
        let seconds = seconds(request);
        let known = self.users.get(&aor);
        if known.is_some_and(|known| known.call_id == request.call_id() && request.cseq().number <= known.cseq) {
            return Told::Late;
        }

        // 2. Which devices: the core may enclose the REGISTER of one, or its answer, which names all.
        let enclosed = enclosed(request);
        let mut devices = known.map(|known| known.devices.clone()).unwrap_or_default();
        devices.retain(|device| device.expires_at > now.at);
        match &enclosed {
            Some(message) => merge(&mut devices, message, seconds, now),
            // Expires: 0 alone may be about one of several devices (NOTE 1 there), and nobody says which. The core says that
            // the user is not registered, so much is believed.
            None if seconds == 0 => devices.clear(),
            None => {}
        }

        // 3. The user is gone with the last device.
        if seconds == 0 && devices.is_empty() {
            return self.forget(&aor).map_or(Told::Unknown, |known| Told::Gone(names(aor, known)));
        }

        // 4. What is known from here on.
        if self.users.len() >= MAX_USERS && !self.users.contains_key(&aor) {
            self.refused += 1;
            return Told::Full;
        }
        let last = devices.iter().map(|device| device.expires_at).max();
        let expires_at = match seconds {
            0 => last.unwrap_or(now.at),
            seconds => now.at + Duration::from_secs(seconds.into()),
        };
        let expires_at = expires_at + GRACE;
        let registered = Registered {
            devices,
            aliases: aliases(request, &aor),
            expires_at,
            call_id: Bytes::copy_from_slice(request.call_id()),
            cseq: request.cseq().number,
        };
        self.forget(&aor);
        self.expiries.insert((expires_at, aor.clone()));
        self.users.insert(aor, registered);
        Told::Registered
    }

    /// Takes a user whose registration has expired without a word, with all its names.
    pub(crate) fn pop_expired(&mut self, now: Instant) -> Option<Vec<String>> {
        let (_, aor) = self.expiries.first().filter(|(at, _)| *at <= now)?.clone();
        let known = self.forget(&aor)?;
        Some(names(aor, known))
    }

    fn forget(&mut self, aor: &str) -> Option<Registered> {
        let known = self.users.remove(aor)?;
        self.expiries.remove(&(known.expires_at, aor.to_owned()));
        Some(known)
    }
}

fn names(aor: String, known: Registered) -> Vec<String> {
    std::iter::once(aor).chain(known.aliases).collect()
}

/// Expires; a missing or unreadable one counts as 3600 (RFC 3261 §10.2).
fn seconds(message: &Message) -> u32 {
    let text = message.header(Name::Expires).and_then(|value| std::str::from_utf8(value).ok());
    text.and_then(|text| text.trim().parse().ok()).unwrap_or(3600)
}

/// The message in a `message/sip` body. One that cannot be read is as good as none.
fn enclosed(request: &Request) -> Option<Message> {
    let kind = request.header(Name::ContentType)?.to_ascii_lowercase();
    let kind = kind.split(|b| *b == b';').next()?.trim_ascii();
    if kind != b"message/sip" {
        return None;
    }
    Message::parse(request.body_bytes(), &Limits::default()).ok()
}

/// What an enclosed message says of devices. A REGISTER speaks of its own contacts, the 200 to it of all there are.
fn merge(devices: &mut Vec<Device>, message: &Message, outer: u32, now: Now) {
    let seconds = if outer > 0 && message.has(Name::Expires) { seconds(message) } else { outer };
    if !message.is_request() {
        devices.clear();
    }
    for value in message.values(Name::Contact) {
        match Contact::parse(value) {
            Ok(Contact::Star) => devices.clear(),
            Ok(Contact::Address(contact)) => merge_one(devices, &contact, seconds, now),
            Err(_) => {}
        }
    }
}

fn merge_one(devices: &mut Vec<Device>, contact: &ContactAddress<'_>, seconds: u32, now: Now) {
    let lasts = if seconds == 0 { 0 } else { contact.expires().unwrap_or(seconds) };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let device = Device {
        contact: contact.uri().to_string(),
        instance: contact.instance().map(text),
        services: contact.features().icsis().filter_map(|urn| Service::from_icsi(urn.as_bytes())).collect(),
        expires_at: now.at + Duration::from_secs(lasts.into()),
    };
    devices.retain(|known| {
        known.contact != device.contact && (known.instance.is_none() || known.instance != device.instance)
    });
    if lasts > 0 && devices.len() < MAX_PER_USER {
        devices.push(device);
    }
}

/// The other public identities of the registration. Kamailio encloses two URIs in one pair of brackets, so they are looked
/// for and not parsed: `<sip:a@x, tel:+1>, <sip:b@x>`.
fn aliases(request: &Request, aor: &str) -> Vec<String> {
    let values = request.headers(Name::PAssociatedUri);
    let parts = values.flat_map(|value| value.split(|b| matches!(b, b',' | b'<' | b'>')).map(<[u8]>::trim_ascii));
    let uris = parts.filter_map(|part| Uri::parse(part).ok()).map(|uri| cpm::aor(&uri));
    uris.filter(|alias| alias != aor).take(MAX_PER_USER).collect()
}

#[cfg(test)]
mod tests;
