use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use cpm::{MediaPathPolicy, Profile};
use flow::MediaPath;
use msrp::Listeners;
use role_client::Client;
use role_core::{Core, Peer, Registration, Subscriber, Trigger};
use role_participating::Participating;
use sim::{Net, addr};
use sip_proxy::RouteKey;
use sip_tx::{Listener, Options, Target};
use sip_ua::Intervals;
use wire::{Entropy, Fingerprint, Hash, PeerCertificate, Transport};

use crate::pf::{BrokenPf, Fault};
use crate::{System, Topology};

/// Address-of-record of Client A's user.
pub const ALICE: &str = "sip:alice@home1.test";
/// Address-of-record of Client B's user.
pub const BOB: &str = "sip:bob@home2.test";

/// One of the six nodes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Site {
    /// Client A.
    ClientA,
    /// Core A.
    CoreA,
    /// PF A.
    PfA,
    /// Core B.
    CoreB,
    /// PF B.
    PfB,
    /// Client B.
    ClientB,
}

/// Where the nodes listen for MSRP, over TCP and over TLS.
pub(crate) const MSRP_PORTS: [u16; 2] = [2855, 2856];

impl Site {
    /// All six, from A to B.
    pub const ALL: [Site; 6] = [Site::ClientA, Site::CoreA, Site::PfA, Site::CoreB, Site::PfB, Site::ClientB];

    /// Its name in ladders and flows.
    pub const fn name(self) -> &'static str {
        match self {
            Site::ClientA => "client-a",
            Site::CoreA => "core-a",
            Site::PfA => "pf-a",
            Site::CoreB => "core-b",
            Site::PfB => "pf-b",
            Site::ClientB => "client-b",
        }
    }

    /// Where it speaks SIP.
    pub fn sip(self) -> SocketAddr {
        addr(match self {
            Site::ClientA => "10.0.0.1:5060",
            Site::CoreA => "10.0.0.2:5060",
            Site::PfA => "10.0.0.3:5060",
            Site::CoreB => "10.0.1.2:5060",
            Site::PfB => "10.0.1.3:5060",
            Site::ClientB => "10.0.1.1:5060",
        })
    }

    /// Where it would speak MSRP; cores do not.
    pub fn msrp(self) -> SocketAddr {
        SocketAddr::new(self.sip().ip(), MSRP_PORTS[0])
    }

    /// What others find out about it over TLS: a certificate that vouches for itself.
    pub fn certificate(self) -> PeerCertificate {
        let fingerprint = Fingerprint { hash: Hash::Sha256, digest: vec![self as u8; 32] };
        PeerCertificate { fingerprints: vec![fingerprint], names: Vec::new() }
    }

    /// MSRP over TCP and over TLS, one of them offered.
    fn both_msrp(self, offers_tls: bool) -> Listeners {
        let tcp = msrp::Listener { addr: self.msrp(), fingerprint: None };
        let fingerprint = self.certificate().fingerprints.first().map(msrp::fingerprint);
        let tls = msrp::Listener { addr: SocketAddr::new(self.sip().ip(), MSRP_PORTS[1]), fingerprint };
        if offers_tls { Listeners::new(tls, Some(tcp)) } else { Listeners::new(tcp, Some(tls)) }
    }

    fn listeners(self) -> Vec<Listener> {
        [Transport::Udp, Transport::Tcp].map(|transport| Listener { transport, addr: self.sip() }).to_vec()
    }
}

/// The configurations of the six nodes: a test changes them, then builds the [`System`].
#[derive(Clone, Debug)]
pub struct Setup {
    /// Everything drawn at random comes from it.
    pub seed: u64,
    /// Where the participating functions stand.
    pub topology: Topology,
    /// Client A.
    pub client_a: role_client::Config,
    /// Client B.
    pub client_b: role_client::Config,
    /// Core A.
    pub core_a: role_core::Config,
    /// Core B.
    pub core_b: role_core::Config,
    /// PF A.
    pub pf_a: role_participating::Config,
    /// PF B.
    pub pf_b: role_participating::Config,
    /// How PF A is broken.
    pub fault: Option<Fault>,
}

