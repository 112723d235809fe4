use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use sip::header::{AcceptContact, Contact};
use sip::{Name, Request};
use sip_proxy::ForwardTo;
use sip_tx::{Flow, Target};
use wire::Instant;

/// Where the users of a domain can be reached: their bindings (RFC 3261 §10).
#[derive(Debug, Default)]
pub(crate) struct Location {
    users: BTreeMap<String, User>,
    /// When each user is looked at next.
    looks: BTreeSet<(Instant, String)>,
    /// Where the contacts are ([`sip::Uri::place`]), and whose they are.
    places: BTreeSet<(Vec<u8>, String)>,
}

/// A user with bindings.
#[derive(Debug)]
struct User {
    bindings: Vec<Binding>,
    /// When the first binding expires, or before: most bindings are refreshed, and a look in vain for each that was costs less
    /// than to put off the look with each refresh.
    look: Instant,
}

/// A contact of a user, and the way its REGISTER came.
#[derive(Clone, Debug)]
pub(crate) struct Binding {
    /// The contact URI as registered.
    pub(crate) uri: Bytes,
    /// The whole Contact entry as registered: its parameters say what the device can do.
    pub(crate) contact: Bytes,
    /// `+sip.instance`: names the device, whatever address it has.
    pub(crate) instance: Option<Bytes>,
    /// Preference, in thousandths.
    pub(crate) q: u16,
    pub(crate) expires_at: Instant,
    pub(crate) call_id: Bytes,
    pub(crate) cseq: u32,
    /// Path of the REGISTER (RFC 3327): the Route of requests towards this contact.
    pub(crate) path: Vec<Bytes>,
    pub(crate) flow: Flow,
}

/// Why a binding could not be changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stale {
    /// Same Call-ID, and a CSeq that is not higher (RFC 3261 §10.3 step 7).
    OutOfOrder,
    /// The user has as many bindings as are allowed.
    Full,
}

impl Binding {
    /// How requests reach the contact: on the connection it registered over, while that lasts, else at its address.
    pub(crate) fn target(&self) -> Option<Target> {
        let uri = sip::Uri::parse(&self.uri).ok()?;
        let by_uri = Target::from_uri(&uri);
        if self.flow.conn.is_none() {
            // A name, or an address that the sender does not have: back to where the REGISTER came from.
            return Some(by_uri.filter(|_| uri.port().is_some()).unwrap_or(Target::from_flow(&self.flow)));
        }
        let reliable = by_uri.filter(|t| t.transport == self.flow.transport);
        let target = reliable.unwrap_or(Target::from_flow(&self.flow));
        Some(Target { conn: self.flow.conn, ..target })
    }

    /// A request to the contact, along the Path of its REGISTER (RFC 3327) or the way that it registered.
    pub(crate) fn way(&self) -> ForwardTo {
        let routes = self.path.iter().map(|p| String::from_utf8_lossy(p).into_owned());
        let target = self.target().filter(|_| self.path.is_empty());
        ForwardTo { target, ..ForwardTo::uri(self.uri.clone()).via_routes(routes) }
    }

    /// Where the contact is.
    fn place(&self) -> Option<Vec<u8>> {
        sip::Uri::parse(&self.uri).ok().map(|uri| uri.place())
    }

    /// Whether the contact is the host that its REGISTER came from.
    fn is_where_it_says(&self) -> bool {
        let Ok(uri) = sip::Uri::parse(&self.uri) else { return false };
        let host = std::str::from_utf8(uri.host()).ok().and_then(|h| h.trim_matches(['[', ']']).parse().ok());
        host == Some(self.flow.remote.ip())
    }

    /// Whether a request comes from this device: on the flow that it registered on, or from its host with the address of its
    /// contact as sent-by. The latter is how one that registered by UDP sends what is too large for UDP.
    pub(crate) fn is_from(&self, request: &Request, flow: &Flow) -> bool {
        if self.flow.remote == flow.remote {
            return true;
        }
        let (via, uri) = (request.via(), sip::Uri::parse(&self.uri));
        self.flow.remote.ip() == flow.remote.ip()
            && uri.is_ok_and(|u| u.host().eq_ignore_ascii_case(via.host) && u.port() == via.port)
    }

