use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use cpm::{MediaPathPolicy, Profile};
use msrp::Listeners;
use sip_proxy::RouteKey;
use sip_tx::{Hosts, Listener};
use sip_ua::Intervals;

/// A participating function.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its host name, for Warning and User-Agent.
    pub name: String,
    /// The sockets that the host has bound for SIP. A core triggers us by `sip:orig@…` and `sip:term@…` on these.
    pub listeners: Vec<Listener>,
    /// Where the host listens for MSRP. The first one is what it offers to the callee.
    pub msrp: Listeners,
    /// On or off the media path.
    pub media_path: MediaPathPolicy,
    /// The profile of users without one of their own.
    pub default_profile: Profile,
    /// Profiles by address-of-record.
    pub profiles: BTreeMap<String, Profile>,
    /// Where requests come from whose identity headers are believed: the cores. Others are answered 403.
    pub trusted: Vec<IpAddr>,
    /// Names that next hops may have in Route and Contact, with their addresses: a core in an IMS names itself, and nobody asks
    /// DNS.
    pub hosts: Hosts,
    /// A session off the media path that has been silent for so long is forgotten, with a record that says so. One whose
    /// ends have agreed on a session timer is forgotten when that has run out, if it is sooner.
    pub silent_session: Duration,
    /// How long a leg lives without a sign of life, and the shortest time that is let pass (RFC 4028).
    pub intervals: Intervals,
    /// Whether the host has a journal: then a session is kept before its ACK leaves, and that it closes before the 200 to
    /// the BYE does, and whoever takes a record says so by [`crate::Participating::record_written`].
    pub durable: bool,
    /// How long a leg of a session on the media path may be without its MSRP connection, once it had one, before the session
    /// is ended. `None`: media is not watched.
    pub media_grace: Option<Duration>,
    /// Sessions of all users at a time. New ones are refused when four fifths of them are open: what sessions need while they
    /// live and close has the rest.
    pub max_sessions: usize,
    /// The key of the marks in Record-Route. Without one it is drawn, and requests of dialogs from before a restart are
    /// refused.
    pub route_key: Option<RouteKey>,
}