impl Setup {
    /// Six nodes in order.
    pub fn new(seed: u64, topology: Topology) -> Setup {
        let t = topology.transport;
        Setup {
            seed,
            topology,
            client_a: client_config(Site::ClientA, t),
            client_b: client_config(Site::ClientB, t),
            core_a: core_config(Site::CoreA, t),
            core_b: core_config(Site::CoreB, t),
            pf_a: pf_config(Site::PfA, topology.pf_a),
            pf_b: pf_config(Site::PfB, topology.pf_b),
            fault: None,
        }
    }

    /// Registrations outlive both cores.
    #[must_use]
    pub fn keeping_registrations(mut self) -> Setup {
        (self.core_a.keeps_registrations, self.core_b.keeps_registrations) = (true, true);
        self
    }

    /// Both participating functions have journals.
    #[must_use]
    pub fn durable(mut self) -> Setup {
        (self.pf_a.durable, self.pf_b.durable) = (true, true);
        self
    }

    /// The same nodes on IPv6 addresses.
    #[must_use]
    pub fn over_ipv6(mut self) -> Setup {
        for client in [&mut self.client_a, &mut self.client_b] {
            client.listeners.iter_mut().for_each(|l| l.addr = six(l.addr));
            client.core.addr = six(client.core.addr);
            client.msrp = six(client.msrp.offered().addr).into();
        }
        for core in [&mut self.core_a, &mut self.core_b] {
            core.listeners.iter_mut().for_each(|l| l.addr = six(l.addr));
            for peer in &mut core.peers {
                (peer.addr, peer.uri) = (six(peer.addr), six_in(&peer.uri));
            }
            if let Some(trigger) = &mut core.trigger {
                trigger.originating = six_in(&trigger.originating);
                trigger.terminating = six_in(&trigger.terminating);
            }
        }
        for pf in [&mut self.pf_a, &mut self.pf_b] {
            pf.listeners.iter_mut().for_each(|l| l.addr = six(l.addr));
            pf.msrp = six(pf.msrp.offered().addr).into();
            pf.trusted.iter_mut().for_each(|ip| *ip = six(SocketAddr::new(*ip, 0)).ip());
        }
        self
    }

    /// MSRP over TCP and over TLS at all nodes: those in `offering` offer TLS, the others TCP.
    #[must_use]
    pub fn msrp_over_tls(mut self, offering: &[Site]) -> Setup {
        let listeners = |site: Site| site.both_msrp(offering.contains(&site));
        (self.client_a.msrp, self.client_b.msrp) = (listeners(Site::ClientA), listeners(Site::ClientB));
        (self.pf_a.msrp, self.pf_b.msrp) = (listeners(Site::PfA), listeners(Site::PfB));
        self
    }

    /// The nodes, on a network.
    pub fn build(self) -> System {
        System::build(self)
    }

    /// Dice of its own for every node in each of its lives.
    fn entropy(&self, site: Site, life: u64) -> Entropy {
        Entropy::from_seed(self.seed.wrapping_mul(16).wrapping_add(site as u64 + 1) ^ (life << 56))
    }

    pub(crate) fn client(&self, site: Site, life: u64) -> Client {
        let config = if site == Site::ClientA { &self.client_a } else { &self.client_b };
        Client::new(config.clone(), options(), self.entropy(site, life))
    }

    pub(crate) fn core(&self, site: Site, life: u64) -> Core {
        let config = if site == Site::CoreA { &self.core_a } else { &self.core_b };
        Core::new(config.clone(), options(), self.entropy(site, life))
    }

    pub(crate) fn pf(&self, site: Site, life: u64) -> BrokenPf {
        let (config, fault) = if site == Site::PfA { (&self.pf_a, self.fault) } else { (&self.pf_b, None) };
        BrokenPf::new(Participating::new(config.clone(), options(), self.entropy(site, life)), fault)
    }

    pub(crate) fn net(&self) -> Net {
        Net::new(self.seed)
    }
}

