//! An MSRP relay of another make: Kamailio with `kamailio/msrp-relay.cfg`.

use std::net::SocketAddr;

use crate::{Kamailio, fill};

/// A relay that authenticates one user (RFC 4976) and relays for whoever has authenticated.
#[derive(Debug, Clone)]
pub struct MsrpRelay<'a> {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The realm of its challenges.
    pub realm: &'a str,
    /// User and password.
    pub user: (&'a str, &'a str),
    /// Seconds after which a client must authenticate again, if it asks for no time of its own.
    pub expires: u32,
}

impl MsrpRelay<'_> {
    /// Starts it, and returns when it answers.
    pub fn start(&self) -> Kamailio {
        Kamailio::start("MSRP relay", &self.config(), self.listen)
    }

    /// Its configuration.
    pub fn config(&self) -> String {
        fill(
            include_str!("../kamailio/msrp-relay.cfg"),
            &[
                ("listen", &self.listen.to_string()),
                ("realm", self.realm),
                ("user", self.user.0),
                ("password", self.user.1),
                ("expires", &self.expires.to_string()),
            ],
        )
    }
}