    /// RFC 3841 §7.2, for what CPM clients ask: an Accept-Contact with `require` and `explicit` excludes a contact that
    /// does not have all services that it names.
    pub(crate) fn can_take(&self, request: &Request) -> bool {
        let Ok(Contact::Address(contact)) = Contact::parse(&self.contact) else { return true };
        let wanted = request.headers(Name::AcceptContact).filter_map(|v| AcceptContact::parse(v).ok());
        wanted.filter(|w| w.require && w.explicit).all(|w| {
            let mut services = w.features.icsis();
            services.all(|urn| contact.features().icsis().any(|has| has == urn))
        })
    }

    /// RFC 3261 §10.3 step 7: a REGISTER that was overtaken changes nothing.
    fn check_order(&self, by: Sequence<'_>) -> Result<(), Stale> {
        let is_old = self.call_id == by.call_id && by.cseq <= self.cseq;
        if is_old { Err(Stale::OutOfOrder) } else { Ok(()) }
    }

    fn is_same(&self, uri: &sip::Uri<'_>, instance: Option<&[u8]>) -> bool {
        let same_device = instance.is_some() && self.instance.as_deref() == instance;
        // A refresh has the same text.
        same_device || self.uri == uri.as_bytes() || sip::Uri::parse(&self.uri).is_ok_and(|u| u.matches(uri))
    }
}

impl Location {
    /// The bindings of a user that have not expired, most preferred first.
    pub(crate) fn bindings(&self, aor: &str, now: Instant) -> Vec<&Binding> {
        let mut found: Vec<_> = self.of(aor).iter().filter(|b| b.expires_at > now).collect();
        found.sort_by_key(|b| std::cmp::Reverse(b.q));
        found
    }

    /// All bindings that have not expired, by user.
    pub(crate) fn all(&self, now: Instant) -> impl Iterator<Item = (&str, &Binding)> {
        let users =
            self.users.iter().flat_map(|(aor, user)| user.bindings.iter().map(|binding| (aor.as_str(), binding)));
        users.filter(move |(_, binding)| binding.expires_at > now)
    }

    pub(crate) fn is_registered(&self, aor: &str, now: Instant) -> bool {
        self.of(aor).iter().any(|b| b.expires_at > now)
    }

    /// The binding whose contact a request is aimed at: its URI is the Request-URI of requests inside a dialog. Anybody may
    /// register any URI: what names a `user` of the domain is that user's only, and of several contacts that are the same
    /// the one that is where its REGISTER came from is meant.
    pub(crate) fn by_contact(&self, uri: &sip::Uri<'_>, user: Option<&str>, now: Instant) -> Option<&Binding> {
        let place = (uri.place(), String::new());
        let there = self.places.range(&place..).take_while(|(there, _)| *there == place.0).map(|(_, aor)| aor.as_str());
        let eligible = there.filter(|aor| user.is_none_or(|user| user == *aor));
        let is_meant = |b: &&Binding| {
            b.expires_at > now && sip::Uri::parse(&b.uri).is_ok_and(|u| u.matches(uri) || is_same_address(&u, uri))
        };
        eligible.flat_map(|aor| self.of(aor)).filter(is_meant).min_by_key(|b| !b.is_where_it_says())
    }

    /// Changes the bindings of a user: all that `change` does, or nothing (RFC 3261 §10.3 step 7).
    pub(crate) fn change<E>(
        &mut self,
        aor: &str,
        now: Instant,
        change: impl FnOnce(&mut Bindings) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut bindings = Bindings(self.of(aor).iter().filter(|b| b.expires_at > now).cloned().collect());
        change(&mut bindings)?;
        self.set(aor, bindings.0);
        Ok(())
    }

