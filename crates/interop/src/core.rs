//! A SIP/IP core of another make in front of a participating function: Kamailio with `kamailio/core.cfg`.

use std::net::SocketAddr;

use crate::{Kamailio, Transport, fill};

/// One domain. Two of them that name each other as peers are the two operators of the figures.
#[derive(Debug, Clone)]
pub struct Core<'a> {
    /// Its domain, as in `home1.test`.
    pub domain: &'a str,
    /// Where it listens, over UDP and TCP. Peer, participating function and clients are told apart by address and port.
    pub listen: SocketAddr,
    /// Domain and core of the other operator.
    pub peer: (&'a str, SocketAddr),
    /// The participating function that serves its users, if there is one.
    pub pf: Option<SocketAddr>,
    /// Whether it writes itself into Route by a name, `core.` and the domain, as an S-CSCF does, and not by its address.
    pub is_named: bool,
    /// The transport towards peer and participating function, and in Service-Route.
    pub transport: Transport,
    /// User names and passwords.
    pub subscribers: &'a [(&'a str, &'a str)],
}

impl Core<'_> {
    /// Starts it, and returns when it answers.
    pub fn start(&self) -> Kamailio {
        Kamailio::start(&format!("core of {}", self.domain), &self.config(), self.listen)
    }

    /// Its configuration.
    pub fn config(&self) -> String {
        let subscribers: Vec<String> = self
            .subscribers
            .iter()
            .map(|(user, password)| format!("\t$sht(password=>{user}@{}) = \"{password}\";", self.domain))
            .collect();
        // Without a participating function its rows are not compiled; the address in them stays a placeholder.
        let (service_control, pf) = match self.pf {
            Some(pf) => ("#!define WITH_PF", pf.to_string()),
            None => ("# no participating function", "none".to_owned()),
        };
        fill(
            include_str!("../kamailio/core.cfg"),
            &[
                ("service_control", service_control),
                ("domain", self.domain),
                ("listen", &self.listen.to_string()),
                ("me", &if self.is_named { format!("core.{}", self.domain) } else { self.listen.to_string() }),
                ("peer_domain", self.peer.0),
                ("peer", &self.peer.1.to_string()),
                ("pf", &pf),
                ("transport", self.transport.name()),
                ("subscribers", &subscribers.join("\n")),
            ],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What others are shown is what the tests run.
    #[test]
    fn the_configuration_in_contrib_is_this_one() {
        let at = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let core = Core {
            domain: "home1.test",
            listen: at(5060),
            peer: ("home2.test", at(5062)),
            pf: Some(at(5070)),
            is_named: true,
            transport: Transport::Udp,
            subscribers: &[("alice", "alices-word"), ("bob", "bobs-word")],
        };
        let shown = include_str!("../../../contrib/kamailio/home1.cfg");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/../../contrib/kamailio/home1.cfg"), core.config())
                .unwrap();
        } else {
            assert!(shown == core.config(), "contrib/kamailio/home1.cfg is another; UPDATE=1 writes it");
        }
    }
}
