use std::collections::BTreeMap;
use std::net::SocketAddr;

use bench::{CallId, Challenge, DOMAIN, Parties, users};
use bytes::Bytes;
use role_core::{Config, Core, Registration, Subscriber};
use sip_tx::{Listener, Options};
use wire::{Entropy, Input, Instant, Node, Transport};

use super::node::{INTERVAL, Step, measured, now, plain, timers};

/// A core whose users register.
pub(crate) struct Registrar {
    node: Core,
    parties: Parties,
    challenges: Vec<Option<Challenge>>,
    at: Instant,
}

impl Registrar {
    pub(crate) fn new(users_in_turn: u32) -> Registrar {
        let at = |host: u8, port| SocketAddr::from(([127, 0, 0, host], port));
        let parties = Parties { proxy: at(2, 5060), uac: at(3, 20_001), uas: at(4, 20_002) };
        let config = Config {
            domain: DOMAIN.to_owned(),
            listeners: vec![Listener { transport: Transport::Udp, addr: parties.proxy }],
            trust: Vec::new(),
            subscribers: users().map(|(name, password)| (name, Subscriber::new(password))).collect(),
            numbers: BTreeMap::new(),
            trigger: None,
            peers: Vec::new(),
            registration: Registration::default(),
            route_key: None,
            keeps_registrations: false,
        };
        let node = Core::new(config, Options::default(), Entropy::from_seed(1));
        Registrar { node, parties, challenges: vec![None; users_in_turn as usize], at: Instant::ZERO + INTERVAL * 100 }
    }

    /// A user registers. What counts is a refresh with a nonce in use, not the challenge and what answers it.
    pub(crate) fn register(&mut self, call: CallId) {
        let slot = call.slot as usize;
        let step = if self.challenges[slot].is_some() { Step::Measured } else { Step::Plain };
        if step == Step::Plain {
            let answer = self.send(call, step);
            self.challenges[slot] = Challenge::read(&answer);
            assert!(self.challenges[slot].is_some(), "a challenge");
        }
        assert!(self.send(call, step).starts_with(b"SIP/2.0 200"));
    }

    fn send(&mut self, call: CallId, step: Step) -> Bytes {
        let mut out = Vec::new();
        self.parties.register(&mut out, call, self.challenges[call.slot as usize].as_mut());
        let input = Input::Datagram { local: self.parties.proxy, remote: self.parties.uac, data: out.into() };
        let (node, now) = (&mut self.node, now(self.at));
        let sent = match step {
            Step::Measured => measured(node, input, now),
            Step::Plain => plain(node, input, now),
        };
        sent.into_iter().next().expect("an answer").1
    }

    /// Time passes between two calls, in which transactions end.
    pub(crate) fn pass_time(&mut self) {
        self.at += INTERVAL;
        let now = now(self.at);
        if self.node.poll_timeout().is_some_and(|due| due <= now.at) {
            timers(&mut self.node, now);
        }
    }
}