/// The IPv6 address that stands for an IPv4 one.
fn six(addr: SocketAddr) -> SocketAddr {
    match addr.ip() {
        IpAddr::V4(ip) => {
            let [.., net, host] = ip.octets().map(u16::from);
            SocketAddr::new(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, net, host).into(), addr.port())
        }
        IpAddr::V6(_) => addr,
    }
}

/// The same in the host of a URI.
fn six_in(uri: &str) -> String {
    Site::ALL
        .iter()
        .fold(uri.to_owned(), |uri, site| uri.replace(&site.sip().to_string(), &six(site.sip()).to_string()))
}

/// Options of a node on the simulated network.
pub fn options() -> Options {
    // The simulated network has no MTU of its own, so what is asked for by UDP goes by UDP.
    Options { path_mtu: Some(65_535), ..Options::default() }
}

fn param(transport: Transport) -> &'static str {
    if transport == Transport::Tcp { ";transport=tcp" } else { "" }
}

fn client_config(site: Site, transport: Transport) -> role_client::Config {
    let (aor, password, core) = match site {
        Site::ClientA => (ALICE, "alicepw", Site::CoreA),
        Site::ClientB | Site::CoreA | Site::PfA | Site::CoreB | Site::PfB => (BOB, "bobpw", Site::CoreB),
    };
    role_client::Config {
        aor: aor.to_owned(),
        password: password.to_owned(),
        core: Target::new(transport, core.sip()),
        listeners: site.listeners(),
        msrp: site.msrp().into(),
        relay: None,
        auto_accept: true,
        user_agent: "CPM-client/OMA2.2 duologue/0.1".to_owned(),
        expires: 600,
        intervals: Intervals::default(),
        max_message: role_client::MAX_MESSAGE,
    }
}

fn core_config(site: Site, transport: Transport) -> role_core::Config {
    let (domain, user, pf, peer_domain, peer) = match site {
        Site::CoreA => ("home1.test", "alice", Site::PfA, "home2.test", Site::CoreB),
        Site::CoreB | Site::ClientA | Site::PfA | Site::PfB | Site::ClientB => {
            ("home2.test", "bob", Site::PfB, "home1.test", Site::CoreA)
        }
    };
    let numbers = [("+15550001", ALICE), ("+15550002", BOB)].map(|(n, aor)| (n.to_owned(), aor.to_owned()));
    let number = if user == "alice" { "+15550001" } else { "+15550002" };
    let subscriber = Subscriber { number: Some(number.to_owned()), ..Subscriber::new(format!("{user}pw")) };
    role_core::Config {
        domain: domain.to_owned(),
        listeners: site.listeners(),
        trust: Vec::new(),
        subscribers: BTreeMap::from([(user.to_owned(), subscriber)]),
        numbers: BTreeMap::from(numbers),
        trigger: Some(Trigger {
            originating: format!("sip:orig@{}{}", pf.sip(), param(transport)),
            terminating: format!("sip:term@{}{}", pf.sip(), param(transport)),
        }),
        peers: vec![Peer {
            domain: peer_domain.to_owned(),
            uri: format!("sip:{}{}", peer.sip(), param(transport)),
            addr: peer.sip(),
        }],
        registration: Registration::default(),
        route_key: Some(RouteKey::from_secret(site.name().as_bytes())),
        keeps_registrations: false,
    }
}

fn pf_config(site: Site, media_path: MediaPath) -> role_participating::Config {
    let core = if site == Site::PfA { Site::CoreA } else { Site::CoreB };
    role_participating::Config {
        name: format!("{}.test", site.name()),
        listeners: site.listeners(),
        msrp: site.msrp().into(),
        media_path: if media_path == MediaPath::On { MediaPathPolicy::On } else { MediaPathPolicy::Off },
        default_profile: Profile::default(),
        profiles: BTreeMap::new(),
        trusted: vec![core.sip().ip()],
        hosts: sip_tx::Hosts::default(),
        silent_session: Duration::from_secs(86_400),
        intervals: Intervals::default(),
        durable: false,
        media_grace: Some(Duration::from_secs(5)),
        max_sessions: 1000,
        route_key: Some(RouteKey::from_secret(site.name().as_bytes())),
    }
}
