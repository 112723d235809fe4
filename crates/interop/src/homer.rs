//! A receiver of HEP of another make: Kamailio with `kamailio/homer.cfg`.

use std::net::SocketAddr;

use crate::Kamailio;

/// Starts it, and returns when it listens. Its log has a line `copy: …` for each copy.
pub fn homer(listen: SocketAddr) -> Kamailio {
    let config = include_str!("../kamailio/homer.cfg").replace("{{listen}}", &listen.to_string());
    Kamailio::launch("homer", &config, listen)
}
