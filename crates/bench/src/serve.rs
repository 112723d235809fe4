use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use cpm::{MediaPathPolicy, Profile};
use engine::{Engine, Listen, Sockets};
use role_participating::{Config, Participating};
use sip_transport::Listener;
use sip_tx::Options;
use wire::{Entropy, Transport};

/// More than a saturated core opens in 64*T1.
const TRANSACTIONS: usize = 16_000_000;

/// Our participating function off the media path, on one UDP socket, in one thread. Runs until the process is ended.
pub fn serve(listen: SocketAddr) -> Result<()> {
    let config = Config {
        name: "pf.bench".to_owned(),
        listeners: vec![Listener { transport: Transport::Udp, addr: listen }],
        msrp: listen,
        media_path: MediaPathPolicy::Off,
        default_profile: Profile { max_sessions: usize::MAX, ..Profile::default() },
        profiles: BTreeMap::new(),
        // The load comes from loopback addresses that nobody else has.
        trusted: Vec::new(),
        silent_session: Duration::from_secs(3600),
    };
    Ok(())
}