    /// A user has these bindings from now on.
    pub(crate) fn set(&mut self, aor: &str, bindings: Vec<Binding>) {
        let first = bindings.iter().map(|b| b.expires_at).min();
        let Some(user) = self.users.get_mut(aor) else {
            return if let Some(first) = first {
                self.add(aor, bindings, first)
            };
        };
        place(&mut self.places, aor, &user.bindings, &bindings);
        match first {
            // It may be later than the look: then that finds nothing, and another one is due.
            Some(first) if first >= user.look => user.bindings = bindings,
            Some(first) => {
                self.looks.remove(&(user.look, aor.to_owned()));
                self.looks.insert((first, aor.to_owned()));
                *user = User { bindings, look: first };
            }
            None => {
                self.looks.remove(&(user.look, aor.to_owned()));
                self.users.remove(aor);
            }
        }
    }

    /// A user has bindings who had none.
    fn add(&mut self, aor: &str, bindings: Vec<Binding>, first: Instant) {
        place(&mut self.places, aor, &[], &bindings);
        self.looks.insert((first, aor.to_owned()));
        self.users.insert(aor.to_owned(), User { bindings, look: first });
    }

    /// The bindings of a user as they are, expired ones among them.
    pub(crate) fn of(&self, aor: &str) -> &[Binding] {
        self.users.get(aor).map_or(&[], |user| &user.bindings)
    }

    /// Forgets what has expired. Returns the users that have no binding left.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<String> {
        let mut gone = Vec::new();
        while self.next_look().is_some_and(|look| look <= now) {
            let Some((_, aor)) = self.looks.pop_first() else { break };
            let left: Vec<Binding> = self.of(&aor).iter().filter(|b| b.expires_at > now).cloned().collect();
            if let (Some(user), Some(first)) = (self.users.get_mut(&aor), left.iter().map(|b| b.expires_at).min()) {
                user.look = first;
                self.looks.insert((first, aor.clone()));
            } else {
                gone.push(aor.clone());
            }
            self.set(&aor, left);
        }
        gone
    }

    /// What must hold after every input; looked at in debug builds only.
    pub(crate) fn check_invariants(&self) {
        debug_assert!(
            self.users.values().all(|user| user
                .bindings
                .iter()
                .map(|b| b.expires_at)
                .min()
                .is_some_and(|at| at >= user.look)),
            "a user without bindings is not kept, and one with bindings is looked at in time"
        );
        debug_assert_eq!(self.looks.len(), self.users.len(), "every user is looked at");
        debug_assert!(self.places.iter().all(|(_, aor)| self.users.contains_key(aor)), "no place outlives its user");
    }

    /// When a user is looked at next: [`Location::expire`].
    pub(crate) fn next_look(&self) -> Option<Instant> {
        self.looks.first().map(|(first, _)| *first)
    }
}

/// The contacts of a user who had some are where these bindings say from now on.
fn place(places: &mut BTreeSet<(Vec<u8>, String)>, aor: &str, known: &[Binding], bindings: &[Binding]) {
    // A refresh changes no place, and most changes are refreshes.
    if known.iter().map(|b| &b.uri).eq(bindings.iter().map(|b| &b.uri)) {
        return;
    }
    for place in known.iter().filter_map(Binding::place) {
        places.remove(&(place, aor.to_owned()));
    }
    places.extend(bindings.iter().filter_map(Binding::place).map(|place| (place, aor.to_owned())));
}

/// The bindings of one user, while they are being changed.
#[derive(Debug)]
pub(crate) struct Bindings(Vec<Binding>);

/// Which REGISTER changes bindings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sequence<'a> {
    pub(crate) call_id: &'a [u8],
    pub(crate) cseq: u32,
}

impl Bindings {
    /// Adds a binding of this URI and device, or refreshes it: `make` is shown the one that is there.
    pub(crate) fn bind(
        &mut self,
        uri: &sip::Uri<'_>,
        instance: Option<&[u8]>,
        max: usize,
        make: impl FnOnce(Option<&Binding>) -> Binding,
    ) -> Result<(), Stale> {
        let known = self.0.iter().position(|b| b.is_same(uri, instance));
        let binding = make(known.map(|i| &self.0[i]));
        match known {
            Some(i) => {
                self.0[i].check_order(Sequence { call_id: &binding.call_id, cseq: binding.cseq })?;
                self.0[i] = binding;
            }
            None if self.0.len() >= max => return Err(Stale::Full),
            None => self.0.push(binding),
        }
        Ok(())
    }

    /// Removes one binding.
    pub(crate) fn unbind(
        &mut self,
        uri: &sip::Uri<'_>,
        instance: Option<&[u8]>,
        by: Sequence<'_>,
    ) -> Result<(), Stale> {
        self.0.iter().filter(|b| b.is_same(uri, instance)).try_for_each(|b| b.check_order(by))?;
        self.0.retain(|b| !b.is_same(uri, instance));
        Ok(())
    }

    /// Removes all.
    pub(crate) fn unbind_all(&mut self, by: Sequence<'_>) -> Result<(), Stale> {
        self.0.iter().try_for_each(|b| b.check_order(by))?;
        self.0.clear();
        Ok(())
    }
}

/// Same user, host and port: clients add parameters to the contact of a dialog that they did not register, and leave out
/// others.
fn is_same_address(a: &sip::Uri<'_>, b: &sip::Uri<'_>) -> bool {
    a.is_sip() && b.is_sip() && a.user() == b.user() && a.host().eq_ignore_ascii_case(b.host()) && a.port() == b.port()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn binding(uri: &'static str, cseq: u32, seconds: u64) -> Binding {
        Binding {
            uri: Bytes::from_static(uri.as_bytes()),
            contact: Bytes::from_static(uri.as_bytes()),
            instance: None,
            q: 1000,
            expires_at: Instant::ZERO + Duration::from_secs(seconds),
            call_id: Bytes::from_static(b"c"),
            cseq,
            path: Vec::new(),
            flow: Flow {
                transport: wire::Transport::Udp,
                local: "127.0.0.1:5060".parse().unwrap(),
                remote: "127.0.0.1:6000".parse().unwrap(),
                conn: None,
            },
        }
    }

    fn bind_one(bindings: &mut Bindings, binding: Binding, max: usize) -> Result<(), Stale> {
        let (uri, instance) = (binding.uri.clone(), binding.instance.clone());
        bindings.bind(&sip::Uri::parse(&uri).unwrap(), instance.as_deref(), max, |_| binding)
    }

    #[test]
    fn a_look_that_comes_too_early_finds_nothing_and_is_due_again() {
        let mut location = Location::default();
        let (aor, at) = ("sip:a@x", |seconds| Instant::ZERO + Duration::from_secs(seconds));
        for (cseq, until) in [(1, 60), (2, 90), (3, 80)] {
            let refresh = binding("sip:a@10.0.0.1:5070", cseq, until);
            location.change(aor, at(0), |bindings| bind_one(bindings, refresh, 2)).unwrap();
            assert_eq!(location.next_look(), Some(at(60)));
        }
        assert!(location.expire(at(60)).is_empty() && location.is_registered(aor, at(60)));
        assert_eq!(location.next_look(), Some(at(80)));
        let shorter = binding("sip:a@10.0.0.1:5070", 4, 70);
        location.change(aor, at(61), |bindings| bind_one(bindings, shorter, 2)).unwrap();
        assert_eq!(location.next_look(), Some(at(70)));
        location.check_invariants();
        assert_eq!(location.expire(at(70)), [aor]);
        assert_eq!(location.next_look(), None);
    }

    #[test]
    fn bindings_are_refreshed_in_order_and_expire() {
        let mut location = Location::default();
        let (now, aor) = (Instant::ZERO, "sip:a@x");
        let mut bind = |binding| location.change(aor, now, |bindings| bind_one(bindings, binding, 2));
        assert_eq!(bind(binding("sip:a@10.0.0.1:5070", 1, 60)), Ok(()));
        assert_eq!(bind(binding("sip:a@10.0.0.1:5070", 1, 60)), Err(Stale::OutOfOrder));
        assert_eq!(bind(binding("sip:a@10.0.0.1:5070", 2, 90)), Ok(()));
        assert_eq!(bind(binding("sip:a@10.0.0.2:5070", 1, 60)), Ok(()));
        assert_eq!(bind(binding("sip:a@10.0.0.3:5070", 1, 60)), Err(Stale::Full));
        assert_eq!(location.bindings(aor, now).len(), 2);
        let later = now + Duration::from_secs(60);
        assert_eq!(location.bindings(aor, later).len(), 1);
        assert_eq!(location.expire(now + Duration::from_secs(90)), [aor]);
        assert!(!location.is_registered(aor, now));
        assert_eq!(location.next_look(), None);
    }

    #[test]
    fn a_device_that_moved_replaces_its_binding() {
        let mut location = Location::default();
        let device = |uri, cseq| Binding { instance: Some(Bytes::from_static(b"urn:x")), ..binding(uri, cseq, 60) };
        for moved in [device("sip:a@10.0.0.1:5070", 1), device("sip:a@10.0.0.9:5071", 2)] {
            location.change("sip:a@x", Instant::ZERO, |bindings| bind_one(bindings, moved, 9)).unwrap();
        }
        assert_eq!(location.bindings("sip:a@x", Instant::ZERO).len(), 1);
    }

    #[test]
    fn a_contact_is_found_where_it_is_now_and_nowhere_else() {
        let mut location = Location::default();
        let now = Instant::ZERO;
        for (aor, uri) in [("sip:a@x", "sip:a@10.0.0.1:5070"), ("sip:b@x", "sip:b@10.0.0.1:5070;transport=tcp")] {
            location.change(aor, now, |bindings| bind_one(bindings, binding(uri, 1, 60), 2)).unwrap();
        }
        let found = |location: &Location, uri: &str, user| {
            let uri = sip::Uri::parse(uri.as_bytes()).unwrap();
            location.by_contact(&uri, user, now).map(|b| String::from_utf8_lossy(&b.uri).into_owned())
        };
        let a = Some("sip:a@10.0.0.1:5070".to_owned());
        // Parameters that were not registered, and another spelling of the same user.
        for uri in ["sip:a@10.0.0.1:5070", "sip:a@10.0.0.1:5070;ob", "sip:%61@10.0.0.1:5070"] {
            assert_eq!(found(&location, uri, None), a, "{uri}");
        }
        assert_eq!(found(&location, "sip:a@10.0.0.1:5070", Some("sip:b@x")), None);
        assert_eq!(found(&location, "sip:a@10.0.0.1:5071", None), None);

        location.set("sip:a@x", vec![binding("sip:a@10.0.0.9:5070", 2, 60)]);
        assert_eq!(found(&location, "sip:a@10.0.0.1:5070", None), None);
        assert!(found(&location, "sip:a@10.0.0.9:5070", None).is_some());
        location.expire(now + Duration::from_secs(60));
        assert_eq!((location.places.len(), location.users.len(), location.looks.len()), (0, 0, 0));
    }

    #[test]
    fn a_change_that_fails_halfway_changes_nothing() {
        let mut location = Location::default();
        let (now, aor) = (Instant::ZERO, "sip:a@x");
        location.change(aor, now, |bindings| bind_one(bindings, binding("sip:a@10.0.0.1:5070", 5, 60), 2)).unwrap();
        let late = Sequence { call_id: b"c", cseq: 5 };
        let outcome = location.change(aor, now, |bindings| {
            bind_one(bindings, binding("sip:a@10.0.0.2:5070", 1, 60), 2)?;
            bindings.unbind_all(late)
        });
        assert_eq!(outcome, Err(Stale::OutOfOrder));
        assert_eq!(location.bindings(aor, now).len(), 1);
        let gone = location.change(aor, now, |bindings| bindings.unbind_all(Sequence { cseq: 6, ..late }));
        assert_eq!((gone, location.next_look()), (Ok(()), None));
    }
}
